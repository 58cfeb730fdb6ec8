"""The Engine protocol: all that front ends and conversations know of a model.

Synchronous and thread-safe. `measure`, `render` and `tokenize` never wait for a running step.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from assistant.backends.base import BackendInfo, SamplingOptions
from assistant.events import Event, ModelLoading, Usage
from assistant.messages import PartTokens, Prompt, Rendered


class Priority(StrEnum):
    INTERACTIVE = "interactive"
    BACKGROUND = "background"


class Keep(StrEnum):
    """How much of a request's KV state is worth keeping when it ends."""

    NOTHING = "nothing"
    PREFIX = "prefix"  # the prompt
    TURN = "turn"  # the prompt and the answer


class GenerationRequest(Struct, frozen=True):
    """What to write, how, and for how long.

    `seed` None draws one; the answer says which. `top_logprobs` None reports none, 0 only the
    written token's own. `candidates` answers share one prefill.
    """

    prompt: Prompt
    sampling: SamplingOptions = SamplingOptions()
    max_new_tokens: int = 1024
    seed: int | None = None
    stop: tuple[str, ...] = ()
    deadline_seconds: float | None = None
    grammar: str = ""
    candidates: int = 1
    top_logprobs: int | None = None
    priority: Priority = Priority.INTERACTIVE
    keep: Keep = Keep.TURN
    ends_repetition: bool = True


class Measure(Struct, frozen=True):
    """Exact counts in tokens. `seconds` to the first token if the prompt is asked now and nothing
    else runs; None before any prompt was read on this machine."""

    tokens: int
    parts: tuple[PartTokens, ...]
    tokens_cached: int
    seconds: float | None
    is_exact: bool = True


class Kept(Struct, frozen=True):
    """An engine that outlives its front end: for how long after its last request (-1: for ever),
    and what it holds meanwhile."""

    seconds: float
    memory_bytes: int


class Activity(Struct, frozen=True):
    """Of an engine: requests and tokens since it was started; what runs, waits and is held now."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    new_tokens: int = 0
    running: int = 0
    waiting: int = 0
    tokens_held: int = 0  # in the native cache

    def plus(self, usage: Usage) -> "Activity":
        """One more request has ended."""
        return replace(
            self,
            requests=self.requests + 1,
            prompt_tokens=self.prompt_tokens + usage.prompt_tokens,
            cached_tokens=self.cached_tokens + usage.cached_tokens,
            new_tokens=self.new_tokens + usage.new_tokens,
        )


class AnswerStream(Protocol):
    """Events of one request; the last one is `Finished`. `cancel()` from any thread."""

    def __iter__(self) -> Iterator[Event]: ...

    def cancel(self) -> None: ...


class Engine(Protocol):
    """One model, until `close()`.

    When its runtime breaks, what runs and waits ends as `Reason.FAILED` with the text it has, and
    the model is loaded once more. Who asks for anything while it is loaded waits. When it cannot
    be loaded, every call raises the reason.
    """

    @property
    def info(self) -> BackendInfo: ...

    def load(self) -> Iterator[ModelLoading]:
        """Load the model; ends when it is ready. Raises `ModelError`, `NotEnoughMemory`."""
        ...

    def measure(self, prompt: Prompt) -> Measure: ...

    def render(self, prompt: Prompt) -> Rendered: ...

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]: ...

    def detokenize(self, token_ids: Sequence[int]) -> str: ...

    def stream(self, request: GenerationRequest) -> AnswerStream:
        """Start a request.

        Raises `PromptTooLong`, `TemplateError`, `UsageError` or `EngineBusy` at once.
        """
        ...

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        """Natural log-probability of each continuation after the prompt.

        Raises `PromptTooLong`, `NotEnoughMemory`, `UsageError`, and `EngineFailed` when the
        runtime breaks meanwhile.
        """
        ...

    @property
    def kept(self) -> Kept | None:
        """What this front end started and leaves behind; None: nothing."""
        ...

    def close(self) -> None: ...
