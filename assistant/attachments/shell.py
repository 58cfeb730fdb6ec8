"""A shell command that the user typed: run, shown while it writes, its output attached.

It has no terminal, so that it can neither ask nor draw over what is on the screen. What it leaves
running in the background goes on without us.
"""

import codecs
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from time import monotonic

from msgspec import Struct

from assistant.attachments.names import shown_name
from assistant.errors import InputError
from assistant.messages import Attachment

MAX_BYTES = 1 << 20  # of output that is kept
HEAD_BYTES = MAX_BYTES // 4  # the rest is its end, where errors are
LIMIT_SECONDS = 600.0
GRACE_SECONDS = 2.0  # between Ctrl-C and killing
LINGER_SECONDS = 0.3  # for output of what a command left in the background
REPORT_SECONDS = 0.05
READ_BYTES = 64 << 10
LONGEST_NAME = 60  # characters of a command

ENVIRONMENT = {"TERM": "dumb", "NO_COLOR": "1", "PAGER": "cat", "GIT_PAGER": "cat"}


class Ending(StrEnum):
    """Why a command ended."""

    EXITED = "exited"
    CANCELLED = "cancelled"
    TOO_LONG = "too long"


class ShellResult(Struct, frozen=True):
    """`output` is what it wrote to both streams; of more than MAX_BYTES the middle is left out.
    `exit_code` is negative for a signal, as Python has it."""

    command: str
    output: str
    exit_code: int
    ending: Ending
    seconds: float
    is_cut: bool = False


def attachment_of(result: ShellResult) -> Attachment:
    """The command, its output and how it ended, as a model reads them best."""
    name = shown_name(result.command)
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 1] + "…"
    output = result.output if result.output.endswith("\n") else result.output + "\n"
    text = f"$ {result.command}\n{output if result.output else ''}{shown_ending(result)}\n"
    return Attachment(f"output of {name}", text, "console")


def shown_ending(result: ShellResult) -> str:
    """ "exit code 1", "stopped after 2.0 s" …"""
    match result.ending:
        case Ending.CANCELLED:
            return f"stopped after {result.seconds:.1f} s"
        case Ending.TOO_LONG:
            return f"stopped after {result.seconds:.0f} s, the most that a command gets"
    if result.exit_code < 0:
        with suppress(ValueError):
            return f"killed by {signal.Signals(-result.exit_code).name}"
    return f"exit code {result.exit_code}"


class ShellCommand:
    """One run of a command line in the user's own shell and the current folder."""

    def __init__(self, command: str, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._command = command
        self._limit_seconds = limit_seconds
        self._is_cancelled = threading.Event()

    def cancel(self) -> None:
        """Ctrl-C for it and all that it started, from any thread; what goes on is killed."""
        self._is_cancelled.set()

    def run(self, on_output: Callable[[str], None] = lambda _text: None) -> ShellResult:
        """Blocks until it has ended. Raises `InputError` when it cannot be started.

        `on_output` gets what it writes, at most 20 times a second and MAX_BYTES in all.
        """
        began = monotonic()
        kept = _Kept(on_output)
        with self._started() as process:
            ending = self._follow(process, kept, began + self._limit_seconds)
            if ending is not Ending.EXITED:
                _end(process)
        return ShellResult(
            self._command,
            kept.text(),
            process.returncode,
            ending,
            monotonic() - began,
            kept.is_cut,
        )

    def _started(self) -> subprocess.Popen[bytes]:
        shell = os.environ.get("SHELL", "")
        if not (os.path.isabs(shell) and os.access(shell, os.X_OK)):  # noqa: PTH117 # a string
            shell = "/bin/sh"
        try:
            return subprocess.Popen(  # noqa: S603 # what the user typed
                [shell, "-c", self._command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **ENVIRONMENT},
                start_new_session=True,  # a group of its own, and no /dev/tty
            )
        except (OSError, ValueError) as err:
            reason = getattr(err, "strerror", None) or str(err)
            raise InputError(f"{shell} cannot be started: {reason}", "echo $SHELL") from err

    def _follow(self, process: subprocess.Popen[bytes], kept: "_Kept", end: float) -> Ending:
        """Reads until nothing more comes, or until it has to be stopped."""
        is_open, exited = True, 0.0
        with selectors.DefaultSelector() as selector:
            assert process.stdout is not None
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if not is_open:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(REPORT_SECONDS)
                elif selector.select(REPORT_SECONDS):
                    is_open = kept.add(os.read(process.stdout.fileno(), READ_BYTES))
                kept.report()
                now = monotonic()
                if process.poll() is not None:
                    exited = exited or now
                    if not is_open or now - exited > LINGER_SECONDS:
                        return Ending.EXITED
                elif self._is_cancelled.is_set():
                    return Ending.CANCELLED
                elif now > end:
                    return Ending.TOO_LONG


def _end(process: subprocess.Popen[bytes]) -> None:
    """The shell and all of its group: asked as Ctrl-C asks, then killed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class _Kept:
    """What a command has written: its beginning and its end."""

    def __init__(self, on_output: Callable[[str], None]) -> None:
        self._on_output = on_output
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unreported: list[str] = []
        self._reported = 0
        self._last_report = 0.0

    @property
    def is_cut(self) -> bool:
        return self._left_out > 0

    def add(self, data: bytes) -> bool:
        """False for no data, which is the end."""
        room = HEAD_BYTES - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[max(room, 0) :]
        if len(self._tail) > 2 * MAX_BYTES:
            self._cut_tail()
        if self._reported < MAX_BYTES:
            self._unreported.append(self._decoder.decode(data, final=not data))
        return bool(data)

    def report(self, *, is_last: bool = False) -> None:
        now = monotonic()
        if not is_last and now - self._last_report < REPORT_SECONDS:
            return
        text = "".join(self._unreported)[: MAX_BYTES - self._reported]
        self._unreported.clear()
        if text:
            self._last_report = now
            self._reported += len(text)
            self._on_output(text)

    def text(self) -> str:
        """All of it, or its first and last lines and how much stood between them."""
        self.report(is_last=True)
        self._cut_tail()
        head, tail = bytes(self._head), bytes(self._tail)
        if not self._left_out:
            return _as_left(head + tail)
        last, first = head.rfind(b"\n") + 1 or len(head), tail.find(b"\n") + 1
        left_out = self._left_out + len(head) - last + first
        between = f"\n… {left_out:,} bytes are left out …\n\n".encode()
        return _as_left(head[:last] + between + tail[first:])

    def _cut_tail(self) -> None:
        extra = len(self._tail) - (MAX_BYTES - HEAD_BYTES)
        if extra > 0:
            self._left_out += extra
            del self._tail[:extra]


def _as_left(data: bytes) -> str:
    """As a terminal leaves it: of a line that was written again and again, the last version."""
    lines = data.decode("utf-8", "replace").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
