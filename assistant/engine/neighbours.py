"""The resident engines of this user: what they are doing, and how to end them."""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeVar

from assistant.engine.address import Address, Peer, addresses, connect
from assistant.engine.wire import (
    PROTOCOL,
    Alive,
    Ask,
    AskStatus,
    Channel,
    EngineStatus,
    Forget,
    Hello,
    Leave,
    Reply,
    Result,
    Welcome,
    WireError,
    decoder,
)
from assistant.errors import EngineUnreachable
from assistant.events import ModelLoading
from assistant.safe_files import locked

ANSWER_SECONDS = 2.0
ORDERLY_SECONDS = 15.0  # to end what runs and to keep what is worth keeping
POLL_SECONDS = 0.02


T = TypeVar("T")


class Neighbour(NamedTuple):
    """`status` is None when it does not answer, or not in our words."""

    address: Address
    pid: int
    status: EngineStatus | None

    def leave_if_idle(self) -> bool:
        """Ask it to end unless it is at work; True when it has gone."""
        return bool(_ask(self.address, Leave(), bool)) and _has_gone_within(
            self.pid, ORDERLY_SECONDS
        )

    def forget(self) -> bool:
        """Ask it to keep nothing of what it has read; whether it does."""
        return bool(_ask(self.address, Forget(), bool))

    def leave_when_idle(self) -> None:
        """It ends when what it is doing is done."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGHUP)

    def stop(self, patience: float = ORDERLY_SECONDS) -> bool:
        """End it now, whatever it is doing; True when it went in order."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
            os.kill(self.pid, signal.SIGCONT)  # a stopped process takes no other signal
        if _has_gone_within(self.pid, patience):
            return True
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        _has_gone_within(self.pid, patience)
        return False


def neighbours(is_wanted: Callable[[Address], bool] = lambda _: True) -> list[Neighbour]:
    """All that live, the oldest first; sockets of those that died are removed."""
    wanted = filter(is_wanted, addresses())
    return [found for address in wanted if (found := _look(address)) is not None]


def _look(address: Address) -> Neighbour | None:
    try:
        connection = connect(address)
    except EngineUnreachable:
        return None
    if connection is None:
        _remove(address)
        return None
    with connection:
        peer = Peer.of(connection)
    status = _ask(address, AskStatus(), EngineStatus)
    return Neighbour(address, status.pid if status else peer.pid, status)


def _remove(address: Address) -> None:
    """A socket on which nobody listens, unless somebody is about to."""
    with suppress(OSError), locked(address.lock, 0):
        if connect(address) is None:
            address.socket.unlink()


def _ask(address: Address, ask: Ask, kind: type[T]) -> T | None:
    """None when it does not answer."""
    try:
        connection = connect(address)
        if connection is None:
            return None
        channel = Channel(connection, Reply, ANSWER_SECONDS)
        try:
            channel.send(Hello(), ask)
            welcome = channel.receive(Welcome)
            if welcome is None or welcome.protocol != PROTOCOL:
                return None
            while isinstance(reply := channel.receive(), Alive | ModelLoading):
                pass
            if not isinstance(reply, Result):
                return None
            value: T = decoder(kind)(bytes(reply.value))
            return value
        finally:
            channel.close()
    except (OSError, WireError, EngineUnreachable):
        return None


def _has_gone_within(pid: int, seconds: float) -> bool:
    """Whether the process ends in that time; one that nobody has waited for yet has ended, too."""
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        except OSError:
            pass
        else:
            try:
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                return bool(poll.poll(seconds * 1000))
            finally:
                os.close(descriptor)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(POLL_SECONDS)
    return False
