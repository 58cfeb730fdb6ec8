"""Log-probabilities of given continuations: classification, perplexity, confidence."""

import threading
from collections.abc import Sequence

from assistant.backends.base import Backend, Row
from assistant.engine.base import Keep
from assistant.engine.prefix_cache import PrefixCache
from assistant.errors import AssistantError, PromptTooLong


class Scoring:
    """A question for scores: run call by call in the engine's thread, waited for in another.

    A score is the natural log-probability of a continuation after the prompt, summed over its
    tokens.
    """

    def __init__(self, prompt_ids: Sequence[int], continuations: Sequence[Sequence[int]]) -> None:
        self._prompt = list(prompt_ids)
        self._todo = [list(ids) for ids in reversed(continuations)]
        self._scores: list[float] = []
        self._total = 0.0
        self._tokens: list[int] = []  # prompt and continuation
        self._done = 0  # how many of them the slot holds
        self._slot: int | None = None
        self._error: AssistantError | None = None
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    @property
    def holds_slot(self) -> bool:
        return self._slot is not None

    def result(self) -> list[float]:
        """Wait for the scores. Raises `PromptTooLong`, `NotEnoughMemory`, `EngineFailed`."""
        self._over.wait()
        if self._error is not None:
            raise self._error
        return self._scores

    def fail(self, error: AssistantError) -> None:
        self._error = error
        self._over.set()

    def next_rows(self, cache: PrefixCache, window: int, most: int, outputs: int) -> list[Row]:
        """The rows of the next call, at most `most` tokens, `outputs` of them with logits.

        None when everything is scored.
        """
        while self._slot is None and not self.is_over:
            self._begin(cache, window)
        return [] if self._slot is None else self._rows(self._slot, most, outputs)

    def advance(self, backend: Backend, cache: PrefixCache, rows: Sequence[Row]) -> None:
        """Add up what the call gave."""
        for index, row in enumerate(rows):
            self._done += len(row.tokens)
            if row.wants_logits:
                values = backend.log_probabilities(index)  # (vocabulary,)
                self._total += float(values[self._tokens[self._done]])
        if self._done >= len(self._tokens) - 1:
            self._scores.append(self._total)
            self.release(backend, cache)
            if not self._todo:
                self._over.set()

    def release(self, backend: Backend, cache: PrefixCache) -> None:
        """Give the slot back; the prompt in it is worth keeping where it can be cut out."""
        if self._slot is not None:
            keep = Keep.PREFIX if backend.info.abilities.trims else Keep.NOTHING
            cache.advance(self._slot, min(self._done, len(self._prompt)))
            cache.give_back(self._slot, keep, len(self._prompt))
            self._slot = None

    def _begin(self, cache: PrefixCache, window: int) -> None:
        """Take a slot for the next continuation, unless nothing has to be computed for it."""
        if not self._todo:
            self._over.set()
            return
        self._tokens, self._total = self._prompt + self._todo.pop(), 0.0
        if len(self._tokens) > window:
            self.fail(
                PromptTooLong(
                    f"prompt and continuation have {len(self._tokens):,} tokens; "
                    f"the model's window is {window:,}"
                )
            )
        elif len(self._tokens) - 1 < max(1, len(self._prompt)):
            self._scores.append(0.0)
        else:
            # Never past the prompt: the logits of its last token are needed.
            self._slot, self._done = cache.take(list(self._prompt))

    def _rows(self, slot: int, most: int, outputs: int) -> list[Row]:
        """The prompt in one row; after it a row for each token whose successor is scored."""
        tokens, done, last = self._tokens, self._done, len(self._prompt) - 1
        rows = []
        if done < last:
            take = min(last - done, most)
            rows.append(Row(slot, tokens[done : done + take], done, False))
            done, most = done + take, most - take
        most = min(most, outputs)
        while done >= last and done < len(tokens) - 1 and most > 0:
            rows.append(Row(slot, tokens[done : done + 1], done, True))
            done, most = done + 1, most - 1
        return rows
