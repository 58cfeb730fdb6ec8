"""An engine that lives in a process of its own and outlives this one: see resident.py.

It is started when nobody listens, and again when it has ended: what is asked then waits until
the model is loaded. Front ends cannot tell it from the engine in their own process.
"""

import errno
import os
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from assistant.backends.base import BackendInfo, ModelSpec
from assistant.engine import spawn
from assistant.engine.address import BACKLOG, Address, Peer, connect
from assistant.engine.base import GenerationRequest, Kept, Measure
from assistant.engine.wire import (
    PROTOCOL,
    Accepted,
    Adoption,
    Alive,
    Ask,
    AskStatus,
    Channel,
    Detokenize,
    EngineStatus,
    Event,
    Generate,
    Hello,
    Load,
    MeasurePrompt,
    Ready,
    Refused,
    RenderPrompt,
    Reply,
    Result,
    Score,
    Stay,
    Tokenize,
    Welcome,
    WireError,
    decoder,
)
from assistant.errors import AssistantError, EngineFailed, EngineUnreachable, ModelError
from assistant.events import (
    Answer,
    Finished,
    ModelLoading,
    PromptProgress,
    Reason,
    ReasoningChunk,
    TextChunk,
    Usage,
)
from assistant.messages import Prompt, Rendered
from assistant.safe_files import locked

PATIENCE_SECONDS = 20.0  # an engine that lives says something every second
LOCK_SECONDS = 10.0
ATTEMPTS = 3  # an engine may end between our finding it and our asking it
LOG_LINES = 2  # quoted when an engine broke


T = TypeVar("T")


