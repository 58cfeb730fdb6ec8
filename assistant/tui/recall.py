"""Earlier questions, walked through with Up and Down; what was changed on the way is not lost."""

from collections.abc import Sequence


class Recall:
    """The last place is the text that is being written; `now` is what stands there just now."""

    def __init__(self) -> None:
        self._questions: list[str] = []
        self._written: list[str] = []  # of these, what was written here
        self._changed: dict[int, str] = {}
        self._at = 0

    def set(self, questions: Sequence[str]) -> None:
        """Oldest first; what was written here comes after them. What is not sent yet stays."""
        draft = self._changed.get(len(self._questions))
        written = set(self._written)
        self._questions = [*(text for text in questions if text not in written), *self._written]
        self._at = len(self._questions)
        self._changed = {} if draft is None else {self._at: draft}

    def older(self, now: str) -> str | None:
        """None: there is none."""
        return self._go(self._at - 1, now)

    def newer(self, now: str) -> str | None:
        return self._go(self._at + 1, now)

    def done(self, now: str) -> None:
        """It was sent, or put aside: the newest from now on. What else was written comes before."""
        self._keep(now)
        unsent = [self._changed[at] for at in sorted(self._changed) if at != self._at]
        for text in [*unsent, now]:
            if text.strip() and self._questions[-1:] != [text]:
                self._questions.append(text)
                self._written.append(text)
        self._changed.clear()
        self._at = len(self._questions)

    def _go(self, at: int, now: str) -> str | None:
        if not 0 <= at <= len(self._questions):
            return None
        self._keep(now)
        self._at = at
        return self._changed.get(at, self._questions[at] if at < len(self._questions) else "")

    def _keep(self, now: str) -> None:
        """What stands here now, if it is not what stood here."""
        before = self._questions[self._at] if self._at < len(self._questions) else ""
        if now != before:
            self._changed[self._at] = now
        else:
            self._changed.pop(self._at, None)
