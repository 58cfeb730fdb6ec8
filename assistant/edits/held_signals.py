"""Signals wait while files are replaced, so that nothing is left half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


@contextmanager
def hold_signals() -> Iterator[None]:
    """What arrives meanwhile has its effect at the end. Only the main thread can hold signals.

    By handlers, not by a mask: a mask is one thread's, and the engine's threads would take the
    signal. What is ignored stays so.
    """
    arrived: list[int] = []
    previous = {}
    if threading.current_thread() is threading.main_thread():
        for number in HELD:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: not Python's
                handler = signal.signal(number, lambda came, _frame: arrived.append(came))
                previous[number] = handler
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for came in dict.fromkeys(arrived):
            signal.raise_signal(came)
