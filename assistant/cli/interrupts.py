"""Ctrl-C: once ends the answer and keeps what came, twice leaves at once."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, Self

from assistant.cli.exit_codes import INTERRUPTED

# Painting, wrapping, cursor and colours as usual.
RESET = b"\x1b[?2026l\x1b[?7h\x1b[?25h\x1b[m"
ERASE_LINE = b"\r\x1b[K"


class Interrupts:
    """Takes SIGINT between `with` and its end. Without anything to cancel, it leaves at once."""

    def __init__(self) -> None:
        self._cancel: Callable[[], None] | None = None
        self._has_cancelled = False
        self._previous: object = None

    def __enter__(self) -> Self:
        self._previous = signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)  # type: ignore[arg-type]  # what it was

    def on_first(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel

    def _take(self, _signal: int, _frame: FrameType | None) -> None:
        if self._cancel is None or self._has_cancelled:
            leave_at_once(is_answering=self._cancel is not None)
        self._has_cancelled = True
        self._cancel()


def leave_at_once(*, is_answering: bool) -> NoReturn:
    """Waits for nothing, but leaves the terminal in order.

    Before the answer the line of the cursor holds nothing but progress.
    """
    if os.environ.get("TERM", "dumb") != "dumb":
        if sys.stdout.isatty() and is_answering:
            os.write(sys.stdout.fileno(), RESET + b"\r\n")
        elif sys.stderr.isatty():
            os.write(sys.stderr.fileno(), ERASE_LINE)
    os._exit(INTERRUPTED)
