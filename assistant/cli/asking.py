"""Asks the person at the terminal before something is changed; never where nobody can answer."""

import signal
import sys
import termios
from contextlib import suppress

from assistant.errors import NotApproved
from assistant.visible_text import visible


def can_ask() -> bool:
    """Whether a person reads standard error and answers on standard input."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_approved(question: str) -> bool:
    """Asks `question` with [y/N]; the end of input is a no, and so is what was typed before."""
    with suppress(OSError, termios.error):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    text = f"{visible(question)} [y/N] "
    # After Ctrl-Z and fg the question would stand far above.
    previous = signal.signal(signal.SIGCONT, lambda _signal, _frame: _write(text))
    try:
        _write(text)
        answer = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGCONT, previous)
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def require_approval(question: str, *, is_given: bool, hint: str = "--yes") -> None:
    """Raises `NotApproved` unless it `is_given` already or somebody says yes."""
    if is_given:
        return
    if not can_ask():
        raise NotApproved(f"nobody can be asked: {question}", hint)
    if not is_approved(question):
        raise NotApproved("nothing was changed")
