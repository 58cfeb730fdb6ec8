"""Runs the real command: with pipes, or on a terminal in memory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pexpect
import pyte
import typer

from assistant.cli.app import app

COMMAND = (sys.executable, "-m", "assistant")
TALKER = Path(__file__).parent / "talking_engine.py"
FEW = ("-o", "temperature", "0", "-o", "max_tokens", "8")
LONG = ("Tell me a very long story.", "-o", "temperature", "1", "-o", "seed", "1")
PATIENCE_SECONDS = 240


def llmchat(
    *words: str,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    shell: str = "",
    command: Sequence[str] = COMMAND,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """`shell` is what a shell would read after the command, such as `>&-`."""
    command = [*command, *words]
    if shell:
        command = ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", *command]
    return subprocess.run(
        command,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env={**os.environ, **(environment or {})},
        timeout=PATIENCE_SECONDS,
        check=False,
        cwd=folder,
    )


def run_command(*words: str) -> None:
    """The command in this process; its errors are raised."""
    command = typer.main.get_command(app)
    with suppress(typer.Exit), command.make_context("llmchat", list(words)) as context:
        command.invoke(context)


def talker(answer: str | bytes, folder: Path) -> Sequence[str]:
    """The command with an engine that gives this answer; keeps it in a file of `folder`."""
    file = folder / "answer.txt"
    file.write_bytes(answer if isinstance(answer, bytes) else answer.encode())
    return [sys.executable, str(TALKER), str(file)]


def start(
    *words: str,
    stdin: int = subprocess.DEVNULL,
    command: Sequence[str] = COMMAND,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*command, *words],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        preexec_fn=_forget_nohup,
    )


def _forget_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_for(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


class Terminal:
    """The command on a terminal: what it wrote, what is on screen, how it ended."""

    def __init__(
        self,
        *words: str,
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
        folder: Path | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        self._child: Any = pexpect.spawn(  # its stubs know only text
            command[0],
            [*command[1:], *words],
            cwd=folder,
            dimensions=(rows, columns),
            env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
        )

    def wait_for(self, is_true: Callable[[], bool]) -> None:
        """Reads on until it is true."""
        wait_for(lambda: self._read() or is_true())

    def type_line(self, text: str) -> None:
        self._child.sendline(text)

    def press(self, keys: str) -> None:
        """As a terminal sends them."""
        self._child.send(keys)

    def press_ctrl_c(self) -> None:
        self._child.sendcontrol("c")

    def wait_for_end(self) -> int:
        """The exit code."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._is_at_end():
            assert time.monotonic() < end, "it never ended"
        self._child.close()
        assert self._child.exitstatus is not None, f"killed by {self._child.signalstatus}"
        return int(self._child.exitstatus)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def color_of(self, word: str) -> str:
        """The foreground of the first cell of `word` on screen."""
        for y, row in enumerate(self.screen.display):
            if word in row:
                return str(self.screen.buffer[y][row.index(word)].fg)
        raise AssertionError(f"{word!r} is not on screen:\n{self.text}")

    def _read(self) -> bool:
        """Takes what was written meanwhile; always False."""
        self._is_at_end()
        return False

    def _is_at_end(self) -> bool:
        try:
            data = self._child.read_nonblocking(65_536, timeout=0.05)
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF:
            return True
        self.written += data
        self._stream.feed(data)
        return False


def quicksort() -> Path:
    return Path(__file__).parent.parent.parent / "docs" / "examples" / "quicksort.py"
