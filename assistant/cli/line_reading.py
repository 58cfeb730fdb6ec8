"""Lines that a person types, or that come from a pipe, as what is asked in a linear chat."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from assistant import paths
from assistant.cli.color import moves_cursor
from assistant.cli.exit_codes import HUNG_UP, TERMINATED
from assistant.cli.options import as_text
from assistant.errors import UsageError

PROMPT, MORE = "you> ", "more> "
GOES_ON = "\\"  # at the end of a line
QUOTES = '"""'  # around several lines
HISTORY_FILE = "chat_lines"  # in the state folder
HISTORY_LINES = 1_000
WAKE_SECONDS = 0.25

LEAVING = {
    signal.SIGTERM: TERMINATED,
    signal.SIGHUP: HUNG_UP,
}  # signals, and the exit codes of them

ReadLine = Callable[[str], str | None]  # gets the prompt; None: there are no more
Complete = Callable[[str], Sequence[str]]  # gets the line up to the cursor


def read_entry(read_line: ReadLine) -> str | None:
    """One line, those that a backslash joins, or all between quotes; None: there are no more."""
    line = read_line(PROMPT)
    if line is None:
        return None
    if line.lstrip().startswith(QUOTES):
        return _read_quoted(line.lstrip().removeprefix(QUOTES), read_line)
    lines = [line]
    while lines[-1].endswith(GOES_ON):
        lines[-1] = lines[-1].removesuffix(GOES_ON)
        more = read_line(MORE)
        if more is None:
            break
        lines.append(more)
    return "\n".join(lines)


def _read_quoted(line: str, read_line: ReadLine) -> str:
    """The end of input ends it, too."""
    lines: list[str] = []
    more: str | None = line
    while more is not None:
        if more.rstrip().endswith(QUOTES):
            lines.append(more.rstrip().removesuffix(QUOTES))
            break
        lines.append(more)
        more = read_line(MORE)
    return "\n".join(lines).strip("\n")


@contextmanager
def _woken_now_and_then() -> Iterator[None]:
    """A signal that comes while readline sets itself up would wait for the next key: what wakes
    readline up makes Python look for signals."""
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: None)
    signal.setitimer(signal.ITIMER_REAL, WAKE_SECONDS, WAKE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class PipedLines:
    """Lines of at most `max_bytes`. Raises `UsageError` for a longer one."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes

    def __call__(self, _prompt: str) -> str | None:
        line = self._file.readline(self._max_bytes + 1)
        if len(line) > self._max_bytes:
            raise UsageError(
                f"a line has more than {self._max_bytes:,} bytes", "/set max_input 100000000"
            )
        return line.decode("utf-8", "replace").rstrip("\r\n") if line else None


class TypedLines:
    """Edited by readline where standard output is the same terminal. Ctrl-D ends them.

    Lines are remembered from one chat to the next where they are `kept`. Ctrl-C raises
    `KeyboardInterrupt`.
    """

    def __init__(self, complete: Complete, *, is_kept: bool) -> None:
        self._is_edited = sys.stdout.isatty()
        self._file: Path | None = None
        self._start = ""
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="surrogateescape")
        if self._is_edited:
            self._set_up(complete)
            if is_kept:
                self._file = _history_file()

    def __call__(self, prompt: str) -> str | None:
        line = self._edited(prompt) if self._is_edited else self._bare(prompt)
        return None if line is None else as_text(line)

    def begin_with(self, text: str) -> None:
        """The next line can be edited from there."""
        self._start = text

    def _edited(self, prompt: str) -> str | None:
        try:
            with _woken_now_and_then():
                line = input(prompt)
        except EOFError:
            sys.stdout.write("\n")
            return None
        finally:
            self._start = ""
        if line.strip() and self._file is not None:
            import readline

            with suppress(OSError):
                readline.append_history_file(1, str(self._file))
        return line

    def _bare(self, prompt: str) -> str | None:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = sys.stdin.readline()
        return line.removesuffix("\n") if line else None

    def _set_up(self, complete: Complete) -> None:
        import readline  # makes `input` edit lines

        found: list[str] = []

        def offer(line: str, number: int) -> str | None:
            if number == 0:
                found[:] = complete(line)
            return found[number] if number < len(found) else None

        def begin() -> None:
            if self._start:
                readline.insert_text(self._start)

        readline.set_completer(offer)
        readline.set_completer_delims("")  # the line as a whole
        readline.set_startup_hook(begin)
        if "libedit" in (readline.__doc__ or ""):
            readline.parse_and_bind("bind ^I rl_complete")
        else:
            readline.parse_and_bind("tab: complete")
            if not moves_cursor():
                readline.parse_and_bind("set enable-bracketed-paste off")


def _history_file() -> Path | None:
    """Read, and closed to everybody else; None where nothing can be kept."""
    import readline

    try:
        file = paths.writable(paths.state_folder()) / HISTORY_FILE
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        file.chmod(0o600)
        readline.read_history_file(str(file))
    except (OSError, UsageError):
        return None
    readline.set_history_length(HISTORY_LINES)
    return file


@contextmanager
def leaving_in_order() -> Iterator[None]:
    """While no answer is written, a signal that ends us leaves through every `finally`."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(LEAVING[signal.Signals(number)])

    previous = {}
    for number in LEAVING:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            previous[number] = signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
