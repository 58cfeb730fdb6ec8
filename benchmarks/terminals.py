"""Programs on a terminal, as fast as it gets: nothing of what they draw is interpreted."""

import os
import pty
import select
import signal
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from termios import TIOCSWINSZ

PATIENCE_SECONDS = 120.0


class OnTerminal:
    """A program on a pseudo terminal of so many columns and rows."""

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int] = (100, 40),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.environment = {"TERM": "xterm-256color", **(environment or {})}
        self._ours, theirs = pty.openpty()
        ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, **self.environment},
        )
        os.close(theirs)
        self.written = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, mark: bytes, *, since: int = 0) -> float:
        """Seconds until these bytes were written, not looking before `since`."""
        began = time.perf_counter()
        while mark not in self.written[since:]:
            if time.perf_counter() - began > PATIENCE_SECONDS:
                raise TimeoutError(f"{mark!r} never came; the end is {self.written[-300:]!r}")
            self.read(0.005)
        return time.perf_counter() - began

    def read(self, seconds: float) -> None:
        """Takes what was written; waits so long for it."""
        if select.select([self._ours], [], [], seconds)[0]:
            try:
                self.written += os.read(self._ours, 65_536)
            except OSError:  # it has ended
                time.sleep(seconds)

    def read_for(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    @property
    def cpu_seconds(self) -> float:
        """Of this process alone."""
        with open(f"/proc/{self.pid}/stat") as file:  # noqa: PTH123
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        end = time.perf_counter() + 10
        while self._process.poll() is None and time.perf_counter() < end:
            self.read(0.05)
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
