"""What a model thought before it answered: a line that tells how much, the rest when it is open."""

import time
from collections.abc import Callable

from assistant.rendering.answer_lines import ReasoningLines
from assistant.rendering.quantities import duration_text
from assistant.tui.widgets.growing_text import GrowingText
from assistant.tui.widgets.rows import DIM, Action, Row, Target
from assistant.tui.widgets.strips import RESET

FOLDED, OPEN = "▸", "▾"


class Reasoning:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_open = False
        self._clock = clock
        self._grown = GrowingText()
        self._since: float | None = None
        self._seconds: float | None = None  # how long it took; None where nobody knows
        self._is_over = False
        self._columns = 0
        self._lines = ReasoningLines()
        self._fed = 0  # characters
        self._finished: list[Row] = []

    @property
    def text(self) -> str:
        return self._grown.text

    def add(self, text: str) -> None:
        if self._since is None:
            self._since = self._clock()
        self._grown.add(text)

    def end(self) -> None:
        """The answer begins, or there will be none."""
        if self._since is not None and not self._is_over:
            self._seconds = self._clock() - self._since
        self._is_over = True

    def replace(self, text: str) -> None:
        """This is what it was in the end."""
        self.end()
        if text != self.text:
            self._grown = GrowingText()
            self._grown.add(text)
            self._columns = 0

    def rows(self, columns: int) -> list[Row]:
        """Nothing where there was no thought; with an empty row at the end when it is open."""
        if not self.text.strip():
            return []
        line = self._head()[:columns]
        head = Row(
            f"{DIM}{line}{RESET}", targets=(Target(0, len(line), Action.UNFOLD),), is_chrome=True
        )
        if not self.is_open:
            return [head]
        if columns != self._columns:
            self._lines, self._fed, self._finished = ReasoningLines(), 0, []
            self._columns = columns
        text = self.text
        self._finished += map(Row, self._lines.feed(text[self._fed :], columns))
        self._fed = len(text)
        return [head, *self._finished, *map(Row, self._lines.unfinished(columns)), Row("")]

    def _head(self) -> str:
        seconds = self._seconds
        if seconds is None and self._since is not None:
            seconds = self._clock() - self._since
        took = "" if seconds is None else f" for {duration_text(seconds)}"
        verb = "thought" if self._is_over else "thinking"
        words = f"{self._grown.words:,} word{'s' * (self._grown.words != 1)}"
        return f"{OPEN if self.is_open else FOLDED} {verb}{took}, {words}"
