"""Which rows go into the next decode: continuous batching of everything that runs.

Every sequence that writes contributes one token to each step; prompts share what is left of
the step. A prompt that is alone is read in calls as large as is fastest; beside others a call
holds about 200 ms of work, learnt from the calls before, so that nobody waits long.
"""

import time
from collections import deque
from dataclasses import dataclass

from assistant.backends.base import Backend, DecodeResult, Row
from assistant.engine.base import Priority
from assistant.engine.prefix_cache import PrefixCache
from assistant.engine.run import Run, Sequence
from assistant.events import Queued, Reason, TokenLogprob, WrittenToken

SHARED_CALL_SECONDS = 0.2  # of work in a call that others wait for
QUIET_SECONDS = 2.0  # after an arrival beside others, before calls grow large again
SMALLEST_CHUNK = 16  # tokens of a prompt
PROBE_TOKENS = 32  # the very first call is small: it teaches the speed


@dataclass(frozen=True, slots=True)
class InFlight:
    """The native call that runs now, for those who may want to interrupt it."""

    rows_by_run: dict[Run, int]
    rows: int
    started: float
    expected_seconds: float | None

    def is_mostly(self, run: Run) -> bool:
        return self.rows_by_run.get(run, 0) * 2 > self.rows


class Scheduler:
    """Driven by the engine's thread; `in_flight` and `seconds_for` may be read from any."""

    def __init__(self, backend: Backend, cache: PrefixCache) -> None:
        self._backend = backend
        self._cache = cache
        self._waiting: deque[Run] = deque()
        self._running: list[Sequence] = []
        self._last_contention = -QUIET_SECONDS
        self._tokens_per_second: float | None = None  # prefill
        self.in_flight: InFlight | None = None

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._running

    def seconds_for(self, prompt_tokens: float) -> float | None:
        """Predicted seconds to read so many tokens; None before the first measurement."""
        speed = self._tokens_per_second
        return None if speed is None else prompt_tokens / speed

    def add(self, run: Run) -> None:
        if not self.is_idle:
            self._last_contention = time.monotonic()
        background = run.request.priority is Priority.BACKGROUND
        place = len(self._waiting)
        while not background and place and _is_background(self._waiting[place - 1]):
            place -= 1
        self._waiting.insert(place, run)

    def step(self) -> None:
        """Admit who fits, run one native call, hand out what it gave."""
        self._end_what_should_end()
        self._admit()
        chosen = self._choose()
        if not chosen:
            return
        rows = [
            Row(slot, s.tokens[s.done : s.done + n], s.done, n == s.pending)
            for s, n in chosen
            if (slot := s.slot) is not None
        ]
        started = time.monotonic()
        self.in_flight = self._describe(chosen, started)
        result = self._backend.decode(rows)
        self.in_flight = None
        if result is DecodeResult.DECODED:
            self._learn(chosen, time.monotonic() - started)
            self._advance(chosen)
        elif result is DecodeResult.NO_ROOM:
            self._make_room()

    def fail_all(self, message: str, hint: str) -> None:
        """The backend broke: every request ends, nothing is given back to it."""
        for run in {*(s.run for s in self._running), *self._waiting}:
            for sequence in run.sequences:
                sequence.end(Reason.FAILED, (message, hint))
            run.finish()
        self._running.clear()
        self._waiting.clear()

    # ── coming and going ────────────────────────────────────────────────────────────────────

    def _admit(self) -> None:
        for run in list(self._waiting):
            for sequence in run.sequences:
                if not self._cache.has_free_slot():
                    self._tell_positions()
                    return
                if sequence.slot is None and sequence.reason is None:
                    if sequence is not run.leader and run.is_prefilling:
                        break  # the others copy the prompt once it is there
                    self._start(sequence)
            else:
                self._waiting.remove(run)

    def _start(self, sequence: Sequence) -> None:
        run = sequence.run
        sequence.slot, sequence.done = self._cache.take(sequence.tokens)
        if run.admitted is None:
            run.admitted, run.cached_tokens = time.monotonic(), sequence.done
            run.progress(0, self.seconds_for)
        if sequence.sampler is None:
            request = run.request
            sequence.sampler = self._backend.new_sampler(
                request.sampling, sequence.seed, request.grammar
            )
        self._running.append(sequence)

    def _tell_positions(self) -> None:
        for position, run in enumerate((r for r in self._waiting if r.admitted is None), start=1):
            if run.queue_position != position:
                run.queue_position = position
                run.tell(Queued(position))

    def _end_what_should_end(self) -> None:
        now = time.monotonic()
        for run in {*(s.run for s in self._running), *self._waiting}:
            if run.end_with is None and run.deadline is not None and now > run.deadline:
                run.end_with = Reason.DEADLINE
            if run.end_with is not None:
                for sequence in run.sequences:
                    sequence.end(run.end_with)
                if run in self._waiting:
                    self._waiting.remove(run)
                if all(s.slot is None for s in run.sequences):
                    run.finish()
        self._release_ended()

    def _release_ended(self) -> None:
        for sequence in [s for s in self._running if s.reason is not None]:
            self._running.remove(sequence)
            self._release(sequence)
            if all(s.reason is not None for s in sequence.run.sequences):
                sequence.run.finish()

    def _release(self, sequence: Sequence) -> None:
        run = sequence.run
        if sequence.slot is not None:
            self._cache.give_back(sequence.slot, run.request.keep, run.prompt_tokens)
            sequence.slot = None
        if sequence.reason is not None and sequence.sampler is not None:
            sequence.sampler.close()
            sequence.sampler = None

    # ── one step ────────────────────────────────────────────────────────────────────────────

    def _choose(self) -> list[tuple[Sequence, int]]:
        """Who takes part in the next call, with how many tokens."""
        writing = [s for s in self._running if s.pending == 1][: self._backend.max_rows]
        reading = [s for s in self._running if s.pending > 1]
        chosen = [(s, 1) for s in writing]
        if not reading:
            return chosen
        interactive = [s for s in reading if not _is_background(s.run)] or reading
        budget = self._prompt_budget(len(writing), max(s.pending for s in reading))
        for place, sequence in enumerate(interactive):
            share = max(SMALLEST_CHUNK, budget // (len(interactive) - place))
            taken = min(sequence.pending, share, self._backend.max_rows - sum(n for _, n in chosen))
            if taken > 0:
                chosen.append((sequence, taken))
                budget -= taken
        return chosen

    def _prompt_budget(self, writing: int, longest: int) -> int:
        """Prompt tokens for the next call; `longest` is the most that one sequence still needs."""
        most = self._backend.max_rows - writing
        if self._tokens_per_second is None and longest > 4 * PROBE_TOKENS:
            return PROBE_TOKENS
        runs = {s.run for s in self._running} | set(self._waiting)
        is_quiet = time.monotonic() - self._last_contention > QUIET_SECONDS
        if (len(runs) == 1 and is_quiet) or self._tokens_per_second is None:
            return most
        return max(SMALLEST_CHUNK, min(most, int(self._tokens_per_second * SHARED_CALL_SECONDS)))

    def _describe(self, chosen: list[tuple[Sequence, int]], started: float) -> InFlight:
        by_run: dict[Run, int] = {}
        for sequence, tokens in chosen:
            by_run[sequence.run] = by_run.get(sequence.run, 0) + tokens
        rows = sum(by_run.values())
        return InFlight(by_run, rows, started, self.seconds_for(rows))

    def _learn(self, chosen: list[tuple[Sequence, int]], seconds: float) -> None:
        rows = sum(tokens for _, tokens in chosen)
        if rows - len(chosen) < SMALLEST_CHUNK:
            return
        speed = rows / max(seconds, 1e-6)
        known = self._tokens_per_second
        self._tokens_per_second = speed if known is None else 0.5 * (known + speed)

    def _advance(self, chosen: list[tuple[Sequence, int]]) -> None:
        now = time.monotonic()
        for row, (sequence, tokens) in enumerate(chosen):
            run = sequence.run
            sequence.done += tokens
            self._cache.advance(sequence.slot or 0, sequence.done)
            if sequence.pending:
                run.progress(0, self.seconds_for)
                continue
            if run.first_token is None:
                if tokens < run.prompt_tokens - run.cached_tokens:
                    run.progress(0, self.seconds_for)
                run.first_token = now
            run.last_token = now
            self._sample(row, sequence)
        self._release_ended()

    def _sample(self, row: int, sequence: Sequence) -> None:
        assert sequence.sampler is not None
        token = self._backend.sample(row, sequence.sampler)
        top = sequence.run.request.top_logprobs
        if top is not None:
            sequence.logprobs.append(self._logprobs(row, token, top))
        sequence.write(token, self._backend.info.window)

    def _logprobs(self, row: int, token: int, top: int) -> WrittenToken:
        values = self._backend.log_probabilities(row)  # (vocabulary,)
        best = values.argsort()[::-1][:top] if top else ()
        return WrittenToken(
            token,
            float(values[token]),
            tuple(TokenLogprob(int(t), float(values[t])) for t in best),
        )

    def _make_room(self) -> None:
        """The cache is full: idle tokens go first, then the youngest request waits."""
        if self._cache.put_away_idle():
            return
        youngest = max((s.run for s in self._running), key=lambda run: run.admitted or 0.0)
        alone = all(s.run is youngest for s in self._running)
        for sequence in [s for s in self._running if s.run is youngest]:
            self._running.remove(sequence)
            if alone:
                reason = Reason.FAILED if youngest.is_prefilling else Reason.CONTEXT_FULL
                sequence.end(reason, ("not enough memory for this prompt", "attach less"))
            self._release(sequence)
        if alone:
            youngest.finish()
        elif youngest not in self._waiting:
            self._waiting.appendleft(youngest)


def _is_background(run: Run) -> bool:
    return run.request.priority is Priority.BACKGROUND
