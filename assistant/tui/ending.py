"""How the chat ends when somebody else wants it to: in order if it can, and in any case soon."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Self

HUNG_UP = 129
CODES = {  # signals, and the exit codes of them
    signal.SIGHUP: HUNG_UP,
    signal.SIGINT: 130,
    signal.SIGQUIT: 131,
    signal.SIGTERM: 143,
}
PATIENCE_SECONDS = 3.0  # a terminal that takes nothing would hold up the screen for ever


class Ending:
    """`in_order` gets the exit code, and is called in the thread or the signal's handler where the
    wish came up; where that takes too long, `at_once` is called in a thread of its own, and
    whatever still runs ends with it.

    `code` is that of the first who wanted it, None before.
    """

    def __init__(self, in_order: Callable[[int], None], at_once: Callable[[], None]) -> None:
        self._in_order = in_order
        self._at_once = at_once
        self._timer: threading.Timer | None = None
        self.code: int | None = None

    def begin(self, code: int) -> None:
        """From any thread. A terminal that is closed says so more than once: once is enough."""
        if self.code is not None:
            return
        self.code = code
        self._timer = threading.Timer(PATIENCE_SECONDS, self._end_now)
        self._timer.daemon = True
        self._timer.start()
        self._in_order(code)

    @contextmanager
    def on_signals(self) -> Iterator[Self]:
        """Signals begin it, in the main thread; afterwards nobody waits for it any more."""
        before = {number: signal.getsignal(number) for number in CODES}
        try:
            for number, earlier in before.items():
                if earlier is not signal.SIG_IGN:  # nohup
                    signal.signal(number, self._take)
            yield self
        finally:
            for number, earlier in before.items():
                signal.signal(number, earlier)
            if self._timer is not None:
                self._timer.cancel()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.begin(CODES[signal.Signals(number)])

    def _end_now(self) -> None:
        with suppress(Exception):
            self._at_once()
        os._exit(self.code or 0)