class ResidentEngine:
    """See `Engine`. `keep_alive`: seconds it stays after the last request (0, -1: see `Stay`)."""

    def __init__(
        self, spec: ModelSpec, keep_alive: float, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._address = Address.of(spec)
        paths = {"path": spec.path.absolute(), "log": self._address.log}
        self._spec = replace(spec, **paths)
        self._keep_alive = keep_alive
        self._patience = patience
        self._info: BackendInfo | None = None
        self._failure: AssistantError | None = None
        self._stay: Channel | None = None
        self._process: spawn.EngineProcess | None = None
        self._streams: set[Channel] = set()
        self._guard = threading.RLock()  # for connecting, and for all above
        self._is_closed = False

    # ── loading and closing ─────────────────────────────────────────────────────────────────

    def load(self) -> Iterator[ModelLoading]:
        """The engine begins at once; an iterator that is closed before its end gives up."""
        return self._loading_steps(self._open(Load()))

    def _loading_steps(self, channel: Channel) -> Iterator[ModelLoading]:
        try:
            while True:
                reply = self._next(channel)
                if isinstance(reply, Ready):
                    self._info = reply.info
                    return
                if isinstance(reply, ModelLoading):
                    yield reply
        except AssistantError as err:
            self._failure = err
            raise
        finally:
            channel.close()
            if self._info is None:
                self.close()

    def close(self) -> None:
        with self._guard:
            self._is_closed = True
            for channel in (*self._streams, *([self._stay] if self._stay else [])):
                channel.close()
            self._stay = None

    @property
    def kept(self) -> Kept | None:
        """What this front end started and leaves behind."""
        if self._process is None or self._keep_alive == 0 or self._is_closed:
            return None
        try:
            status = self._ask(AskStatus(), EngineStatus)
        except AssistantError:  # it has just gone: nothing stays
            return None
        return Kept(self._keep_alive, status.memory_bytes)

    # ── what never waits for a step ─────────────────────────────────────────────────────────

    @property
    def info(self) -> BackendInfo:
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._is_closed:
            raise _closed()
        if self._info is None:
            raise ModelError("the model is not loaded", "call load() first")
        return self._info

    def render(self, prompt: Prompt) -> Rendered:
        return self._ask(RenderPrompt(prompt), Rendered)

    def measure(self, prompt: Prompt) -> Measure:
        return self._ask(MeasurePrompt(prompt), Measure)

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        return self._ask(Tokenize(text, has_control_tokens), list[int])

    def detokenize(self, token_ids: Sequence[int]) -> str:
        return self._ask(Detokenize(tuple(token_ids)), str)

    # ── generating ──────────────────────────────────────────────────────────────────────────

    def stream(self, request: GenerationRequest) -> "ResidentAnswerStream":
        channel = self._open_loaded(Generate(request))
        try:
            self._wait_for(Accepted, channel)
        except BaseException:
            channel.close()
            raise
        with self._guard:
            self._streams.add(channel)
        return ResidentAnswerStream(self, channel, request)

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        return self._ask(Score(prompt, tuple(continuations)), list[float])

    def next_event(self, channel: Channel) -> Event:
        """For the stream. Raises `EngineFailed` when the engine has gone."""
        event: Event = self._next(channel)
        return event

    def leave(self, channel: Channel) -> None:
        """The stream on this channel is over."""
        with self._guard:
            self._streams.discard(channel)
        channel.close()

    # ── asking ──────────────────────────────────────────────────────────────────────────────

    def _ask(self, ask: Ask, kind: type[T]) -> T:
        channel = self._open_loaded(ask)
        try:
            value: T = decoder(kind)(bytes(self._wait_for(Result, channel).value))
            return value
        finally:
            channel.close()

    def _wait_for(self, kind: type[T], channel: Channel) -> T:
        """An engine that had ended tells first how far it is with its model."""
        while not isinstance(reply := self._next(channel), kind):
            if not isinstance(reply, ModelLoading):
                raise EngineFailed("the engine answered something else", "ask again")
        return reply

    def _next(self, channel: Channel) -> Any:
        """The next reply that says something. Raises what the engine refused with."""
        try:
            while isinstance(reply := channel.receive(), Alive):
                pass
        except TimeoutError as err:
            raise self._no_answer(channel) from err
        except (WireError, OSError):
            reply = None
        if reply is None:
            raise self._gone()
        if isinstance(reply, Refused):
            raise reply.error()
        return reply

    def _open_loaded(self, ask: Ask) -> Channel:
        _ = self.info  # raises what is wrong
        return self._open(ask)

    def _open(self, ask: Ask) -> Channel:
        """A connection on which an engine takes what is asked; it is started if need be."""
        for _attempt in range(ATTEMPTS):
            with self._guard:
                if self._is_closed:
                    raise _closed()
                if self._stay is not None and _has_ended(self._stay):
                    self._stay.close()
                    self._stay = None
                if self._stay is None:
                    self._stay = self._greeted(Stay(self._keep_alive))
                channel = self._greeted(ask) if self._stay else None
            if channel is not None:
                return channel
        raise self._gone()

    def _greeted(self, ask: Ask) -> Channel | None:
        """None when the engine ended before it took the question."""
        before = self._process
        channel = Channel(self._connect(), Reply, self._patience)
        try:
            channel.send(Hello(), ask)
            welcome = channel.receive(Welcome)
        except TimeoutError as err:
            error = self._no_answer(channel)
            channel.close()
            raise error from err
        except (WireError, OSError):
            welcome = None
        if welcome is not None and welcome.protocol == PROTOCOL:
            return channel
        channel.close()
        if welcome is not None:
            raise EngineUnreachable("another version's engine is in the way", "llmchat engine stop")
        if self._process is not before:
            raise self._gone()  # the one that we have just started
        return None

    # ── finding it, or starting it ──────────────────────────────────────────────────────────

    def _connect(self) -> socket.socket:
        """Raises `EngineUnreachable`."""
        connection = connect(self._address)
        if connection is not None:
            return connection
        try:
            with locked(self._address.lock, LOCK_SECONDS):
                return connect(self._address) or self._start()
        except OSError as err:
            reason = "somebody else has been starting it for too long"
            if not isinstance(err, TimeoutError):
                reason = err.strerror or str(err)
            raise EngineUnreachable(
                f"the engine cannot be started: {reason}", "try again, or --no-resident"
            ) from err

    def _start(self) -> socket.socket:
        """Listen, hand the listener to a process that becomes the engine, and connect to it.

        The caller holds the lock. Others can connect, and wait, from the first moment.
        """
        path = self._address.socket
        path.unlink(missing_ok=True)  # whoever listened there died without a word
        process = spawn.take()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(os.fspath(path))
            path.chmod(0o600)
            listener.listen(BACKLOG)
            process.adopt(Adoption(self._spec, path), listener)
            self._process = process
            connection = connect(self._address)
        if connection is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "it ended at once")
        return connection

    # ── when it does not answer ─────────────────────────────────────────────────────────────

    def _no_answer(self, channel: Channel) -> EngineUnreachable:
        who = "the engine"
        with suppress(OSError):
            pid = Peer.of(channel.connection).pid
            if pid == os.getpid() and self._process is not None:
                pid = self._process.pid  # it had not taken our listener over yet
            who = f"the engine (process {pid})"
        return EngineUnreachable(
            f"{who} has not answered for {self._patience:.0f} seconds",
            "llmchat engine stop, then ask again",
        )

    def _gone(self, ending: str = "") -> EngineFailed:
        """What is known of an engine that has ended, with the last native log lines."""
        if self._is_closed:
            return _closed()
        deadline = time.monotonic() + 0.2  # it may take a moment to die
        while not ending and self._process is not None and time.monotonic() < deadline:
            ending = self._process.ending()
            time.sleep(0.01)
        self._process = None
        words = f"the engine ended unexpectedly ({ending})" if ending else "the engine has ended"
        if lines := last_lines(self._address.log, LOG_LINES):
            words = f"{words}; its log ends: {' / '.join(lines)}"
        return EngineFailed(words, "ask again: a new engine starts; see llmchat engine logs")


