"""The line on standard error that shows how far loading and reading the prompt have come."""

import os
import time
from collections.abc import Callable
from typing import TextIO

from assistant.events import Event, ModelLoading, PromptProgress, Queued, TextChunk
from assistant.rendering.base import TerminalSize
from assistant.visible_text import visible

_PATIENCE_SECONDS = 0.5  # what takes less is not worth a line
_COUNT_SECONDS = 0.2  # between two counts of what was written
_BAR_CELLS = 24
_ERASE_LINE = "\r\x1b[K"


class ProgressLine:
    """Draws on every event that reports progress and disappears with any other one.

    Show it an event before the answer's renderer sees it: both may use one terminal.
    """

    def __init__(
        self,
        err: TextIO,
        *,
        is_terminal: bool,
        size: TerminalSize | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._err = err
        self._is_terminal = is_terminal
        self._size = size or (lambda: os.get_terminal_size(err.fileno()))
        self._clock = clock
        self._stage: type[Event] | None = None
        self._started = clock()
        self._is_drawn = False
        self._chunks = 0
        self._next_count = self._started + _PATIENCE_SECONDS

    def show(self, event: Event) -> None:
        if not isinstance(event, ModelLoading | Queued | PromptProgress):
            self.close()
        elif self._is_terminal:
            self._show_progress(event)

    def show_written(self, event: TextChunk) -> None:
        """For text that nobody sees arrive: says that it does."""
        self._chunks += bool(event.text)
        if self._is_terminal and self._clock() >= self._next_count:
            self._next_count = self._clock() + _COUNT_SECONDS
            self._draw(f"writing, {self._chunks:,} tokens so far")

    def close(self) -> None:
        """Erase the line, if there is one."""
        if self._is_drawn:
            self._is_drawn = False
            self._err.write(_ERASE_LINE)
            self._err.flush()

    def _show_progress(self, event: ModelLoading | Queued | PromptProgress) -> None:
        if type(event) is not self._stage:
            # The first stage began when we were made, the others with their first event.
            if self._stage is not None:
                self._started = self._clock()
            self._stage = type(event)
        seconds = self._clock() - self._started
        if isinstance(event, PromptProgress):
            seconds += event.seconds_left or 0.0
        if self._is_drawn or seconds > _PATIENCE_SECONDS:
            self._draw(progress_text(event, self._size().columns - 1))

    def _draw(self, line: str) -> None:
        self._is_drawn = True
        self._err.write(_ERASE_LINE + line)
        self._err.flush()


def progress_text(event: ModelLoading | Queued | PromptProgress, columns: int) -> str:
    """One line of at most `columns` characters; where there is no room details are left out."""
    match event:
        case ModelLoading(stage, share):
            name, figures = visible(stage), [] if share is None else [f"{share:.0%}"]
        case Queued(position):
            share = None
            name, figures = "waiting", [f"number {position} in the queue"]
        case PromptProgress(done, total, cached, seconds_left):
            share = done / total if total else 1.0
            name, figures = "reading", [f"{done:,} of {total:,} tokens"]
            if seconds_left is not None:
                figures.append(f"{_duration(seconds_left)} left")
            if cached:
                figures.append(f"{cached:,} cached")
    line = ""
    for bar_cells in (_BAR_CELLS, _BAR_CELLS // 2, 0):
        for kept in range(len(figures), min(1, len(figures)) - 1, -1):
            bar = [_bar(share, bar_cells)] if share is not None and bar_cells else []
            line = " ".join([name, *bar, ", ".join(figures[:kept])]).rstrip()
            if len(line) <= columns:
                return line
    return line[: max(0, columns)]


def _bar(share: float, cells: int) -> str:
    full = round(min(1.0, max(0.0, share)) * cells)
    return "━" * full + "─" * (cells - full)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"
