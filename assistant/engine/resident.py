"""`python -m assistant.engine.resident`: one model in a process of its own, for every front end.

It waits to be told which model, opens it and serves who connects to its Unix socket. SIGTERM
ends it at once, SIGHUP when it has nothing to do; it ends by itself when nobody has asked it
anything for `keep_alive`.
"""

import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import NoReturn

from assistant import paths
from assistant.backends.base import ModelSpec
from assistant.engine.address import BACKLOG, Address
from assistant.engine.lifetime import Lifetime
from assistant.engine.neighbours import neighbours
from assistant.engine.reception import Reception
from assistant.engine.spawn import ADOPTION_FD
from assistant.engine.wire import Adoption, WireError, decoder
from assistant.errors import UsageError
from assistant.safe_files import locked

TOLD_SECONDS = 1.0  # after the model could not be opened: who has come to the door is told why
TICK_SECONDS = 1.0
CONNECTIONS = 512  # at once
FAREWELL_SECONDS = 2.0  # for answers that have ended to reach their readers
LOCK_SECONDS = 5.0
LARGEST_ADOPTION = 2**16  # bytes
LARGEST_LOG = 2**20  # bytes, before it starts afresh


class Resident:
    """Serves on `listener` until nobody needs the engine any more."""

    def __init__(self, spec: ModelSpec, listener: socket.socket, address: Address) -> None:
        self._listener = listener
        self._address = address
        self._inode = address.socket.stat().st_ino
        self._lifetime = Lifetime(self._look_up)
        self._reception = Reception(spec, address, self._lifetime)
        self._must_end = False
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)

    def serve(self) -> None:
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._take_signal)
        signal.signal(signal.SIGHUP, self._take_signal)
        threading.Thread(target=self._load, name="loading", daemon=True).start()
        while not self._is_over():
            ready, _, _ = select.select([self._listener, self._woken], [], [], TICK_SECONDS)
            if self._woken in ready:
                self._woken.recv(64)
            if self._listener in ready:
                self._accept()
            self._reception.reassure()
        self._reception.close(FAREWELL_SECONDS)

    def _load(self) -> None:
        self._retire_outdated()
        self._reception.open_engine()
        self._look_up()

    def _look_up(self) -> None:
        """Wakes the loop up: it may be over."""
        with suppress(BlockingIOError):
            self._waker.send(b"!")

    def _retire_outdated(self) -> None:
        """Engines that nobody will ask again end when they have nothing to do."""
        for neighbour in neighbours(self._address.replaces):
            neighbour.leave_when_idle()

    def _take_signal(self, number: int, _frame: object) -> None:
        self._must_end = self._must_end or number == signal.SIGTERM
        self._lifetime.leaves_when_idle = True

    def _accept(self) -> None:
        with suppress(OSError):  # it has gone again, or there are no file descriptors left
            connection, _ = self._listener.accept()
            if self._reception.count < CONNECTIONS:
                self._reception.welcome(connection)
            else:
                connection.close()

    def _is_over(self) -> bool:
        """If so, nobody finds us from here on."""
        if self._must_end or self._reception.seconds_failed > TOLD_SECONDS:
            self._stop_listening()
            return True
        if not self._can_be_found():
            self._lifetime.leaves_when_idle = True
        if not self._lifetime.is_over(is_loading=self._reception.is_loading):
            return False
        try:
            with locked(self._address.lock, LOCK_SECONDS):
                if select.select([self._listener], [], [], 0)[0]:
                    return False  # somebody has come to the door that we were about to close
                self._stop_listening()
        except OSError:
            return False  # somebody is about to start an engine: it will be this one
        return True

    def _can_be_found(self) -> bool:
        """Not after a logout that took the runtime folder away, for example."""
        with suppress(OSError):
            return self._address.socket.stat().st_ino == self._inode
        return False

    def _stop_listening(self) -> None:
        if self._can_be_found():
            self._address.socket.unlink(missing_ok=True)
        self._listener.close()


def main() -> NoReturn:
    with suppress(PermissionError):  # it leads a session already
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _import_what_an_engine_needs()
    adopted = _wait_to_be_adopted()
    if adopted is not None:
        adoption, listener = adopted
        address = Address(adoption.socket)
        _write_to_log(address)
        os.chdir("/")
        listener.listen(BACKLOG)  # who connects from now on finds this process's id
        try:
            Resident(adoption.spec, listener, address).serve()
        except Exception:
            traceback.print_exc()
        _say("ends")
    os._exit(0)


def _import_what_an_engine_needs() -> None:
    from assistant.backends import llamacpp  # noqa: F401
    from assistant.backends.llamacpp_bindings import load_bindings
    from assistant.engine import answer_stream, loaded_model  # noqa: F401

    with suppress(Exception):  # without llama.cpp a PyTorch model may run all the same
        load_bindings()


def _wait_to_be_adopted() -> tuple[Adoption, socket.socket] | None:
    """None when whoever started this process needs no engine."""
    with socket.socket(fileno=os.dup(ADOPTION_FD)) as teller:
        os.dup2(1, ADOPTION_FD)  # /dev/null
        try:
            data, descriptors, _, _ = socket.recv_fds(teller, LARGEST_ADOPTION, 1)
            adoption = decoder(Adoption)(data) if data else None
        except (OSError, WireError):
            return None
    if adoption is None or not descriptors:
        return None
    return adoption, socket.socket(fileno=descriptors[0])


def _write_to_log(address: Address) -> None:
    """What this process and its libraries print goes to the log, as far as there can be one."""
    try:
        folder = paths.writable(address.log.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        log = os.open(folder / address.log.name, flags, 0o600)
        if os.fstat(log).st_size > LARGEST_LOG:
            os.ftruncate(log, 0)
    except (OSError, UsageError):
        return
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    _say("starts")


def _say(what: str) -> None:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    print(f"{now} engine {os.getpid()} {what}", file=sys.stderr, flush=True)  # noqa: T201 # the log


if __name__ == "__main__":
    main()