class ResidentAnswerStream:
    """Events of one request, for one reader."""

    def __init__(
        self, engine: ResidentEngine, channel: Channel, request: GenerationRequest
    ) -> None:
        self._engine = engine
        self._channel = channel
        self._seed = request.seed or 0
        self._texts = [""] * request.candidates
        self._reasonings = [""] * request.candidates
        self._progress: PromptProgress | None = None
        self._is_over = False

    def __iter__(self) -> Iterator[Event]:
        while not self._is_over:
            event = self._next()
            self._is_over = isinstance(event, Finished)
            yield event

    def cancel(self) -> None:
        self._channel.end_asking()

    def _next(self) -> Event:
        try:
            event = self._engine.next_event(self._channel)
        except AssistantError as err:
            event = self._broken_off(err)
        if isinstance(event, TextChunk):
            self._texts[event.candidate] += event.text
        elif isinstance(event, ReasoningChunk):
            self._reasonings[event.candidate] += event.text
        elif isinstance(event, PromptProgress):
            self._progress = event
        elif isinstance(event, Finished):
            self._engine.leave(self._channel)
        return event

    def _broken_off(self, error: AssistantError) -> Finished:
        """What the front end has seen of the answers is all there is of them."""
        answers = tuple(
            Answer(
                Reason.FAILED,
                text,
                reasoning,
                token_ids=(),
                seed=self._seed,
                candidate=candidate,
                error=error.message,
                hint=error.hint,
            )
            for candidate, (text, reasoning) in enumerate(
                zip(self._texts, self._reasonings, strict=True)
            )
        )
        read = self._progress
        return Finished(
            answers,
            Usage(
                prompt_tokens=read.tokens_total if read else 0,
                cached_tokens=read.tokens_cached if read else 0,
                new_tokens=0,
                seconds_to_first_token=0.0,
                prefill_tokens_per_second=0.0,
                decode_tokens_per_second=0.0,
            ),
        )


def _closed() -> EngineFailed:
    return EngineFailed("the engine is closed", "ask again")


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines with something in them, of what is there."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-count:]


def _has_ended(channel: Channel) -> bool:
    """Whether the other end has closed: it never says a word on this one."""
    poll = select.poll()
    poll.register(channel.connection, select.POLLIN)
    return bool(poll.poll(0))
