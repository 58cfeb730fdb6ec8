"""Characters that a terminal would obey or hide, in text that is being edited.

Each has another character in its place, one for one, so that every column stays what it is; what
is sent is the text as it was written.
"""

from rich.style import Style
from rich.text import Text

from assistant.visible_text import visible

FIRST, LAST = 0x100000, 0x10FFFD  # a plane for private use
MARK = "␦"  # what is shown for a hidden character; a control character has its own picture
PICTURES = 0x2400


class StandIns:
    """Remembers which character stands for which; there are as many as anybody will meet."""

    def __init__(self) -> None:
        self._stand_ins: dict[int, int] = {}
        self._originals: dict[int, int] = {}

    def put(self, text: str) -> str:
        """The text without what a terminal would obey, on lines that end with a line feed."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        for character in {*text}:
            if _needs_one(character) and ord(character) not in self._stand_ins:
                self._add(ord(character))
        return text.translate(self._stand_ins)

    def take_back(self, text: str) -> str:
        """The text as it was."""
        return text.translate(self._originals)

    def show(self, line: str, style: Style) -> Text:
        """One line with a visible mark, in this style, for each hidden character."""
        places = [at for at, character in enumerate(line) if ord(character) in self._originals]
        if not places:
            return Text(line, end="", no_wrap=True)
        shown = list(line)
        for at in places:
            original = self._originals[ord(line[at])]
            shown[at] = chr(PICTURES + original) if original < 0x20 else MARK
        text = Text("".join(shown), end="", no_wrap=True)
        for at in places:
            text.stylize(style, at, at + 1)
        return text

    def _add(self, code: int) -> None:
        stand_in = FIRST + len(self._stand_ins)
        if stand_in <= LAST:
            self._stand_ins[code] = stand_in
            self._originals[stand_in] = code


def _needs_one(character: str) -> bool:
    """Also what stands for others here."""
    return visible(character) != character or FIRST <= ord(character) <= LAST
