"""The real chat on a terminal: what it wrote, what a person sees, in which state it leaves."""

import os
import re
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pexpect
import pyte
from conftest import ROOT

COMMAND = (sys.executable, "-m", "assistant")
TALKER = Path(__file__).parent / "screen_talker.py"
PATIENCE_SECONDS = 30.0
SETTLING_SECONDS = 5.0
ECHO_SECONDS = 2.0  # far more than a person should wait, and less than any loop that hangs
PLACEHOLDER = "Ask about your code"
CORNERS = "╭╮╰╯"
MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
ALTERNATE, CURSOR, WRAP, PASTE, FOCUS, IN_BAND = 1049, 25, 7, 2004, 1004, 2048
MOUSE = (1000, 1002, 1003, 1006, 1015, 1016)


class FullScreen:
    """`columns` and `rows` are what the terminal has now."""

    def __init__(
        self,
        *words: str,
        command: Sequence[str] = COMMAND,
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
        current_folder: Path | None = None,
        ignored: signal.Signals | None = None,
    ) -> None:
        def prepare() -> None:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            if ignored is not None:
                signal.signal(ignored, signal.SIG_IGN)

        self.written = b""
        self._seen = 0  # bytes of it that the screen has been fed
        self._forget(columns, rows)
        self._child: Any = pexpect.spawn(  # its stubs know only text
            command[0],
            [*command[1:], *words],
            cwd=current_folder,
            dimensions=(rows, columns),
            env=_environment(environment or {}),
            preexec_fn=prepare,
        )
        self.modes_before = self.modes

    @property
    def pid(self) -> int:
        return int(self._child.pid)

    # ── what a person does ──────────────────────────────────────────────────────────────────

    def press(self, keys: str) -> None:
        """A terminal takes a few kilobytes at a time, and the chat writes meanwhile."""
        data = keys.encode()
        while data:
            data = data[os.write(self._child.child_fd, data[:2048]) :]
            if data:
                self._read(0)

    def ask(self, question: str) -> None:
        self.press(question + "\r")

    def paste(self, text: str) -> None:
        self.press(f"\x1b[200~{text}\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        self._child.setwinsize(rows, columns)

    def look_anew(self, columns: int, rows: int) -> None:
        """In another size: all is drawn again, and nothing counts that was drawn before."""
        assert (columns, rows) != (self._screen.columns, self._screen.lines), "nobody would notice"
        self._forget(columns, rows)
        self.resize(columns, rows)
        self.wait_for(lambda: bool(self.last_row))

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """The terminal is gone."""
        os.close(self._child.child_fd)

    # ── what a person sees ──────────────────────────────────────────────────────────────────

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def screen(self) -> pyte.Screen:
        new, self._seen = self.written[self._seen :], len(self.written)
        self._stream.feed(new)
        return self._screen

    @property
    def last_row(self) -> str:
        return str(self.screen.display[-1]).strip()

    def wait_for(self, is_true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_true():
            assert time.monotonic() < end, f"it never happened:\n{self.text}"
            assert self._read(0.05), f"it has ended:\n{self.text}"

    def wait_for_text(self, *words: str) -> None:
        self.wait_for(lambda: all(word in self.text for word in words))

    def wait_for_times(self, word: str, times: int) -> None:
        """On screen so often."""
        self.wait_for(lambda: self.text.count(word) >= times)

    def wait_until_ready(self) -> None:
        self.wait_for(lambda: self.last_row.startswith("ready"))

    def read(self, seconds: float) -> None:
        """Takes what is written, and waits so long for the first of it."""
        assert self._read(seconds), f"it has ended:\n{self.text}"

    def wait_until_quiet(self, seconds: float = 0.3) -> None:
        """Nothing was written for so long."""
        before, began = len(self.written), time.monotonic()
        while time.monotonic() - began < seconds:
            self._read(0.02)
            if len(self.written) > before:
                before, began = len(self.written), time.monotonic()

    # ── how it ends ─────────────────────────────────────────────────────────────────────────

    def wait_for_end(self) -> int:
        """The exit code; of a signal that killed it, the number below zero."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self._read(0.05):
            assert time.monotonic() < end, f"it never ended:\n{self.text}"
        return self.exit_code()

    def exit_code(self) -> int:
        """Waits for it without reading what it writes."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self._child.isalive():
            assert time.monotonic() < end, "it never ended"
            time.sleep(0.01)
        if self._child.exitstatus is None:
            return -int(self._child.signalstatus)
        return int(self._child.exitstatus)

    def close(self) -> None:
        if self._child.isalive():
            os.kill(self.pid, signal.SIGKILL)
            self.exit_code()
        with suppress(OSError):  # the terminal is gone already
            self._child.close(force=False)

    @property
    def modes(self) -> list[Any]:
        """As `stty -a` shows them."""
        return termios.tcgetattr(self._child.child_fd)

    @property
    def after(self) -> str:
        """What was written after the alternate screen was left."""
        return self.written.rpartition(b"\x1b[?1049l")[2].decode()

    def assert_restored(self) -> None:
        assert self.modes == self.modes_before
        assert_left(self.written)

    def forget(self) -> None:
        """What is on screen so far."""
        self._forget(self._screen.columns, self._screen.lines)

    def _forget(self, columns: int, rows: int) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._seen = len(self.written)

    def _read(self, seconds: float) -> bool:
        """Takes what was written meanwhile; False at the end."""
        try:
            self.written += self._child.read_nonblocking(65_536, seconds)
        except pexpect.TIMEOUT:
            pass
        except pexpect.EOF:
            return False
        return True


def assert_left(written: bytes) -> None:
    """The terminal is as it was: each mode that was changed has its usual state again."""
    usual = {ALTERNATE: False, CURSOR: True, WRAP: True, PASTE: False, FOCUS: False, IN_BAND: False}
    usual |= dict.fromkeys(MOUSE, False)
    last = {
        int(mode): letter == b"h"
        for modes, letter in MODE.findall(written)
        for mode in modes.split(b";")
    }
    assert last, "it never was a screen"
    assert {mode: last[mode] for mode in last if mode in usual} == {
        mode: usual[mode] for mode in last if mode in usual
    }
    assert len(re.findall(rb"\x1b\[>\d*u", written)) == written.count(b"\x1b[<u")


@contextmanager
def full_screen(*words: str, **how: Any) -> Iterator[FullScreen]:
    """A chat that is there; none outlives its test."""
    chat = FullScreen(*words, **how)
    try:
        chat.wait_for_text(PLACEHOLDER)
        yield chat
    finally:
        chat.close()


@contextmanager
def talking(answer: str | bytes, folder: Path, *words: str, **how: Any) -> Iterator[FullScreen]:
    """With an engine that gives this answer; `folder` keeps what it notes."""
    folder.mkdir(parents=True, exist_ok=True)
    data = answer if isinstance(answer, bytes) else answer.encode()
    (folder / "answer.txt").write_bytes(data)
    with full_screen(*words, command=talker(folder), **how) as chat:
        yield chat


def talker(folder: Path) -> list[str]:
    return [sys.executable, str(TALKER), str(folder)]


def notes(folder: Path) -> list[tuple[float, str]]:
    """What the engine did, and when."""
    try:
        lines = (folder / "notes.txt").read_text().splitlines()
    except OSError:
        return []
    return [(float(when), what) for when, _, what in (line.partition(" ") for line in lines)]


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    usual = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": paths}
    environment = {**os.environ, **usual, **more}
    return {name: value for name, value in environment.items() if value != ABSENT}


ABSENT = "\0"  # in place of a variable's value


# ── what is right ───────────────────────────────────────────────────────────────────────────


def assert_whole(chat: FullScreen) -> None:
    """The composer's border is complete and has room for a line, nothing lies over it, and what
    follows it is the status line alone."""
    assert_soon(chat, _check_whole)


def assert_soon(chat: FullScreen, check: Callable[[FullScreen], None]) -> None:
    """Once all is drawn: what is asserted may not hold before."""
    end = time.monotonic() + SETTLING_SECONDS
    while True:
        chat.read(0.05)
        try:
            return check(chat)
        except AssertionError:
            if time.monotonic() > end:
                raise


def _check_whole(chat: FullScreen) -> None:
    cells, rows, columns = chat.screen.buffer, chat.screen.lines, chat.screen.columns

    def column(row: int, corner: str) -> int:
        found = [x for x in range(columns) if cells[row][x].data == corner]
        assert len(found) == 1, f"{corner} in row {row}:\n{chat.text}"
        return found[0]

    bottom = rows - 2
    left, right = column(bottom, "╰"), column(bottom, "╯")
    top = bottom - 1
    while cells[top][left].data == "│":
        assert cells[top][right].data == "│", f"row {top}:\n{chat.text}"
        top -= 1
    assert (column(top, "╭"), column(top, "╮")) == (left, right), chat.text
    assert bottom - top >= 2, f"no room for a line:\n{chat.text}"
    assert right == columns - 1, chat.text
    assert chat.last_row, chat.text
    assert not set(chat.last_row) & set(CORNERS), chat.text


def assert_answers_keys(chat: FullScreen, letters: str) -> None:
    """Each is on the screen soon, whatever else goes on."""
    for letter in letters:
        began = time.monotonic()
        chat.press(letter)
        chat.wait_for_text(letter)
        assert time.monotonic() - began < ECHO_SECONDS
