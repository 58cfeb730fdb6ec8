"""A terminal in memory: what a person would see of a renderer's output, history included."""

import io
import os
from collections.abc import Callable, Iterable

import pyte

from assistant.events import Event, TextChunk
from assistant.rendering.base import ReasoningMode
from assistant.rendering.pretty import PrettyRenderer


class PretendTerminal:
    """Takes what is written to `out`, a file like standard output."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=20_000, ratio=0.5)
        self._stream = pyte.Stream(self.screen)
        self.written = ""
        self.out = _Output(self._receive)

    def size(self) -> os.terminal_size:
        return os.terminal_size((self.screen.columns, self.screen.lines))

    def _receive(self, text: str) -> None:
        self.written += text
        self._stream.feed(text)

    @property
    def rows(self) -> list[str]:
        """All rows that were ever scrolled away and those on screen, without empty ones below."""
        history = [
            "".join(row[x].data for x in range(self.screen.columns))
            for row in self.screen.history.top
        ]
        rows = [row.rstrip() for row in [*history, *self.screen.display]]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    @property
    def cells(self) -> list[pyte.screens.Char]:
        """Characters with colours, row by row, of what is on screen."""
        buffer, columns = self.screen.buffer, range(self.screen.columns)
        return [buffer[y][x] for y in range(self.screen.lines) for x in columns]

    def color_of(self, word: str) -> str:
        """The foreground of the first cell of `word` on screen."""
        for y, row in enumerate(self.screen.display):
            if word in row:
                return str(self.screen.buffer[y][row.index(word)].fg)
        raise AssertionError(f"{word!r} is not on screen")


class _Output(io.StringIO):
    def __init__(self, receive: Callable[[str], None]) -> None:
        super().__init__()
        self._receive = receive

    def write(self, text: str) -> int:
        self._receive(text)
        return len(text)


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def show(
    events: Iterable[Event | str],
    terminal: PretendTerminal | None = None,
    *,
    reasoning: ReasoningMode = ReasoningMode.SHOW,
    seconds_between: float = 1.0,
    close: bool = True,
) -> PretendTerminal:
    """Render events, or chunks of an answer, `seconds_between` apart."""
    terminal = terminal or PretendTerminal()
    clock = Clock()
    renderer = PrettyRenderer(terminal.out, reasoning, size=terminal.size, clock=clock)
    for event in events:
        renderer.show(TextChunk(event) if isinstance(event, str) else event)
        clock.seconds += seconds_between
    if close:
        renderer.close()
    return terminal
