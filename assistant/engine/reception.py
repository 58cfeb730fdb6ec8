"""The resident engine's connections: each asks one thing, and has a thread of its own."""

import os
import socket
import sys
import threading
import time
import traceback
from typing import Any

from msgspec import Raw

from assistant.backends.base import ModelSpec
from assistant.backends.open import open_backend
from assistant.engine.address import Address, Peer
from assistant.engine.base import GenerationRequest
from assistant.engine.lifetime import Lifetime
from assistant.engine.local import LocalEngine, OpenBackend
from assistant.engine.neighbours import neighbours
from assistant.engine.wire import (
    PROTOCOL,
    Accepted,
    Ask,
    AskStatus,
    Channel,
    Detokenize,
    EngineStatus,
    Forget,
    Generate,
    Hello,
    Leave,
    Load,
    MeasurePrompt,
    Ready,
    Refused,
    RenderPrompt,
    Result,
    Score,
    Stay,
    Tokenize,
    Welcome,
    WireError,
    encode,
)
from assistant.errors import AssistantError, EngineFailed, NotEnoughMemory
from assistant.events import ModelLoading

FIRST_WORDS_SECONDS = 10.0  # for the question to arrive
REASSURE_SECONDS = 1.0  # of silence, after which a word says that we live


class Reception:
    """`open_engine` once, from a thread of its own; `close` ends everything."""

    def __init__(
        self,
        spec: ModelSpec,
        address: Address,
        lifetime: Lifetime,
        open_backend: OpenBackend = open_backend,
    ) -> None:
        self._spec = spec
        self._open_backend = open_backend
        self._address = address
        self._lifetime = lifetime
        self._engine = LocalEngine(spec, open_backend)
        self._channels: set[Channel] = set()  # of those who wait for something
        self._changed = threading.Condition()  # guards all that follows
        self._loading = ModelLoading("starting the engine")
        self._is_loaded = False
        self._failed_at = 0.0
        self.failure: AssistantError | None = None

    @property
    def is_loading(self) -> bool:
        return not self._is_loaded

    @property
    def seconds_failed(self) -> float:
        """Since the model could not be opened; 0.0 unless that is so."""
        return time.monotonic() - self._failed_at if self.failure is not None else 0.0

    @property
    def count(self) -> int:
        return len(self._channels)

    def reassure(self) -> None:
        """Tell whoever has heard nothing for a while that this process lives."""
        for channel in tuple(self._channels):
            channel.send_alive(REASSURE_SECONDS)

    def close(self, farewell_seconds: float) -> None:
        """End what runs; those who read an answer get so many seconds to read its end."""
        self._engine.close()
        deadline = time.monotonic() + farewell_seconds
        while self._channels and time.monotonic() < deadline:
            time.sleep(0.01)

    # ── opening the model ───────────────────────────────────────────────────────────────────

    def open_engine(self) -> None:
        """Load the model, at the cost of idle engines if memory is short."""
        failure: AssistantError | None = None
        try:
            self._load()
        except AssistantError as err:
            failure = err
        except Exception as err:
            traceback.print_exc()
            failure = EngineFailed(f"the engine failed: {type(err).__name__}: {err}")
        with self._changed:
            self._is_loaded, self._failed_at = failure is None, time.monotonic()
            self.failure = failure
            self._changed.notify_all()

    def _load(self) -> None:
        while True:
            try:
                for loading in self._engine.load():
                    with self._changed:
                        self._loading = loading
                        self._changed.notify_all()
                return
            except NotEnoughMemory as err:
                self._make_room(err)
                self._engine = LocalEngine(self._spec, self._open_backend)

    def _make_room(self, error: NotEnoughMemory) -> None:
        """Another engine has ended when this returns. Raises the error, and who holds what."""
        others = [(o, o.status) for o in neighbours(lambda a: a != self._address) if o.status]
        for other, _ in sorted(others, key=lambda pair: pair[1].seconds_idle, reverse=True):
            if other.leave_if_idle():
                return
        if not others:
            raise error
        held = ", ".join(f"{s.model} {s.memory_bytes / 1e9:.1f} GB" for _, s in others)
        raise NotEnoughMemory(
            f"{error.message}; other engines are at work: {held}", "llmchat engine stop"
        ) from error

    # ── one connection ──────────────────────────────────────────────────────────────────────

    def welcome(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there is no room for a thread
            connection.close()

    def _serve(self, connection: socket.socket) -> None:
        channel = Channel(connection, Ask, FIRST_WORDS_SECONDS)
        try:
            peer = Peer.of(connection)
            hello = channel.receive(Hello) if peer.is_us else None
            if hello is None:
                return
            if hello.protocol != PROTOCOL:
                channel.send(Welcome())
            elif (ask := channel.receive()) is not None:
                connection.settimeout(None)
                self._answer(channel, ask, peer.pid)
        except (WireError, OSError) as err:
            print(f"a connection ended: {err}", file=sys.stderr, flush=True)  # noqa: T201 # the log
        finally:
            channel.close()

    def _answer(self, channel: Channel, ask: Ask, client: int) -> None:
        if isinstance(ask, Stay):
            with self._lifetime.staying(ask.keep_alive):
                channel.send(Welcome())  # once he is counted
                channel.wait_for_end()
            return
        self._channels.add(channel)
        try:
            channel.send(Welcome())
            if isinstance(ask, AskStatus):
                channel.send(_result(self._status()))
            elif isinstance(ask, Leave):
                channel.send(_result(self._leaves()))
            elif isinstance(ask, Forget):
                self._opened(channel).forget()
                channel.send(_result(True))
            else:
                with self._lifetime.working():
                    self._work(channel, ask, client)
        except AssistantError as err:
            channel.send(Refused.of(err))
        except (WireError, OSError):
            raise
        except Exception as err:
            traceback.print_exc()
            error = EngineFailed(f"the engine failed: {type(err).__name__}: {err}", "ask again")
            channel.send(Refused.of(error))
        finally:
            self._channels.discard(channel)

    def _work(self, channel: Channel, ask: Ask, client: int) -> None:
        engine = self._opened(channel)
        match ask:
            case Load():
                channel.send(Ready(engine.info))
            case Generate(request):
                self._generate(channel, request, client)
            case MeasurePrompt(prompt):
                channel.send(_result(engine.measure(prompt)))
            case RenderPrompt(prompt):
                channel.send(_result(engine.render(prompt)))
            case Tokenize(text, has_control_tokens):
                ids = engine.tokenize(text, has_control_tokens=has_control_tokens)
                channel.send(_result(ids))
            case Detokenize(token_ids):
                channel.send(_result(engine.detokenize(token_ids)))
            case Score(prompt, continuations):
                channel.send(_result(engine.score(prompt, continuations, client=client)))

    def _opened(self, channel: Channel) -> LocalEngine:
        """The engine as soon as its model is loaded; the asker hears how far that is."""
        told: ModelLoading | None = None
        while True:
            with self._changed:
                while self._loading is told and not (self._is_loaded or self.failure):
                    self._changed.wait()
                if self.failure is not None:
                    raise self.failure.with_traceback(None)
                if self._is_loaded:
                    return self._engine
                told = self._loading
            channel.send(told)

    def _generate(self, channel: Channel, request: GenerationRequest, client: int) -> None:
        """Its end follows at once when the asker closes the connection, or only his way out."""
        stream = self._engine.stream(request, client=client)

        def watch() -> None:
            channel.wait_for_end()
            stream.cancel()

        threading.Thread(target=watch, daemon=True).start()
        is_heard = self._is_heard(channel, Accepted())
        for event in stream:  # to its end in any case: then it holds nothing any more
            if is_heard:
                is_heard = self._is_heard(channel, event)
            if not is_heard:
                stream.cancel()

    def _is_heard(self, channel: Channel, message: object) -> bool:
        try:
            channel.send(message)
        except OSError:
            return False
        return True

    # ── about the engine itself ─────────────────────────────────────────────────────────────

    def _leaves(self) -> bool:
        if self.is_loading or not self._lifetime.seconds_idle:
            return False
        self._lifetime.leaves_when_idle = True
        return True

    def _status(self) -> EngineStatus:
        info = self._engine.info if self._is_loaded else None
        return EngineStatus(
            pid=os.getpid(),
            model=f"{info.name} {info.quantisation}" if info else self._spec.path.name,
            path=str(self._spec.path),
            log=str(self._address.log),
            is_loading=self.is_loading,
            memory_bytes=resident_bytes(),
            keep_alive=self._lifetime.keep_alive,
            seconds_up=self._lifetime.seconds_up,
            seconds_idle=self._lifetime.seconds_idle,
            clients=self._lifetime.here,
            window=info.window if info else 0,
            activity=self._engine.activity,
        )


def resident_bytes() -> int:
    """Of this process in physical memory, the weights that it reads from the file included."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: the most it ever was


def _result(value: Any) -> Result:
    return Result(Raw(encode(value)))
