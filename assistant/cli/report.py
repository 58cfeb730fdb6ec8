"""The only file that writes to standard error and knows exit codes."""

import os
import sys
import traceback
from typing import NoReturn, TextIO

from assistant.errors import (
    AssistantError,
    EngineFailed,
    InputError,
    ModelError,
    NotEnoughMemory,
    PromptTooLong,
    UsageError,
)
from assistant.visible_text import visible

OK = 0
GENERAL = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE

EXIT_CODES: dict[type[AssistantError], int] = {
    UsageError: USAGE,
    InputError: GENERAL,
    ModelError: 3,
    PromptTooLong: 4,
    NotEnoughMemory: 5,
    EngineFailed: 8,
}


class Report:
    """What is said beside the answer. `is_quiet` leaves only errors and what was cut."""

    def __init__(self, err: TextIO, *, is_quiet: bool = False, has_color: bool = False) -> None:
        self.err = err
        self.is_quiet = is_quiet
        self._has_color = has_color

    def error(self, error: AssistantError, *, is_debug: bool = False) -> int:
        """Says what failed and what to type next; returns the exit code."""
        if is_debug:
            traceback.print_exception(error, file=self.err)
        hint = f" ({_line(error.hint)})" if error.hint else ""
        self._write(f"error: {_line(error.message)}{hint}")
        codes = (code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
        return next(codes, GENERAL)

    def unexpected(self, error: BaseException, *, is_debug: bool = False) -> int:
        if is_debug:
            traceback.print_exception(error, file=self.err)
        hint = "" if is_debug else " (--debug shows where)"
        self._write(f"error: {type(error).__name__}: {_line(str(error))}{hint}")
        return GENERAL

    def warning(self, text: str) -> None:
        """Said even when quiet: something was cut, or is not what it seems."""
        self._write(_line(text))

    def note(self, text: str) -> None:
        if not self.is_quiet and self.err.isatty():
            line = _line(text)
            self._write(f"\x1b[2m{line}\x1b[22m" if self._has_color else line)

    def _write(self, line: str) -> None:
        try:
            self.err.write(line + "\n")
            self.err.flush()
        except (OSError, ValueError):
            pass  # a closed standard error must not hide the answer


def _line(text: str) -> str:
    return visible(" ".join(text.split()))


def leave_pipe() -> int:
    """The reader of our output is gone: say nothing, and keep the interpreter quiet at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return BROKEN_PIPE


def leave_at_once() -> NoReturn:
    """The second Ctrl-C: waits for nothing, but leaves the terminal in order."""
    if sys.stdout.isatty():
        os.write(sys.stdout.fileno(), b"\x1b[?2026l\x1b[?7h\x1b[?25h\x1b[m\r\n")
    os._exit(INTERRUPTED)
