"""Textual draws on descriptor 2, and native libraries write there, too: they are kept apart."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def guarded_stderr(log: Path | None) -> Iterator[None]:
    """The terminal stays for `sys.__stderr__`; what else is written to descriptor 2 goes to `log`.

    Where descriptor 2 is no terminal, standard output is.
    Everything is as before when this ends.
    """
    before, python_before = sys.__stderr__, sys.stderr
    original = os.dup(2)
    terminal = os.dup(1 if os.isatty(1) and not os.isatty(2) else 2)
    screen = os.fdopen(terminal, "w", encoding="utf-8", errors="replace")
    descriptor = _opened(log)
    sys.stderr.flush()
    try:
        os.dup2(descriptor, 2)
        sys.__stderr__ = screen  # type: ignore[misc]  # Textual writes there
        yield
    finally:
        os.dup2(original, 2)
        sys.__stderr__, sys.stderr = before, python_before  # type: ignore[misc]
        with suppress(OSError):  # the terminal may be gone
            screen.close()
        os.close(original)
        os.close(descriptor)


def _opened(log: Path | None) -> int:
    try:
        if log is not None:
            return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        pass
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
