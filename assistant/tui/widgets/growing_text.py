"""Text that arrives in pieces: adding one costs the same however long it is already."""


class GrowingText:
    def __init__(self) -> None:
        self._text = ""
        self._pieces: list[str] = []
        self._ends_in_word = False
        self.words = 0

    def add(self, text: str) -> None:
        if not text:
            return
        self._pieces.append(text)
        goes_on = self._ends_in_word and not text[0].isspace()
        self.words += len(text.split()) - goes_on
        self._ends_in_word = not text[-1].isspace()

    @property
    def text(self) -> str:
        if self._pieces:
            self._text += "".join(self._pieces)
            self._pieces = []
        return self._text
