"""A model that is open, with everything that holds for this opening of it alone.

When the backend breaks it is thrown away as a whole, and another one takes its place.
"""

import secrets
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from assistant.backends.base import Backend, ModelSpec
from assistant.backends.chat_template import ChatTemplate, render_raw
from assistant.backends.recent import Recent
from assistant.engine.base import GenerationRequest, Measure
from assistant.engine.prefix_cache import PrefixCache, common_prefix
from assistant.engine.run import OnEnd, Run
from assistant.engine.scheduler import SHARED_CALL_SECONDS, Scheduler, speed_of
from assistant.engine.scoring import Scoring
from assistant.engine.snapshots import Snapshots
from assistant.engine.speed_file import SpeedFile
from assistant.errors import ModelError, PromptTooLong, UsageError
from assistant.events import PromptProgress
from assistant.messages import ChatPrompt, Prompt, Rendered

WORTH_READING = 64  # tokens that a snapshot must save beyond what memory does
WORTH_WRITING = 256  # new tokens in a snapshot
LAST_WORDS_SECONDS = 10.0  # for the disk, at the end
SHARED_CANCEL_SECONDS = 0.5  # between two cancels that interrupt a step of others
HOST_MEMORY_FOR_STATES = 512 * 2**20  # bytes
REMEMBERED_TOKENS = 128 * 1024  # of prompts rendered before; with its text a token is 50 bytes


class Forgetting:
    """Asks that nothing is kept of what was read, nor of what runs now, which goes on."""

    def __init__(self) -> None:
        self.is_done = threading.Event()


