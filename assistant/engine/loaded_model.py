"""A model that is open, with everything that holds for this opening of it alone.

When the backend breaks it is thrown away as a whole, and another one takes its place.
"""

import secrets
import time
from collections.abc import Sequence

from assistant.backends.base import Backend
from assistant.backends.chat_template import ChatTemplate, render_raw
from assistant.engine.base import GenerationRequest, Measure
from assistant.engine.prefix_cache import PrefixCache
from assistant.engine.run import OnEnd, Run
from assistant.engine.scheduler import SHARED_CALL_SECONDS, Scheduler
from assistant.engine.scoring import Scoring
from assistant.errors import ModelError, PromptTooLong, UsageError
from assistant.events import PromptProgress
from assistant.messages import ChatPrompt, Prompt, Rendered

SHARED_CANCEL_SECONDS = 0.5  # between two cancels that interrupt a step of others
HOST_MEMORY_FOR_STATES = 512 * 2**20  # bytes


class LoadedModel:
    """`scheduler` belongs to the engine's thread; the methods may be called from any."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._cache = PrefixCache(backend, HOST_MEMORY_FOR_STATES)
        self.scheduler = Scheduler(backend, self._cache)
        self._template: ChatTemplate | None = None
        if (source := backend.chat_template) is not None:
            self._template = ChatTemplate(source, backend.tokenizer, backend.info.fingerprint)
        self._last_shared_cancel = -SHARED_CANCEL_SECONDS

    def take(self, work: Run | Scoring) -> None:
        """Give it to the scheduler."""
        if isinstance(work, Scoring):
            self.scheduler.add_scoring(work)
        else:
            self.scheduler.add(work)

    def render(self, prompt: Prompt) -> Rendered:
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
        cached = self._cache.longest_prefix(rendered.token_ids)
        tokens = len(rendered.token_ids)
        return Measure(tokens, rendered.parts, cached, self.scheduler.seconds_for(tokens - cached))

    def new_run(
        self, request: GenerationRequest, asked_at: float, client: int, on_end: OnEnd
    ) -> Run:
        """Raises what is wrong with the request, a bad grammar too, before anybody waits for it."""
        rendered = self.render(request.prompt)
        _check(request, rendered, self.backend)
        seed = secrets.randbits(32) if request.seed is None else request.seed % 2**32
        if request.grammar:
            self.backend.new_sampler(request.sampling, seed, request.grammar).close()
        return Run(request, rendered, self.backend.tokenizer, seed, asked_at, client, on_end)

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
        seconds = self.scheduler.seconds_for(run.prompt_tokens - done)
        return PromptProgress(done, run.prompt_tokens, run.cached_tokens, seconds)


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
