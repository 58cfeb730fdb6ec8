"""Processes that wait to become a resident engine.

One is started before a front end imports anything heavy; it imports what an engine needs
meanwhile, and is told later which model to open. It ends by itself when nobody wants it.
"""

import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from assistant import paths
from assistant.errors import EngineUnreachable

if TYPE_CHECKING:
    from assistant.engine.wire import Adoption

ADOPTION_FD = 0  # where a waiting process finds the socket that it is told on

_waiting: "EngineProcess | None" = None


class EngineProcess:
    """A process that waits to be adopted. Raises `EngineUnreachable` when none can be started."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        # -P: the current folder may have an `assistant` of its own
        command = [sys.executable, "-P", "-m", "assistant.engine.resident"]
        nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (1, 2)]
        try:
            self.pid = os.posix_spawn(
                sys.executable,
                command,
                {**os.environ, "GGML_NO_BACKTRACE": "1"},
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), ADOPTION_FD), *nothing],
            )
        except OSError as err:
            self._ours.close()
            raise EngineUnreachable(
                f"the engine cannot be started: {err.strerror or err}", "--no-resident"
            ) from err
        finally:
            theirs.close()

    def adopt(self, adoption: "Adoption", listener: socket.socket) -> None:
        """It opens this model and serves who connects. Raises `OSError` when it has died."""
        from assistant.engine.wire import encode  # not before this process is started

        socket.send_fds(self._ours, [encode(adoption)], [listener.fileno()])
        self._ours.close()

    def dismiss(self) -> None:
        """Nobody wants it."""
        self._ours.close()

    def ending(self) -> str:
        """How it ended, in words; "" while it runs."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return ""
        if not pid:
            return ""
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return f"exit code {code}"
        return f"killed by {signal.Signals(-code).name}"


def prepare() -> None:
    """Start one that waits, unless an engine lives; without a word when that is not possible."""
    global _waiting
    if not _is_anybody_home():
        with suppress(EngineUnreachable, OSError):
            _waiting = EngineProcess()


def _is_anybody_home() -> bool:
    """Whether there is any engine's socket; takes next to no time."""
    try:
        return any(name.endswith(".sock") for name in os.listdir(paths.runtime_folder()))  # noqa: PTH208
    except OSError:
        return False


def take() -> EngineProcess:
    """The one that waits, or a new one. Raises `EngineUnreachable`."""
    global _waiting
    process, _waiting = _waiting, None
    return process or EngineProcess()


def dismiss() -> None:
    """Whatever waits is not needed."""
    global _waiting
    process, _waiting = _waiting, None
    if process is not None:
        process.dismiss()