class LoadedModel:
    """`scheduler` belongs to the engine's thread; the methods may be called from any."""

    def __init__(self, backend: Backend, spec: ModelSpec) -> None:
        self.backend = backend
        self._disk = _open_snapshots(backend, spec)
        on_evicted = partial(_keep_evicted, self._disk)  # no cycle: it must be freed at once
        self._speed_file = _speed_file(backend, spec)
        self._speed = speed_of(backend, self._speed_file.read() if self._speed_file else None)
        self._cache = PrefixCache(backend, HOST_MEMORY_FOR_STATES, on_evicted, self._speed.away)
        self.scheduler = Scheduler(backend, self._cache, self._speed)
        self._template: ChatTemplate | None = None
        if (source := backend.chat_template) is not None:
            self._template = ChatTemplate(source, backend.tokenizer, backend.info.fingerprint)
        self._last_shared_cancel = -SHARED_CANCEL_SECONDS
        self._rendered: Recent[Prompt, Rendered] = Recent(REMEMBERED_TOKENS)

    def take(self, work: Run | Scoring | Forgetting) -> None:
        """Give it to the scheduler."""
        if isinstance(work, Forgetting):
            self._forget()
            work.is_done.set()
            return
        if isinstance(work, Scoring):
            self.scheduler.add_scoring(work)
            return
        if work.restored is not None:
            ids, state = work.restored
            self._cache.add(ids, state)
            work.restored, work.restored_bytes = None, len(state)
        self.scheduler.add(work)

    def _forget(self) -> None:
        self.scheduler.forget()
        self._rendered.clear()
        if self._disk is not None:
            self._disk.settle(LAST_WORDS_SECONDS)

    def render(self, prompt: Prompt) -> Rendered:
        rendered = self._rendered.get(prompt)
        if rendered is None:
            rendered = self._render(prompt)
            self._rendered.put(prompt, rendered, len(rendered.token_ids))
        return rendered

    def _render(self, prompt: Prompt) -> Rendered:
        if not isinstance(prompt, ChatPrompt):
            return render_raw(prompt, self.backend.tokenizer)
        if self._template is None:
            raise self._cannot_chat()
        return self._template.render(prompt)

    def _cannot_chat(self) -> ModelError:
        info = self.backend.info
        if info.abilities.encoder:
            return ModelError(
                f"{info.name} is an encoder–decoder model: it cannot chat",
                "llmchat summarize FILE, translate or generate; "
                "or choose a chat model, e.g. -m starter",
            )
        return ModelError(
            f"{info.name} has no chat template: it completes text and cannot chat",
            "choose an instruct model, or -m starter",
        )

    def measure(self, prompt: Prompt) -> Measure:
        rendered = self.render(prompt)
        ids, total = rendered.token_ids, len(rendered.token_ids)
        cached, moving = self._cache.longest_prefix(ids), 0.0
        if (found := self._on_disk(ids, cached)) is not None:
            cached = self._cache.usable(ids, found[1])
            moving = self._speed.restored.seconds(_size_bytes(found[0]))
        reading = self._speed.seconds(cached, total)
        if reading is not None:
            moving += self._speed.away.seconds(self._cache.to_put_away(ids))
            reading += moving + self._speed.start_seconds
        return Measure(total, rendered.parts_with_cached(cached), cached, reading)

    def new_run(
        self, request: GenerationRequest, asked_at: float, client: int, on_end: OnEnd
    ) -> Run:
        """Raises what is wrong with the request, a bad grammar too, before anybody waits for it."""
        rendered = self.render(request.prompt)
        _check(request, rendered, self.backend)
        seed = secrets.randbits(32) if request.seed is None else request.seed % 2**32
        if request.grammar:
            self.backend.new_sampler(request.sampling, seed, request.grammar).close()
        run = Run(request, rendered, self.backend.tokenizer, seed, asked_at, client, on_end)
        run.restored = self._restore(rendered.token_ids)
        return run

    def activity(self) -> tuple[int, int, int]:
        """Requests that run, requests that wait, tokens in the native cache."""
        running, waiting = self.scheduler.counts
        return running, waiting, self._cache.tokens_held

    def new_scoring(self, prompt: Prompt, continuations: Sequence[str]) -> Scoring:
        rendered = self.render(prompt)
        if self.backend.info.abilities.encoder and not rendered.token_ids:
            raise UsageError("the prompt is empty", "give the encoder something to read")
        tokenize = self.backend.tokenizer.tokenize
        return Scoring(rendered.token_ids, [tokenize(text) for text in continuations])

    # ── what is on disk ─────────────────────────────────────────────────────────────────────

    def _on_disk(self, ids: Sequence[int], cached: int) -> tuple[Path, tuple[int, ...]] | None:
        """A snapshot that saves reading more tokens than memory does."""
        if self._disk is None:
            return None
        found = self._disk.longest(lambda held: self._cache.usable(ids, held))
        if found is None or self._cache.usable(ids, found[1]) < cached + WORTH_READING:
            return None
        return found

    def _restore(self, ids: Sequence[int]) -> tuple[tuple[int, ...], bytes] | None:
        """Read by whoever asks, so that nobody else waits for the disk."""
        found = self._on_disk(ids, self._cache.longest_prefix(ids))
        if self._disk is None or found is None:
            return None
        state = self._disk.load(*found)
        return None if state is None else (found[1], state)

    @property
    def has_disk(self) -> bool:
        return self._disk is not None or self._speed_file is not None

    def keep_some(self) -> None:
        """While nobody asks anything: the newest turn, unless most of it is on disk already."""
        self._keep_speed()
        if self._disk is None or not self._disk.room:
            return
        for ids, slot in self._cache.kept()[:1]:
            if _new_tokens(self._disk, ids) >= max(WORTH_WRITING, len(ids) // 4):
                self._disk.save(ids, self._cache.state_of(ids, slot))

    def keep_all(self) -> None:
        """At the end: what is kept, as far as there is room, the newest written last."""
        self._keep_speed()
        if self._disk is None:
            return
        chosen: list[tuple[tuple[int, ...], bytes]] = []
        left = self._disk.room
        for ids, slot in self._cache.kept():
            state = self._cache.state_of(ids, slot)
            if _new_tokens(self._disk, ids) >= WORTH_WRITING and len(state) <= left:
                chosen.append((ids, state))
                left -= len(state)
        for ids, state in reversed(chosen):
            self._disk.save(ids, state)
        self._disk.close(LAST_WORDS_SECONDS)

    def _keep_speed(self) -> None:
        if self._speed_file is not None:
            self._speed_file.write(self._speed.learnt)

    # ── the native call that runs ───────────────────────────────────────────────────────────

    def make_way(self) -> None:
        """A long call that was chosen when nobody waited is cut short; its work is lost."""
        call = self.scheduler.in_flight
        if call is None or call.expected_seconds is None or self.backend.info.abilities.encoder:
            return
        left = call.started + call.expected_seconds - time.monotonic()
        if left > 1.25 * SHARED_CALL_SECONDS:
            self.backend.interrupt()

    def interrupt_for(self, run: Run) -> None:
        """Interrupt the call when it is mostly this request's own.

        A short step that it shares is too, now and then: who cancels five times a second must
        not starve others.
        """
        call, now = self.scheduler.in_flight, time.monotonic()
        if run.admitted is None or run.is_finished:
            return
        # Without a call the next one may have been put together already, with this request in it.
        if call is None or not call.is_mostly(run):
            is_cheap = call is None or call.is_short_with(run)
            if not is_cheap or now - self._last_shared_cancel < SHARED_CANCEL_SECONDS:
                return
            self._last_shared_cancel = now
        self.backend.interrupt()

    def progress_of(self, run: Run) -> PromptProgress | None:
        """How far the prompt is, the running native call included."""
        call = self.scheduler.in_flight
        if not run.is_prefilling or call is None:
            return None
        done = run.leader.done  # read first: when the call ends in between, too little is told
        extra = call.rows_by_run.get(run, 0) * self.backend.progress()
        done = min(done + int(extra), run.prompt_tokens)
        seconds = self.scheduler.seconds_for(done, run.prompt_tokens)
        return PromptProgress(done, run.prompt_tokens, run.cached_tokens, seconds)


def _open_snapshots(backend: Backend, spec: ModelSpec) -> Snapshots | None:
    if spec.snapshots is None or not spec.snapshot_bytes or not backend.state_layout:
        return None
    info = backend.info
    return Snapshots(
        spec.snapshots,
        spec.snapshot_bytes,
        model=f"{info.name} {info.quantisation}",
        fingerprint=info.fingerprint,
        layout=backend.state_layout,
        replaces_prefixes=info.abilities.trims,
    )


def _speed_file(backend: Backend, spec: ModelSpec) -> SpeedFile | None:
    if spec.snapshots is None or not spec.snapshot_bytes:
        return None
    return SpeedFile(spec.snapshots, backend.info)


def _size_bytes(path: Path) -> int:
    """0 when it has just gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _keep_evicted(disk: Snapshots | None, ids: tuple[int, ...], state: bytes) -> None:
    if disk is not None and _new_tokens(disk, ids) >= WORTH_WRITING:
        disk.save(ids, state)


def _new_tokens(disk: Snapshots, ids: tuple[int, ...]) -> int:
    """How many of these no snapshot holds."""
    return len(ids) - disk.covered(ids, common_prefix)


def _check(request: GenerationRequest, rendered: Rendered, backend: Backend) -> None:
    info, tokens = backend.info, len(rendered.token_ids)
    if not tokens:
        raise UsageError("the prompt is empty", 'ask something: llmchat "…"')
    if request.max_new_tokens < 1 or request.candidates < 1:
        raise UsageError("max_new_tokens and candidates must be 1 or more", "")
    if request.candidates > 1 and not info.abilities.candidates:
        raise UsageError(f"{info.name} cannot write several answers at once", "ask for one")
    if request.candidates > backend.slots:
        raise UsageError(f"at most {backend.slots} candidates can be written at once", "")
    if request.grammar and not info.abilities.grammar:
        raise UsageError(
            f"{info.name} cannot be bound to a grammar", "take the model as GGUF, without hf:"
        )
    if tokens + request.max_new_tokens > info.window:
        raise PromptTooLong(
            f"the prompt has {tokens:,} tokens and the answer may have "
            f"{request.max_new_tokens:,}; the model's window is {info.window:,}",
            f"attach less, or -o max_tokens {max(1, info.window - tokens)}",
        )
