"""What an engine tells: small facts, in the order in which they happen.

A stream is any number of `ModelLoading`, `Queued`, `PromptProgress`, `ReasoningChunk` and
`TextChunk`, then exactly one `Finished`.
"""

from enum import StrEnum

from msgspec import Struct


class Reason(StrEnum):
    """Why an answer ended."""

    DONE = "done"  # the model ended it, or a stop string came
    LENGTH = "length"  # max_new_tokens were written
    STOPPED = "stopped"  # somebody cancelled it
    DEADLINE = "deadline"  # deadline_seconds passed
    REPEATING = "repeating"  # the tail went round in circles
    CONTEXT_FULL = "context_full"  # the window has no room for another token
    FAILED = "failed"  # see Answer.error


class ModelLoading(Struct, frozen=True, tag=True):
    """`stage` in words; `share` of the loading done, 0 to 1, or None when unknown."""

    stage: str
    share: float | None = None


class Queued(Struct, frozen=True, tag=True):
    """Waiting for a place; 1 is next."""

    position: int


class PromptProgress(Struct, frozen=True, tag=True):
    """Prefill: `tokens_done` of `tokens_total`, both including the `tokens_cached`."""

    tokens_done: int
    tokens_total: int
    tokens_cached: int
    seconds_left: float | None


class TokenLogprob(Struct, frozen=True):
    """Natural logarithm of the probability that the model gave this token."""

    token_id: int
    logprob: float


class WrittenToken(Struct, frozen=True):
    """A sampled token, its log-probability and the most probable ones in its place."""

    token_id: int
    logprob: float
    top: tuple[TokenLogprob, ...]


class ReasoningChunk(Struct, frozen=True, tag=True):
    text: str
    candidate: int = 0


class TextChunk(Struct, frozen=True, tag=True):
    text: str
    candidate: int = 0


class Answer(Struct, frozen=True):
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


class Usage(Struct, frozen=True):
    """Counts in tokens, times in seconds, speeds in tokens per second (0.0 where none ran)."""

    prompt_tokens: int
    cached_tokens: int
    new_tokens: int
    seconds_to_first_token: float
    prefill_tokens_per_second: float
    decode_tokens_per_second: float


class Finished(Struct, frozen=True, tag=True):
    """`prompt_hash` is that of the prompt's token ids, "" where they are not known."""

    answers: tuple[Answer, ...]
    usage: Usage
    prompt_hash: str = ""


Event = ModelLoading | Queued | PromptProgress | ReasoningChunk | TextChunk | Finished
