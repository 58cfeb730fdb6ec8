"""The engine in this process: one thread owns the backend and runs the scheduler."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assistant.backends.base import Backend, BackendInfo, ModelSpec, OnProgress
from assistant.backends.open import open_backend
from assistant.engine.base import Activity, GenerationRequest, Measure
from assistant.engine.crowd import Crowd
from assistant.errors import AssistantError, EngineFailed, ModelError
from assistant.events import ModelLoading, PromptProgress, Reason
from assistant.messages import Prompt, Rendered

# What runs a model is imported by the engine's thread, while the asker reads files: 60 ms.
if TYPE_CHECKING:
    from assistant.engine.answer_stream import LocalAnswerStream
    from assistant.engine.loaded_model import Forgetting, LoadedModel
    from assistant.engine.run import Run
    from assistant.engine.scoring import Scoring

IDLE_SECONDS = 5.0  # without a question, before a turn is brought to the disk
FORGET_SECONDS = 30.0  # a long native call may run
LOOK_SECONDS = 0.2  # between two looks at how far loading is

OpenBackend = Callable[[ModelSpec, OnProgress], Backend]


class LocalEngine:
    """See `Engine`. `load()` first: before it, everything else raises `ModelError`.

    When the backend breaks, all requests end as failed and the model is opened once more. Who
    asks for anything while it is opened waits.
    """

    def __init__(self, spec: ModelSpec, open_backend: OpenBackend = open_backend) -> None:
        self._spec = spec
        self._open_backend = open_backend
        self._thread: threading.Thread | None = None
        self._wake = threading.Condition()  # guards all that follows
        self._model: LoadedModel | None = None  # None while it is opened
        self._loading = ModelLoading("opening the model")
        self._failure: AssistantError | None = None  # the thread has ended
        self._inbox: list[Run | Scoring | Forgetting] = []  # for the engine's thread
        self._crowd = Crowd()
        self._totals = Activity()  # changed by the engine's thread
        self._users = 0  # threads that are inside the model
        self._is_closing = False

    # ── loading and closing ─────────────────────────────────────────────────────────────────

    def load(self) -> Iterator[ModelLoading]:
        """Start to load at once; the iterator ends when the model is ready.

        An iterator that is closed before its end gives up loading.
        """
        with self._wake:
            if self._is_closing:
                raise _closed()
            if self._thread is None:
                thread = threading.Thread(target=self._live, name="engine", daemon=True)
                thread.start()
                self._thread = thread
        return self._loading_steps()

    def _loading_steps(self) -> Iterator[ModelLoading]:
        told = None
        try:
            while not self._was_opened_within(LOOK_SECONDS if told else 0.05):
                if self._loading is not told:
                    told = self._loading
                    yield told
        finally:
            if not self._was_opened_within(0):
                self.close()
        with self._wake:
            self._ready()

    def _was_opened_within(self, seconds: float) -> bool:
        """Wait for the end of the opening, good or bad."""
        with self._wake:
            return self._wake.wait_for(lambda: bool(self._model or self._failure), seconds)

    def close(self) -> None:
        """Free everything; what runs ends as failed. From any thread, as often as one likes."""
        with self._wake:
            self._is_closing = True
            self._wake.notify_all()
            if self._model is not None:
                self._model.backend.interrupt()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    # ── what never waits for a step ─────────────────────────────────────────────────────────

    @property
    def kept(self) -> None:
        """It ends with this process."""

    @property
    def info(self) -> BackendInfo:
        with self._using() as model:
            return model.backend.info

    def render(self, prompt: Prompt) -> Rendered:
        with self._using() as model:
            return model.render(prompt)

    def measure(self, prompt: Prompt) -> Measure:
        with self._using() as model:
            return model.measure(prompt)

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        with self._using() as model:
            tokenizer = model.backend.tokenizer
            return tokenizer.tokenize(text, has_control_tokens=has_control_tokens)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        with self._using() as model:
            piece = model.backend.tokenizer.piece
            return b"".join(piece(token) for token in token_ids).decode("utf-8", "replace")

    # ── generating ──────────────────────────────────────────────────────────────────────────

    def stream(self, request: GenerationRequest, *, client: int = 0) -> "LocalAnswerStream":
        """`client` tells askers apart, so that one of them cannot keep the others waiting."""
        from assistant.engine.answer_stream import LocalAnswerStream

        asked_at = time.monotonic()  # the deadline counts while the model is opened, too
        self._crowd.come(client)
        try:
            with self._using() as model:
                run = model.new_run(request, asked_at, client, self._count)
                self._hand_in(run)
                model.make_way()
        except AssistantError:
            self._crowd.go(client)
            raise
        return LocalAnswerStream(run, self._end_run, self._progress_of)

    def score(
        self, prompt: Prompt, continuations: Sequence[str], *, client: int = 0
    ) -> list[float]:
        self._crowd.come(client)
        try:
            with self._using() as model:
                scoring = model.new_scoring(prompt, continuations)
                self._hand_in(scoring)
            return scoring.result()
        finally:
            self._crowd.go(client)

    def forget(self) -> None:
        """Keep nothing, in memory or on the way to the disk, of what was read or is asked now."""
        from assistant.engine.loaded_model import Forgetting

        forgetting = Forgetting()
        with self._using():
            self._hand_in(forgetting)
        forgetting.is_done.wait(FORGET_SECONDS)

    def _count(self, run: "Run") -> None:
        """A request is over."""
        self._crowd.go(run.client)
        if run.usage is not None:
            self._totals = self._totals.plus(run.usage)

    @property
    def activity(self) -> Activity:
        """What goes on, and what was done; while the model is opened nothing goes on."""
        with self._wake:
            model = self._model
        running, waiting, held = (0, 0, 0) if model is None else model.activity()
        return replace(self._totals, running=running, waiting=waiting, tokens_held=held)

    def _end_run(self, run: "Run", reason: Reason) -> None:
        """End a request from any thread."""
        run.end_with = run.end_with or reason
        with self._wake:
            if self._model is not None:
                self._model.interrupt_for(run)

    def _progress_of(self, run: "Run") -> PromptProgress | None:
        with self._wake:
            return self._model.progress_of(run) if self._model is not None else None

    @contextmanager
    def _using(self) -> "Iterator[LoadedModel]":
        """The model, for what any thread may do with it; it stays open meanwhile.

        Work that is made from it is handed in before it is left, so that no other opening of
        the model gets it.
        """
        with self._wake:
            model = self._ready()
            self._users += 1
        try:
            yield model
        finally:
            with self._wake:
                self._users -= 1
                self._wake.notify_all()

    def _ready(self) -> "LoadedModel":
        """The model, as soon as it is open. The caller holds `_wake`."""
        if self._thread is None and not self._is_closing:
            raise ModelError("the model is not loaded", "call load() first")
        while self._model is None and self._failure is None and not self._is_closing:
            self._wake.wait()
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._is_closing or self._model is None:
            raise _closed()
        return self._model

    def _hand_in(self, work: "Run | Scoring | Forgetting") -> None:
        with self._wake:
            self._inbox.append(work)
            self._wake.notify_all()

    # ── the engine's thread ─────────────────────────────────────────────────────────────────

    def _live(self) -> None:
        failure: AssistantError = EngineFailed("the engine has ended")
        try:
            while not self._is_closing:
                self._open_and_serve()
        except AssistantError as err:
            failure = err
        except Exception as err:
            failure = _without_frames(err)
        finally:
            with self._wake:
                # Loading was given up, whatever the runtime says about it.
                self._failure = _closed() if self._is_closing else failure
                self._wake.notify_all()

    def _open_and_serve(self) -> None:
        """Until the backend breaks or somebody closes the engine; nothing holds it after that."""
        model = self._open()
        error: AssistantError = _closed()
        is_sound = True
        try:
            while self._wait_for_work(model):
                model.scheduler.step()
        except Exception as err:
            error, is_sound = _without_frames(err), False
        self._retire(model, error, is_sound=is_sound)

    def _open(self) -> "LoadedModel":
        self._on_loading(ModelLoading("opening the model"))
        backend = self._open_backend(self._spec, self._on_loading)
        try:
            from assistant.engine.loaded_model import LoadedModel

            model = LoadedModel(backend, self._spec)
        except BaseException:
            backend.close()
            raise
        with self._wake:
            self._model = model
            self._wake.notify_all()
        return model

    def _on_loading(self, loading: ModelLoading) -> bool:
        self._loading = loading
        return not self._is_closing

    def _wait_for_work(self, model: "LoadedModel") -> bool:
        """Take the inbox; sleep while there is nothing to do. False when it is time to end."""
        if model.has_disk and not self._has_work_within(model, IDLE_SECONDS):
            model.keep_some()
        self._has_work_within(model, None)
        with self._wake:
            self._empty_inbox(model)
        return not self._is_closing

    def _has_work_within(self, model: "LoadedModel", seconds: float | None) -> bool:
        with self._wake:
            return self._wake.wait_for(
                lambda: bool(self._inbox) or self._is_closing or not model.scheduler.is_idle,
                seconds,
            )

    def _empty_inbox(self, model: "LoadedModel") -> None:
        inbox, self._inbox = self._inbox, []
        for work in inbox:
            model.take(work)

    def _retire(self, model: "LoadedModel", error: AssistantError, *, is_sound: bool) -> None:
        """End all requests with the error; close the backend once nobody is inside it.

        One that `is_sound` gives its states away before.
        """
        with self._wake:
            self._model = None  # nobody new comes in
        model.scheduler.fail_all(error)
        with self._wake:
            while self._users:
                self._wake.wait()
            self._empty_inbox(model)
        model.scheduler.fail_all(error)
        if is_sound:
            model.keep_all()
        model.backend.close()


def _closed() -> EngineFailed:
    return EngineFailed("the engine is closed", "ask again")


def _without_frames(err: Exception) -> EngineFailed:
    """Frames of a traceback would keep the broken model in memory while it is opened again."""
    if isinstance(err, AssistantError):
        return EngineFailed(err.message, err.hint or "ask again")
    return EngineFailed(f"the engine failed: {type(err).__name__}: {err}", "ask again")
