"""What front ends and the resident engine say to each other over a Unix socket.

A frame is its length (4 bytes, the highest first) and so many bytes of msgpack. The front end
begins with `Hello` and the one thing it asks; the engine answers `Welcome`, then what was asked
for. `Alive` comes in between when there is nothing else to say. Who closes its end, or only its
way out, takes back what it asked.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct, msgpack

from assistant import errors
from assistant.backends.base import BackendInfo, ModelSpec
from assistant.engine.base import Activity, GenerationRequest
from assistant.errors import AssistantError, EngineFailed, UsageError
from assistant.events import (
    Finished,
    ModelLoading,
    PromptProgress,
    Queued,
    ReasoningChunk,
    TextChunk,
)
from assistant.messages import Prompt

PROTOCOL = 1
LARGEST_FRAME = 64 * 2**20  # bytes
LENGTH_BYTES = 4
READ_BYTES = 2**16


class WireError(Exception):
    """The other end says what nobody may say."""


# ── who speaks ──────────────────────────────────────────────────────────────────────────────


class Hello(Struct, frozen=True, array_like=True):
    protocol: int = PROTOCOL


class Welcome(Struct, frozen=True, array_like=True):
    """`protocol` of the engine: with another one nothing more is said."""

    protocol: int = PROTOCOL


class Adoption(Struct, frozen=True):
    """What a process that waits to be an engine becomes. The listening socket comes with it."""

    spec: ModelSpec
    socket: Path


# ── what is asked ───────────────────────────────────────────────────────────────────────────


class Stay(Struct, frozen=True, tag=True):
    """I am here until I close this. The engine stays `keep_alive` seconds after the last request
    (-1: for ever; 0: until the last one who is here has gone)."""

    keep_alive: float


class Load(Struct, frozen=True, tag=True):
    """Tell how far the loading is; then `Ready`."""


class Generate(Struct, frozen=True, tag=True):
    """`Accepted`, events, and at last `Finished`."""

    request: GenerationRequest


class MeasurePrompt(Struct, frozen=True, tag=True):
    prompt: Prompt


class RenderPrompt(Struct, frozen=True, tag=True):
    prompt: Prompt


class Tokenize(Struct, frozen=True, tag=True):
    text: str
    has_control_tokens: bool


class Detokenize(Struct, frozen=True, tag=True):
    token_ids: tuple[int, ...]


class Score(Struct, frozen=True, tag=True):
    prompt: Prompt
    continuations: tuple[str, ...]


class AskStatus(Struct, frozen=True, tag=True):
    pass


class Leave(Struct, frozen=True, tag=True):
    """End if nothing runs or waits; the answer says whether it does."""


class Forget(Struct, frozen=True, tag=True):
    """Keep nothing of what was read before; the answer is True when nothing is left."""


Ask = (
    Stay
    | Load
    | Generate
    | MeasurePrompt
    | RenderPrompt
    | Tokenize
    | Detokenize
    | Score
    | AskStatus
    | Leave
    | Forget
)


# ── what is answered ────────────────────────────────────────────────────────────────────────


class Alive(Struct, frozen=True, tag=True):
    """Nothing new."""


class Accepted(Struct, frozen=True, tag=True):
    pass


class Ready(Struct, frozen=True, tag=True):
    info: BackendInfo


class Result(Struct, frozen=True, tag=True):
    """What was asked for, of the type that the asker knows."""

    value: Raw


class Refused(Struct, frozen=True, tag=True):
    """An `AssistantError`; `kind` is the name of its class."""

    kind: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: AssistantError) -> "Refused":
        return cls(type(error).__name__, error.message, error.hint)

    def error(self) -> AssistantError:
        kind = getattr(errors, self.kind, None)
        if not (isinstance(kind, type) and issubclass(kind, AssistantError)):
            kind = EngineFailed
        return kind(self.message, self.hint)


Event = ModelLoading | Queued | PromptProgress | ReasoningChunk | TextChunk | Finished
Reply = Alive | Accepted | Ready | Result | Refused | Event


class EngineStatus(Struct, frozen=True):
    """`seconds_idle` 0.0 while anything runs; `memory_bytes` resident; `window` in tokens."""

    pid: int
    model: str
    path: str
    log: str
    is_loading: bool
    memory_bytes: int
    keep_alive: float
    seconds_up: float
    seconds_idle: float
    clients: int
    window: int
    activity: Activity


# ── frames ──────────────────────────────────────────────────────────────────────────────────


def _encode_other(value: Any) -> bytes:
    if isinstance(value, Path):
        return os.fsencode(value)
    raise NotImplementedError


def _decode_other(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, bytes):
        return Path(os.fsdecode(value))
    raise NotImplementedError


def encode(message: object) -> bytes:
    """Its msgpack. Raises `UsageError` for text that is no Unicode."""
    try:
        return msgpack.encode(message, enc_hook=_encode_other)
    except UnicodeEncodeError as err:
        raise UsageError("the text has half a character in it (a lone surrogate)") from err


def decoder(kind: Any) -> Callable[[bytes], Any]:
    """Checks while it decodes. Raises `WireError`."""
    return _decoder(kind)


@cache
def _decoder(kind: Any) -> Callable[[bytes], Any]:
    decode = msgpack.Decoder(kind, dec_hook=_decode_other).decode

    def checked(data: bytes) -> Any:
        try:
            return decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as err:
            raise WireError(str(err)) from err

    return checked


class Channel:
    """One end of a connection: sends anything, receives `kind`. One thread receives, any sends.

    `patience` in seconds for each word of the other end, None for ever: then `TimeoutError`.
    """

    def __init__(self, connection: socket.socket, kind: Any, patience: float | None) -> None:
        connection.settimeout(patience)
        self.connection = connection
        self._decode = decoder(kind)
        self._received = bytearray()
        self._sending = threading.Lock()
        self._last_sent = time.monotonic()

    def send(self, *messages: object) -> None:
        """All in one write. Raises `OSError` when the other end has gone, and `UsageError`."""
        frames = b"".join(_frame(encode(message)) for message in messages)
        with self._sending:
            self._last_sent = time.monotonic()
            self.connection.sendall(frames)

    def send_alive(self, after_seconds: float) -> None:
        """When nothing was sent for so long; waits for nobody."""
        if not self._sending.acquire(blocking=False):
            return
        try:
            if time.monotonic() - self._last_sent >= after_seconds:
                self._last_sent = time.monotonic()
                if self.connection.send(ALIVE, socket.MSG_DONTWAIT) < len(ALIVE):
                    self.connection.shutdown(socket.SHUT_RDWR)  # what follows would be garbage
        except OSError:
            pass  # a full buffer is a reader with enough to read; who has gone is found elsewhere
        finally:
            self._sending.release()

    def receive(self, kind: Any = None) -> Any:
        """The next message, of another `kind` if one is named; None when the other end closed.

        Raises `WireError`, and `OSError`.
        """
        while (frame := self._taken_frame()) is None:
            data = self.connection.recv(READ_BYTES)
            if not data:
                if self._received:
                    raise WireError("it ended within a frame")
                return None
            self._received += data
        return (self._decode if kind is None else decoder(kind))(frame)

    def wait_for_end(self) -> None:
        """Returns when the other end has closed its way out, or says anything more."""
        with suppress(OSError):
            if not self._received:
                self.connection.recv(1)

    def end_asking(self) -> None:
        """Nothing more will be sent: takes back what was asked. From any thread, at any time."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)  # wakes up whoever waits for it
        self.connection.close()

    def _taken_frame(self) -> bytes | None:
        received = self._received
        if len(received) < LENGTH_BYTES:
            return None
        length = int.from_bytes(received[:LENGTH_BYTES], "big")
        if length > LARGEST_FRAME:
            raise WireError(f"a frame of {length:,} bytes")
        end = LENGTH_BYTES + length
        if len(received) < end:
            return None
        frame = bytes(received[LENGTH_BYTES:end])
        del received[:end]
        return frame


def _frame(data: bytes) -> bytes:
    if len(data) > LARGEST_FRAME:
        raise UsageError(f"this is too large for the engine: {len(data):,} bytes", "send less")
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


ALIVE = _frame(encode(Alive()))
