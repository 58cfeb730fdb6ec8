"""What an engine tells: small facts, in the order in which they happen.

A stream is any number of `ModelLoading`, `Queued`, `PromptProgress`, `ReasoningChunk` and
`TextChunk`, then exactly one `Finished`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why an answer ended."""

    DONE = "done"  # the model ended it, or a stop string came
    LENGTH = "length"  # max_new_tokens were written
    STOPPED = "stopped"  # somebody cancelled it
    DEADLINE = "deadline"  # deadline_seconds passed
    REPEATING = "repeating"  # the tail went round in circles
    CONTEXT_FULL = "context_full"  # the window has no room for another token
    FAILED = "failed"  # see Answer.error


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """`stage` in words; `share` of the loading done, 0 to 1, or None when unknown."""

    stage: str
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting for a place; 1 is next."""

    position: int


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """Prefill: `tokens_done` of `tokens_total`, both including the `tokens_cached`."""

    tokens_done: int
    tokens_total: int
    tokens_cached: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """Natural logarithm of the probability that the model gave this token."""

    token_id: int
    logprob: float


@dataclass(frozen=True, slots=True)
class WrittenToken:
    """A sampled token, its log-probability and the most probable ones in its place."""

    token_id: int
    logprob: float
    top: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class ReasoningChunk:
    text: str
    candidate: int = 0


@dataclass(frozen=True, slots=True)
class TextChunk:
    text: str
    candidate: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished candidate. `logprobs` is empty unless the request asked for them."""

    reason: Reason
    text: str
    reasoning: str
    token_ids: tuple[int, ...]
    seed: int
    candidate: int = 0
    error: str = ""
    hint: str = ""
    logprobs: tuple[WrittenToken, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts in tokens, times in seconds, speeds in tokens per second (0.0 where none ran)."""

    prompt_tokens: int
    cached_tokens: int
    new_tokens: int
    seconds_to_first_token: float
    prefill_tokens_per_second: float
    decode_tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Finished:
    answers: tuple[Answer, ...]
    usage: Usage


Event = ModelLoading | Queued | PromptProgress | ReasoningChunk | TextChunk | Finished
