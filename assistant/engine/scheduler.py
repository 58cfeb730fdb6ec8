"""Which rows go into the next decode: continuous batching of everything that runs.

Every sequence that writes contributes one token to each step; prompts share what is left of
the step. A prompt that is alone is read in calls as large as is fastest; beside others a call
holds about 200 ms of work, learnt from the calls before, so that nobody waits long. Short
prompts are read first; long ones share what is left, client by client.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from assistant.backends.base import Backend, DecodeResult, Row
from assistant.engine.places import Places, is_background
from assistant.engine.prefix_cache import PrefixCache
from assistant.engine.reading_order import SMALLEST_CHUNK, goes_first, is_completion, share_out
from assistant.engine.reading_speed import Learnt, ReadingSpeed, positions
from assistant.engine.run import Run, Sequence
from assistant.engine.scoring import Scoring
from assistant.errors import AssistantError, NotEnoughMemory
from assistant.events import TokenLogprob, WrittenToken

SHARED_CALL_SECONDS = 0.2  # of work in a call that others wait for
QUIET_SECONDS = 2.0  # after an arrival beside others, before calls grow large again
PROBE_TOKENS = 32  # the very first call is small: it teaches the speed


@dataclass(frozen=True, slots=True)
class InFlight:
    """The native call that runs now, for those who may want to interrupt it."""

    rows_by_run: dict[Run, int]
    rows: int
    started: float
    predicted_seconds: float | None  # None before the first measurement
    progress: Callable[[], float]  # see `Backend`

    @property
    def expected_seconds(self) -> float | None:
        """What the call takes in all: longer than predicted when it gets on more slowly."""
        if self.predicted_seconds is None:
            return None
        share = self.progress()
        elapsed = time.monotonic() - self.started
        return max(self.predicted_seconds, elapsed / share if share else 0.0)

    def is_mostly(self, run: Run) -> bool:
        return self.rows_by_run.get(run, 0) * 2 > self.rows

    def is_short_with(self, run: Run) -> bool:
        """A step of a few tokens in which the run takes part: cheap to do again without it."""
        return run in self.rows_by_run and self.rows <= SMALLEST_CHUNK


def speed_of(backend: Backend, learnt: Learnt | None = None) -> ReadingSpeed:
    """What is learnt of this backend; a prompt that is alone is read in calls of `max_rows`."""
    info = backend.info
    rows_per_call = None if info.abilities.encoder else backend.max_rows
    return ReadingSpeed(info.parameters, rows_per_call, learnt)


class Scheduler:
    """Driven by the engine's thread; `in_flight`, `speed` and `seconds_for` are for any."""

    def __init__(
        self, backend: Backend, cache: PrefixCache, speed: ReadingSpeed | None = None
    ) -> None:
        self._backend = backend
        self.speed = speed or speed_of(backend)
        self._cache = cache
        self._places = Places(backend, cache)
        self._reads_whole = backend.info.abilities.encoder  # computed when its last token is there
        self._scorings: deque[Scoring] = deque()
        self._last_contention = -QUIET_SECONDS
        self._tokens_per_second: float | None = None  # prefill, beside others too
        self.in_flight: InFlight | None = None

    @property
    def is_idle(self) -> bool:
        return not self._places.runs and not self._scorings

    @property
    def counts(self) -> tuple[int, int]:
        """Requests that run, and those that wait; any thread may look."""
        running = {sequence.run for sequence in list(self._places.running)}
        waiting = [run for run in list(self._places.waiting) if run not in running]
        return len(running), len(waiting)

    def seconds_for(self, done: int, total: int) -> float | None:
        """Predicted seconds to read a prompt from `done` to `total`; None before the first call."""
        return self.speed.seconds(done, total)

    def add(self, run: Run) -> None:
        if not self.is_idle:
            self._last_contention = time.monotonic()
        self._places.add(run)

    def add_scoring(self, scoring: Scoring) -> None:
        self._scorings.append(scoring)

    def forget(self) -> None:
        """What is kept, and what those who run or wait would leave behind."""
        self._places.leave_nothing()
        self._cache.forget()

    def step(self) -> None:
        """One native call for the answers, and one for a question for scores."""
        self._answer()
        self._score()

    def _answer(self) -> None:
        """Admit who fits, run one native call, hand out what it gave."""
        self._places.end_what_should_end()
        self._places.admit(self.seconds_for)
        chosen = self._choose()
        if not chosen:
            return
        rows = [
            Row(slot, s.tokens[s.done : s.done + n], s.done, n == s.pending)
            for s, n in chosen
            if (slot := s.slot) is not None
        ]
        result, seconds = self._decode(rows, _tokens_by_run(chosen))
        if result is DecodeResult.DECODED:
            self._learn(chosen, rows, seconds)
            self._advance(chosen)
        elif result is DecodeResult.NO_ROOM:
            self._places.make_room()

    def _decode(self, rows: list[Row], by_run: dict[Run, int]) -> tuple[DecodeResult, float]:
        """One native call and the seconds it took."""
        started, tokens = time.monotonic(), sum(len(row.tokens) for row in rows)
        predicted = self.speed.of_call(tokens, _positions(rows))
        self.in_flight = InFlight(by_run, tokens, started, predicted, self._backend.progress)
        try:
            return self._backend.decode(rows), time.monotonic() - started
        finally:
            self.in_flight = None

    def fail_all(self, error: AssistantError) -> None:
        """The backend broke or is closed: everybody who asked hears of it."""
        self._places.fail_all(error)
        for scoring in self._scorings:
            scoring.fail(error)
        self._scorings.clear()

    # ── one step ────────────────────────────────────────────────────────────────────────────

    def _choose(self) -> list[tuple[Sequence, int]]:
        """Who takes part in the next call, with how many tokens."""
        running = self._places.running
        writing = [s for s in running if s.pending == 1][: self._backend.max_rows]
        reading = [s for s in running if s.pending > 1]
        chosen = [(s, 1) for s in writing]
        if not reading:
            return chosen
        urgent = [s for s in reading if not is_background(s.run)] or reading
        now = time.monotonic()
        if any(map(is_completion, writing)) and not any(goes_first(s, now) for s in urgent):
            return chosen
        budget = self._prompt_budget(len(writing), max(s.pending for s in reading))
        return chosen + share_out(budget, self._backend.max_rows - len(writing), urgent, now)

    def _prompt_budget(self, writing: int, longest: int) -> int:
        """Prompt tokens for the next call; `longest` is the most that one sequence still needs."""
        most = self._backend.max_rows - writing
        if self._reads_whole:
            return most
        if self._tokens_per_second is None and longest > 4 * PROBE_TOKENS:
            return PROBE_TOKENS
        is_quiet = time.monotonic() - self._last_contention > QUIET_SECONDS
        if len(self._places.runs) == 1 and is_quiet and not self._scorings:
            return most
        return self._shared_budget(most)

    def _shared_budget(self, most: int) -> int:
        """Tokens of a call that others wait for."""
        if self._tokens_per_second is None:
            return most
        return min(most, max(SMALLEST_CHUNK, int(self._tokens_per_second * SHARED_CALL_SECONDS)))

    def _learn(self, chosen: list[tuple[Sequence, int]], rows: list[Row], seconds: float) -> None:
        """What the call tells of the speed, if it read any prompt."""
        for run in {sequence.run for sequence, _ in chosen}:
            run.computing_seconds += seconds
        if all(tokens == 1 for _, tokens in chosen):
            return
        computed, read = sum(tokens for _, tokens in chosen), _positions(rows)
        is_worth_a_rate = computed - len(chosen) >= SMALLEST_CHUNK
        if self._reads_whole:
            if any(tokens < s.pending for s, tokens in chosen):
                return
            ends = [s.done + tokens for s, tokens in chosen]
            computed, read = sum(ends), sum(positions(0, end) for end in ends)
        self.speed.learn(computed, read, seconds)
        if is_worth_a_rate:
            rate = computed / max(seconds, 1e-6)
            known = self._tokens_per_second
            self._tokens_per_second = rate if known is None else 0.5 * (known + rate)

    def _advance(self, chosen: list[tuple[Sequence, int]]) -> None:
        now = time.monotonic()
        drawn: list[tuple[Sequence, int]] = []
        for row, (sequence, tokens) in enumerate(chosen):
            run = sequence.run
            run.moved_at = now
            sequence.done += tokens
            self._cache.advance(sequence.slot or 0, sequence.done)
            if sequence.pending:
                if run.is_prefilling:
                    run.progress(self.seconds_for)
                continue
            if run.is_prefilling and tokens < run.prompt_tokens - run.cached_tokens:
                run.progress(self.seconds_for)
            drawn.append((sequence, self._sample(row, sequence)))
        self._stamp([sequence.run for sequence, _ in drawn])
        # Readers wake up with the first word: none is told while a sampler has yet to run.
        for sequence, token in drawn:
            sequence.write(token, self._backend.info.window)
        self._places.release_ended()

    def _stamp(self, runs: list[Run]) -> None:
        """They have got their next tokens."""
        now = time.monotonic()
        for run in runs:
            run.last_token = now
            if run.first_token is None:
                run.first_token = now
                if self._last_contention < run.started and not self._scorings:
                    self.speed.learn_start(
                        now - run.started - run.computing_seconds, run.restored_bytes
                    )

    def _sample(self, row: int, sequence: Sequence) -> int:
        assert sequence.sampler is not None
        token = self._backend.sample(row, sequence.sampler)
        top = sequence.run.request.top_logprobs
        if top is not None and token not in sequence.run.tokenizer.ends_answer:
            sequence.logprobs.append(self._logprobs(row, token, top))
        return token

    def _logprobs(self, row: int, token: int, top: int) -> WrittenToken:
        values = self._backend.log_probabilities(row)  # (vocabulary,)
        best = values.argsort()[::-1][:top] if top else ()
        return WrittenToken(
            token,
            float(values[token]),
            tuple(TokenLogprob(int(t), float(values[t])) for t in best),
        )

    # ── scores ──────────────────────────────────────────────────────────────────────────────

    def _score(self) -> None:
        """One native call for the question that came first; answers go on in between."""
        if not self._scorings:
            return
        scoring, backend, cache = self._scorings[0], self._backend, self._cache
        if not scoring.holds_slot and not cache.has_free_slot():
            return
        others = self._places.runs
        most = self._shared_budget(backend.max_rows) if others else backend.max_rows
        rows = scoring.next_rows(cache, backend.info.window, most, backend.max_outputs)
        if rows:
            result, _seconds = self._decode(rows, {})
            if result is DecodeResult.DECODED:
                scoring.advance(backend, cache, rows)
            elif result is DecodeResult.NO_ROOM and not cache.put_away_idle():
                scoring.release(backend, cache)
                error = NotEnoughMemory("there is no room to score this", "score less at once")
                scoring.fail(error)
        if scoring.is_over:
            self._scorings.popleft()


def _tokens_by_run(chosen: list[tuple[Sequence, int]]) -> dict[Run, int]:
    by_run: dict[Run, int] = {}
    for sequence, tokens in chosen:
        by_run[sequence.run] = by_run.get(sequence.run, 0) + tokens
    return by_run


def _positions(rows: list[Row]) -> int:
    return sum(positions(row.start, row.start + len(row.tokens)) for row in rows)
