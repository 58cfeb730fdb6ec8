"""One request while it runs: its sequences, what they have written, what the reader is told."""

import time
from collections.abc import Callable
from queue import SimpleQueue

from assistant.backends.base import Sampler, Tokenizer
from assistant.engine.answer_text import AnswerText, Piece, is_repeating
from assistant.engine.base import GenerationRequest
from assistant.events import (
    Answer,
    Event,
    Finished,
    PromptProgress,
    Reason,
    ReasoningChunk,
    TextChunk,
    Usage,
    WrittenToken,
)
from assistant.messages import Rendered, hash_of_ids

REPETITION_CHECK_EVERY = 16  # tokens
# Predicts the seconds to read a prompt from one of its tokens to another; None: not known yet.
SecondsFor = Callable[[int, int], float | None]
OnEnd = Callable[["Run"], None]


class Sequence:
    """One candidate answer: prompt and written tokens in one growing list.

    `tokens[done:]` is what the backend has not seen; one token means decoding, more prefill.
    """

    def __init__(self, run: "Run", candidate: int, seed: int) -> None:
        self.run = run
        self.candidate = candidate
        self.seed = seed
        self.tokens: list[int] = list(run.rendered.token_ids)
        self.done = 0
        self.slot: int | None = None
        self.sampler: Sampler | None = None
        self.reason: Reason | None = None
        self.error = ("", "")
        self.logprobs: list[WrittenToken] = []
        self.text = AnswerText(
            run.tokenizer, run.request.stop, prompt_text=run.rendered.text[-256:]
        )

    @property
    def pending(self) -> int:
        return len(self.tokens) - self.done

    @property
    def written(self) -> int:
        return len(self.tokens) - self.run.prompt_tokens

    def write(self, token_id: int, window: int) -> None:
        """Take a sampled token: text for the reader, or the reason why the answer ends here."""
        if token_id in self.run.tokenizer.ends_answer:
            self.end(Reason.DONE)
            return
        self.tokens.append(token_id)
        self._tell(self.text.push(token_id))
        if self.text.is_stopped:
            self.end(Reason.DONE)
        elif self.written >= self.run.request.max_new_tokens:
            self.end(Reason.LENGTH)
        elif len(self.tokens) >= window:
            self.end(Reason.CONTEXT_FULL)
        elif self._goes_round():
            self.end(Reason.REPEATING)

    def end(self, reason: Reason, error: tuple[str, str] = ("", "")) -> None:
        """The first reason counts. The slot stays taken until the scheduler gives it back."""
        if self.reason is None:
            self._tell(self.text.finish())
            self.reason, self.error = reason, error
        if self.sampler is not None:
            self.sampler.close()
            self.sampler = None

    def answer(self) -> Answer:
        return Answer(
            reason=self.reason or Reason.STOPPED,
            text=self.text.text,
            reasoning=self.text.reasoning,
            token_ids=tuple(self.tokens[self.run.prompt_tokens :]),
            seed=self.seed,
            candidate=self.candidate,
            error=self.error[0],
            hint=self.error[1],
            logprobs=tuple(self.logprobs),
        )

    def _goes_round(self) -> bool:
        if not self.run.request.ends_repetition or self.written % REPETITION_CHECK_EVERY:
            return False
        return is_repeating(self.tokens[self.run.prompt_tokens :])

    def _tell(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            chunk = ReasoningChunk if piece.is_reasoning else TextChunk
            self.run.tell(chunk(piece.text, self.candidate))


class Run:
    """A request, its sequences and the queue that its reader empties.

    `asked_at` is when its deadline begins to count (`time.monotonic()`); `client` is who asked,
    `on_end` is called once it is over.
    """

    def __init__(
        self,
        request: GenerationRequest,
        rendered: Rendered,
        tokenizer: Tokenizer,
        seed: int,
        asked_at: float,
        client: int,
        on_end: OnEnd = lambda _run: None,
    ) -> None:
        self.request = request
        self.client = client
        self._on_end = on_end
        self.rendered = rendered
        self.tokenizer = tokenizer
        self.prompt_tokens = len(rendered.token_ids)
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.end_with: Reason | None = None  # set by any thread; obeyed at the next step
        self.is_finished = False
        self.usage: Usage | None = None  # once it is over
        self.is_overdue = False  # background work that was left out for long: urgent since then
        self.cached_tokens = 0
        self.queue_position = 0
        self.started = asked_at
        self.restored: tuple[tuple[int, ...], bytes] | None = None  # tokens and state, from disk
        self.restored_bytes = 0  # of that, when it has been handed in
        self.moved_at = asked_at  # when it last got a place or took part in a call
        self.admitted: float | None = None
        self.first_token: float | None = None
        self.last_token = self.started
        self.computing_seconds = 0.0  # of native calls in which it took part
        self.sequences = [
            Sequence(self, number, (seed + number) % 2**32) for number in range(request.candidates)
        ]

    @property
    def leader(self) -> Sequence:
        """The sequence that prefills the prompt; the others copy it."""
        return self.sequences[0]

    @property
    def is_prefilling(self) -> bool:
        return self.first_token is None

    @property
    def deadline(self) -> float | None:
        seconds = self.request.deadline_seconds
        return None if seconds is None else self.started + seconds

    def tell(self, event: Event) -> None:
        self.events.put(event)

    def progress(self, seconds_for: SecondsFor) -> None:
        """Tell how much of the prompt is read."""
        done, total = min(self.leader.done, self.prompt_tokens), self.prompt_tokens
        self.tell(PromptProgress(done, total, self.cached_tokens, seconds_for(done, total)))

    def finish(self) -> None:
        if self.is_finished:
            return
        self.is_finished = True
        self.usage = self._usage()
        self._on_end(self)  # before the reader can know: who asks again finds it gone
        answers = tuple(sequence.answer() for sequence in self.sequences)
        self.tell(Finished(answers, self.usage, hash_of_ids(self.rendered.token_ids)))

    def _usage(self) -> Usage:
        now = time.monotonic()
        new = sum(sequence.written for sequence in self.sequences)
        first = self.first_token
        prefill = (first or now) - (self.admitted or self.started)
        decode = self.last_token - (first or now)
        prefilled = self.leader.done if first is None else self.prompt_tokens
        return Usage(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            new_tokens=new,
            seconds_to_first_token=(first or now) - self.started,
            prefill_tokens_per_second=_per_second(prefilled - self.cached_tokens, prefill),
            decode_tokens_per_second=_per_second(new - len(self.sequences), decode),
        )


def _per_second(tokens: int, seconds: float) -> float:
    return tokens / seconds if tokens > 0 and seconds > 0 else 0.0
