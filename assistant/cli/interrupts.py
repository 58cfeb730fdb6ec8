"""Signals: the first ends the answer and keeps what came, the second leaves at once.

SIGINT (Ctrl-C), SIGTERM, SIGHUP, and SIGALRM when the time of --timeout is up.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, Self

from assistant.cli.exit_codes import HUNG_UP, INTERRUPTED, TERMINATED, TIMEOUT

CODES = {
    signal.SIGINT: INTERRUPTED,
    signal.SIGTERM: TERMINATED,
    signal.SIGHUP: HUNG_UP,
    signal.SIGALRM: TIMEOUT,
}
TIME_IS_UP = b"error: the time is up (--timeout SECONDS allows more)\n"

# Painting, wrapping, cursor and colours as usual.
RESET = b"\x1b[?2026l\x1b[?7h\x1b[?25h\x1b[m"
ERASE_LINE = b"\r\x1b[K"


class Interrupts:
    """Takes signals between `with` and its end. Without anything to cancel, it leaves at once.

    `code` is the exit code of the first that came.
    """

    def __init__(self, timeout_seconds: float = 0.0) -> None:
        self._timeout_seconds = timeout_seconds
        self._cancel: Callable[[], None] | None = None
        self._previous: dict[int, object] = {}
        self._leaves_in_order = False
        self.code: int | None = None

    def __enter__(self) -> Self:
        for number in CODES:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup
            self._previous[number] = signal.signal(number, self._take)
        signal.setitimer(signal.ITIMER_REAL, self._timeout_seconds)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, previous in self._previous.items():
            signal.signal(number, previous)  # type: ignore[arg-type]  # what it was

    def on_first(self, cancel: Callable[[], None] | None) -> None:
        self._cancel = cancel

    def is_over(self) -> None:
        """The answer has ended: there is nothing to cancel any more, and no hurry."""
        self._cancel = None
        signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def while_a_person_works(self) -> Iterator[None]:
        """The time stands still, and a signal leaves through every `finally`."""
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        self._leaves_in_order = True
        try:
            yield
        finally:
            self._leaves_in_order = False
            signal.setitimer(signal.ITIMER_REAL, left)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        code = CODES[signal.Signals(number)]
        if self._leaves_in_order:
            raise SystemExit(code)
        if self._cancel is None or self.code is not None:
            leave_at_once(code, is_answering=self._cancel is not None)
        self.code = code
        self._cancel()


def leave_at_once(code: int, *, is_answering: bool) -> NoReturn:
    """Waits for nothing, but leaves the terminal in order.

    Before the answer the line of the cursor holds nothing but progress.
    """
    if os.environ.get("TERM", "dumb") != "dumb":
        if sys.stdout.isatty() and is_answering:
            os.write(sys.stdout.fileno(), RESET + b"\r\n")
        elif sys.stderr.isatty():
            os.write(sys.stderr.fileno(), ERASE_LINE)
    if code == TIMEOUT:
        os.write(2, TIME_IS_UP)
    os._exit(code)
