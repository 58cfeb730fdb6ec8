"""What is said on standard error: what failed, what was cut, and how an answer went."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import TextIO

from assistant.cli.exit_codes import BROKEN_PIPE, GENERAL, exit_code
from assistant.errors import AssistantError
from assistant.rendering.tables import cell_width, clip, one_line
from assistant.visible_text import visible

SEPARATOR = " · "


class Report:
    """What is said beside the answer. `is_quiet` leaves only errors and what was cut."""

    def __init__(
        self,
        err: TextIO,
        *,
        is_quiet: bool = False,
        is_verbose: bool = False,
        has_color: bool = False,
    ) -> None:
        self.err = err
        self.is_quiet = is_quiet
        self.is_verbose = is_verbose
        self._has_color = has_color

    def error(self, error: AssistantError, *, is_debug: bool = False) -> int:
        """Says what failed and what to type next; returns the exit code."""
        if is_debug:
            self._write_traceback(error)
        hint = f" ({one_line(error.hint)})" if error.hint else ""
        self._write(f"error: {one_line(error.message)}{hint}")
        return exit_code(error)

    def unexpected(self, error: Exception, *, is_debug: bool = False) -> int:
        if is_debug:
            self._write_traceback(error)
        hint = "" if is_debug else " (--debug shows where)"
        self._write(f"error: {type(error).__name__}: {one_line(str(error))}{hint}")
        return GENERAL

    def warning(self, text: str) -> None:
        """Said even when quiet: something was cut, or is not what it seems."""
        self._write(one_line(text))

    def done(self, text: str) -> None:
        """What was changed on this machine; quiet, it goes without saying."""
        if not self.is_quiet:
            self._write(one_line(text))

    def detail(self, text: str) -> None:
        """A line of a table, for whom -v asked."""
        self._write(visible(text))

    def text(self, lines: str) -> None:
        """Lines that are visible already, such as a diff to say yes to."""
        self._write(lines.removesuffix("\n"))

    @property
    def wants_notes(self) -> bool:
        """Whether a person reads along and has not asked for quiet."""
        return not self.is_quiet and self.err.isatty()

    def note(self, parts: Sequence[str]) -> None:
        """One line for a person, the most important part first; what has no room is left out."""
        if not self.wants_notes:
            return
        columns = os.get_terminal_size(self.err.fileno()).columns or 80
        line = clip(one_line(parts[0]), columns)
        for part in parts[1:]:
            longer = line + SEPARATOR + one_line(part)
            if cell_width(longer) > columns:
                break
            line = longer
        self._write(f"\x1b[2m{line}\x1b[22m" if self._has_color else line)

    def _write_traceback(self, error: Exception) -> None:
        self._write(visible("".join(traceback.format_exception(error)).rstrip()))

    def _write(self, text: str) -> None:
        try:
            self.err.write(text + "\n")
            self.err.flush()
        except (OSError, ValueError):
            pass  # a closed standard error must not hide the answer


def give_up_stdout() -> int:
    """Nobody takes our output any more: keep the interpreter from trying again at its exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return BROKEN_PIPE
