"""How the chat holds its terminal: as Textual does, but that pastes come whole, that it goes into
the background and comes back as other programs do, and that it notices when the terminal is gone.
"""

import os
import select
import selectors
import signal
import termios
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import Any, TextIO

from textual._parser import ParseError
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from assistant.tui.paste_parser import PasteParser

READ_BYTES = 64 << 10
POLL_SECONDS = 0.1
WAKING_SECONDS = 0.05
# Painting, wrapping, keys, pastes, mouse, focus and the cursor as usual; the normal screen.
RESET = (
    b"\x1b[?2026l\x1b[?7h\x1b[<u\x1b[?2004l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"
    b"\x1b[?2048l\x1b[?1004l\x1b[?1049l\x1b[?25h\x1b[m"
)


class ChatDriver(LinuxDriver):
    """For `App(driver_class=ChatDriver)`, on Linux and macOS.

    `is_leaving`: the app is about to end, and wants the terminal no more.
    """

    class Gone(Message):
        """There is no terminal any more."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        assert self._file is not None
        self._file = _Terminal(self._file)  # type: ignore[assignment]  # what is used of one
        self._has_terminal = False
        self.is_leaving = False

    # ── taking the terminal, and leaving it ─────────────────────────────────────────────────

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual's
        self._has_terminal = True

    def stop_application_mode(self) -> None:
        """Nothing where it is left already: it may be somebody else's by now."""
        if not self._has_terminal:
            return
        if self._mouse_pixels:
            self.write("\x1b[?1016l")
        super().stop_application_mode()
        self._has_terminal = False

    def write(self, data: str) -> None:
        """Nothing in the background, where nobody would ever take it."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().write(data)

    def disable_input(self) -> None:
        if self._has_terminal:
            super().disable_input()

    def leave_at_once(self) -> None:
        """Where the terminal takes nothing more: what can be done without waiting for it."""
        if not self._has_terminal or self.attrs_before is None:
            return
        with suppress(OSError, termios.error):
            termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            termios.tcflush(self.fileno, termios.TCIOFLUSH)
            flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK
            terminal = os.open(os.ttyname(self.fileno), flags)
            if select.select([], [terminal], [], POLL_SECONDS)[1]:
                os.write(terminal, RESET)

    # ── the background ──────────────────────────────────────────────────────────────────────

    def _sigtstp_application(self, *_: object) -> None:
        """All that the shell calls this job stops: it waits for the whole of it."""
        if self._auto_restart and self._has_terminal:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.killpg(0, signal.SIGSTOP)

    def _sigcont_application(self, *_: object) -> None:
        """A moment later: whoever wants it to end wakes it up for that, and says so before, yet
        another thread may have got that signal."""
        if self._auto_restart:
            self._loop.call_soon_threadsafe(self._loop.call_later, WAKING_SECONDS, self._come_back)

    def _come_back(self) -> None:
        """Also after somebody stopped it without a word: then a shell had the terminal since."""
        if self.is_leaving or not self._auto_restart:
            return
        with suppress(OSError):
            if os.tcgetpgrp(self.fileno) != os.getpgrp():
                os.killpg(0, signal.SIGSTOP)
                return
        if self._has_terminal:
            self.suspend_application_mode()
            self._must_signal_resume = True
        self.resume_application_mode()

    # ── keys ────────────────────────────────────────────────────────────────────────────────

    def run_input_thread(self) -> None:
        parser = PasteParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                data = b""
                if selector.select(min(POLL_SECONDS, parser.seconds_left)):
                    data = self._read()
                self._pass_on(parser, decode(data))
        with suppress(EOFError, ParseError):
            list(parser.feed(""))

    def _read(self) -> bytes:
        try:
            data = os.read(self.fileno, READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self.send_message(self.Gone())
            self.exit_event.wait(POLL_SECONDS)
        return data

    def _pass_on(self, parser: PasteParser, text: str) -> None:
        for message in parser.feed(text) if text else ():
            self.process_message(message)
        for message in parser.tick():
            self.process_message(message)


def can_go_to_background() -> bool:
    """Whether a shell looks after jobs, which `fg` would bring back; else nobody could."""
    return os.getpgrp() != os.getsid(0)


class _Terminal:
    """Where it is written; one that is gone takes everything, and shows nothing of it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()
