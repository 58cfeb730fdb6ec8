"""The engine in this process: one thread owns the backend and runs the scheduler."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty

from assistant.backends.base import Backend, BackendInfo, ModelSpec, OnProgress
from assistant.backends.chat_template import ChatTemplate, render_raw
from assistant.backends.open import open_backend
from assistant.engine.base import GenerationRequest, Measure
from assistant.engine.prefix_cache import PrefixCache
from assistant.engine.run import Run
from assistant.engine.scheduler import SHARED_CALL_SECONDS, Scheduler
from assistant.engine.scoring import Scoring
from assistant.errors import AssistantError, EngineFailed, ModelError, PromptTooLong, UsageError
from assistant.events import Event, Finished, ModelLoading, PromptProgress, Reason
from assistant.messages import ChatPrompt, Prompt, Rendered

SHARED_CANCEL_SECONDS = 0.5  # between two cancels that interrupt a step of others
POLL_SECONDS = 0.2  # between two looks at the progress of a running call
HOST_MEMORY_FOR_STATES = 512 * 2**20  # bytes
OpenBackend = Callable[[ModelSpec, OnProgress], Backend]


class LocalEngine:
    """See `Engine`. `load()` first; everything else raises `ModelError` before it."""

    def __init__(self, spec: ModelSpec, open_backend: OpenBackend = open_backend) -> None:
        self._spec = spec
        self._open_backend = open_backend
        self._backend: Backend | None = None
        self._template: ChatTemplate | None = None
        self._scheduler: Scheduler
        self._cache: PrefixCache
        self._thread: threading.Thread | None = None
        self._loaded = threading.Event()
        self._loading = ModelLoading("opening the model")
        self._failure: AssistantError | None = None
        self._wake = threading.Condition()
        self._inbox: list[Run | Scoring] = []  # for the engine's thread
        self._users = 0  # threads that are inside the backend's tokenizer and the like
        self._is_closing = False
        self._last_shared_cancel = -SHARED_CANCEL_SECONDS

    # ── loading and closing ─────────────────────────────────────────────────────────────────

    def load(self) -> Iterator[ModelLoading]:
        """Start to load at once; the iterator ends when the model is ready.

        An iterator that is closed before its end gives up loading.
        """
        with self._wake:
            if self._is_closing:
                raise _closed()
            if self._thread is None:
                self._thread = threading.Thread(target=self._live, name="engine", daemon=True)
                self._thread.start()
        return self._loading_steps()

    def _loading_steps(self) -> Iterator[ModelLoading]:
        told = None
        try:
            while not self._loaded.wait(POLL_SECONDS if told else 0.05):
                if self._loading is not told:
                    told = self._loading
                    yield told
        finally:
            if not self._loaded.is_set():
                self.close()
        with self._wake:
            self._ready()

    def close(self) -> None:
        """Free everything; what runs ends as failed. From any thread, as often as one likes."""
        with self._wake:
            self._is_closing = True
            self._wake.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            if self._backend is not None:
                self._backend.interrupt()
            self._thread.join()

    # ── what never waits for a step ─────────────────────────────────────────────────────────

    @property
    def info(self) -> BackendInfo:
        return self._ready().info

    def render(self, prompt: Prompt) -> Rendered:
        with self._using() as backend:
            return self._render(prompt, backend)

    def _render(self, prompt: Prompt, backend: Backend) -> Rendered:
        if not isinstance(prompt, ChatPrompt):
            return render_raw(prompt, backend.tokenizer)
        if self._template is None:
            raise ModelError(
                f"{backend.info.name} has no chat template: it completes text and cannot chat",
                "choose an instruct model, or -m starter",
            )
        return self._template.render(prompt)

    def measure(self, prompt: Prompt) -> Measure:
        rendered = self.render(prompt)
        cached = self._cache.longest_prefix(rendered.token_ids)
        tokens = len(rendered.token_ids)
        return Measure(tokens, rendered.parts, cached, self._scheduler.seconds_for(tokens - cached))

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        with self._using() as backend:
            return backend.tokenizer.tokenize(text, has_control_tokens=has_control_tokens)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        with self._using() as backend:
            piece = backend.tokenizer.piece
            return b"".join(piece(token) for token in token_ids).decode("utf-8", "replace")

    # ── generating ──────────────────────────────────────────────────────────────────────────

    def stream(self, request: GenerationRequest) -> "LocalAnswerStream":
        with self._using() as backend:
            rendered = self._render(request.prompt, backend)
            _check(request, rendered, backend)
            seed = secrets.randbits(32) if request.seed is None else request.seed % 2**32
            run = Run(request, rendered, backend.tokenizer, seed)
            if request.grammar:  # a bad one is refused here, not in the engine's thread
                backend.new_sampler(request.sampling, seed, request.grammar).close()
        self._hand_in(run)
        self._make_way(backend)
        return LocalAnswerStream(self, run)

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        with self._using() as backend:
            rendered = self._render(prompt, backend)
            ids = [backend.tokenizer.tokenize(text) for text in continuations]
        scoring = Scoring(rendered.token_ids, ids)
        self._hand_in(scoring)
        return scoring.result()

    def _make_way(self, backend: Backend) -> None:
        """A long call that was chosen when nobody waited is cut short; its work is lost."""
        call = self._scheduler.in_flight
        if call is None or call.expected_seconds is None:
            return
        left = call.started + call.expected_seconds - time.monotonic()
        if left > 1.25 * SHARED_CALL_SECONDS:
            backend.interrupt()

    # ── the engine's thread ─────────────────────────────────────────────────────────────────

    def _live(self) -> None:
        try:
            self._open()
            self._loaded.set()
            while self._wait_for_work():
                self._scheduler.step()
        except AssistantError as err:
            self._fail(err)
        except Exception as err:
            self._fail(EngineFailed(f"the engine failed: {type(err).__name__}: {err}"))
        finally:
            self._loaded.set()
            self._close_backend()

    def _open(self) -> None:
        backend = self._open_backend(self._spec, self._on_loading)
        self._cache = PrefixCache(backend, HOST_MEMORY_FOR_STATES)
        self._scheduler = Scheduler(backend, self._cache)
        self._backend = backend
        source = backend.chat_template
        if source is not None:
            self._template = ChatTemplate(source, backend.tokenizer, backend.info.fingerprint)

    def _close_backend(self) -> None:
        """Once nobody is inside it; nobody new comes in by now."""
        with self._wake:
            while self._users:
                self._wake.wait()
        if self._backend is not None:
            self._backend.close()

    def _on_loading(self, loading: ModelLoading) -> bool:
        self._loading = loading
        return not self._is_closing

    def _wait_for_work(self) -> bool:
        """Take the inbox; sleep while there is nothing to do. False when it is time to end."""
        with self._wake:
            while not (self._inbox or self._is_closing) and self._scheduler.is_idle:
                self._wake.wait()
            self._empty_inbox()
        if self._is_closing:
            self._scheduler.fail_all(_closed())
        return not self._is_closing

    def _empty_inbox(self) -> None:
        inbox, self._inbox = self._inbox, []
        for work in inbox:
            if isinstance(work, Scoring):
                self._scheduler.add_scoring(work)
            else:
                self._scheduler.add(work)

    def _fail(self, error: AssistantError) -> None:
        if self._is_closing and self._backend is None:
            error = _closed()  # loading was given up, whatever the runtime says about it
        with self._wake:
            self._failure = error
        if self._backend is not None:
            self._empty_inbox()
            self._scheduler.fail_all(error)

    def _hand_in(self, work: Run | Scoring) -> None:
        with self._wake:
            self._ready()
            self._inbox.append(work)
            self._wake.notify_all()

    @contextmanager
    def _using(self) -> Iterator[Backend]:
        """The backend, for what any thread may do with it; it stays open meanwhile."""
        with self._wake:
            backend = self._ready()
            self._users += 1
        try:
            yield backend
        finally:
            with self._wake:
                self._users -= 1
                self._wake.notify_all()

    def _ready(self) -> Backend:
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._is_closing:
            raise _closed()
        if self._backend is None or not self._loaded.is_set():
            raise ModelError("the model is not loaded", "call load() first")
        return self._backend

    # ── what an answer stream asks ──────────────────────────────────────────────────────────

    def end_run(self, run: Run, reason: Reason) -> None:
        """End a request from any thread.

        The running call is interrupted when it is mostly the request's own. A short step that
        it shares is too, now and then: who cancels five times a second must not starve others.
        """
        run.end_with = run.end_with or reason
        call, now = self._scheduler.in_flight, time.monotonic()
        if self._backend is None or run.admitted is None or run.is_finished:
            return
        # Without a call the next one may have been put together already, with this request in it.
        if call is None or not call.is_mostly(run):
            is_cheap = call is None or call.is_short_with(run)
            if not is_cheap or now - self._last_shared_cancel < SHARED_CANCEL_SECONDS:
                return
            self._last_shared_cancel = now
        self._backend.interrupt()

    def progress_of(self, run: Run) -> PromptProgress | None:
        """How far the prompt is, the running native call included."""
        call = self._scheduler.in_flight
        if not run.is_prefilling or call is None or self._backend is None:
            return None
        done = run.leader.done  # read first: when the call ends in between, too little is told
        extra = call.rows_by_run.get(run, 0) * self._backend.progress()
        done = min(done + int(extra), run.prompt_tokens)
        seconds = self._scheduler.seconds_for(run.prompt_tokens - done)
        return PromptProgress(done, run.prompt_tokens, run.cached_tokens, seconds)


class LocalAnswerStream:
    """Events of one run. Prefill progress is looked up while a native call runs."""

    def __init__(self, engine: LocalEngine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._is_over = False

    def __iter__(self) -> Iterator[Event]:
        while not self._is_over:
            try:
                event = self._run.events.get(timeout=self._patience())
            except Empty:
                if self._is_overdue():
                    self._engine.end_run(self._run, Reason.DEADLINE)
                elif (progress := self._engine.progress_of(self._run)) is not None:
                    yield progress
                continue
            self._is_over = isinstance(event, Finished)
            yield event

    def cancel(self) -> None:
        self._engine.end_run(self._run, Reason.STOPPED)

    def _patience(self) -> float:
        if self._run.deadline is None or self._run.end_with is not None:
            return POLL_SECONDS
        return max(0.001, min(POLL_SECONDS, self._run.deadline - time.monotonic()))

    def _is_overdue(self) -> bool:
        deadline = self._run.deadline
        return deadline is not None and time.monotonic() > deadline and self._run.end_with is None


def _closed() -> EngineFailed:
    return EngineFailed("the engine is closed", "ask again")


def _check(request: GenerationRequest, rendered: Rendered, backend: Backend) -> None:
    window, tokens = backend.info.window, len(rendered.token_ids)
    if not tokens:
        raise UsageError("the prompt is empty", 'ask something: llmchat "…"')
    if request.max_new_tokens < 1 or request.candidates < 1:
        raise UsageError("max_new_tokens and candidates must be 1 or more", "")
    if request.candidates > backend.slots:
        raise UsageError(f"at most {backend.slots} candidates can be written at once", "")
    if tokens + request.max_new_tokens > window:
        raise PromptTooLong(
            f"the prompt has {tokens:,} tokens and the answer may have "
            f"{request.max_new_tokens:,}; the model's window is {window:,}",
            f"attach less, or -o max_tokens {max(1, window - tokens)}",
        )
