"""Log-probabilities of given continuations: classification, perplexity, confidence."""

from collections.abc import Sequence

from assistant.backends.base import Backend, DecodeResult, Row
from assistant.engine.base import Keep
from assistant.engine.prefix_cache import PrefixCache
from assistant.errors import NotEnoughMemory, PromptTooLong


def score_continuations(
    backend: Backend,
    cache: PrefixCache,
    prompt_ids: Sequence[int],
    continuations: Sequence[Sequence[int]],
) -> list[float]:
    """Natural log-probability of each continuation after the prompt, summed over its tokens.

    Runs in the engine's thread. Raises `PromptTooLong` and `NotEnoughMemory`.
    """
    return [_score_one(backend, cache, list(prompt_ids), list(ids)) for ids in continuations]


def _score_one(
    backend: Backend, cache: PrefixCache, prompt: list[int], continuation: list[int]
) -> float:
    tokens = prompt + continuation
    if len(tokens) > backend.info.window:
        raise PromptTooLong(
            f"prompt and continuation have {len(tokens):,} tokens; "
            f"the model's window is {backend.info.window:,}"
        )
    slot, done = cache.take(list(prompt))  # never past the prompt: its last token is needed
    try:
        total = 0.0
        while done < len(tokens) - 1:
            rows = _next_rows(slot, tokens, done, len(prompt), backend.max_rows)
            _decode(backend, cache, rows)
            for index, row in enumerate(rows):
                done += len(row.tokens)
                if row.wants_logits:
                    total += float(backend.log_probabilities(index)[tokens[done]])
        return total
    finally:
        cache.advance(slot, min(done, len(prompt)))
        cache.give_back(slot, Keep.PREFIX, len(prompt))


def _next_rows(slot: int, tokens: list[int], done: int, prompt: int, most: int) -> list[Row]:
    """The prompt in one row; after it a row for each token whose successor is scored."""
    rows = []
    if done < prompt - 1:
        take = min(prompt - 1 - done, most - 1)
        rows.append(Row(slot, tokens[done : done + take], done, False))
        done += take
    while done >= prompt - 1 and done < len(tokens) - 1 and _size(rows) < most:
        rows.append(Row(slot, tokens[done : done + 1], done, True))
        done += 1
    return rows


def _size(rows: list[Row]) -> int:
    return sum(len(row.tokens) for row in rows)


def _decode(backend: Backend, cache: PrefixCache, rows: list[Row]) -> None:
    while True:
        match backend.decode(rows):
            case DecodeResult.DECODED:
                return
            case DecodeResult.NO_ROOM if not cache.put_away_idle():
                raise NotEnoughMemory("there is no room to score this prompt", "score less at once")
