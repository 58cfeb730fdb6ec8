"""Who waits, who runs in which slot, and who gives way when the memory is full."""

import time
from collections import Counter, deque

from msgspec.structs import replace

from assistant.backends.base import Backend
from assistant.engine.base import Keep, Priority
from assistant.engine.prefix_cache import PrefixCache
from assistant.engine.run import Run, SecondsFor, Sequence
from assistant.errors import AssistantError
from assistant.events import Queued, Reason

LONG_WAIT_SECONDS = 20.0  # of background work that gets nothing, before it is as urgent as any
SLOTS_FOR_OTHERS = 1  # that one client of a shared engine cannot take


class Places:
    """Driven by the engine's thread. `waiting` and `running` are for looking only."""

    def __init__(self, backend: Backend, cache: PrefixCache) -> None:
        self.waiting: deque[Run] = deque()
        self.running: list[Sequence] = []
        self._backend = backend
        self._cache = cache
        self._is_full = False  # nobody is admitted before somebody ends

    @property
    def runs(self) -> set[Run]:
        """All requests that have not ended."""
        return {*(s.run for s in self.running), *self.waiting}

    def add(self, run: Run) -> None:
        self.waiting.append(run)

    # ── coming ──────────────────────────────────────────────────────────────────────────────

    def admit(self, seconds_for: SecondsFor) -> None:
        """Give slots to those who wait, as far as there are any."""
        self._is_full = self._is_full and bool(self.running)
        self._hurry_one()
        while not self._is_full and self._cache.has_free_slot():
            sequence = next(filter(None, map(self._ready_sequence, self._in_turn())), None)
            if sequence is None:
                break
            self._start(sequence, seconds_for)
            if all(s.slot is not None or s.reason is not None for s in sequence.run.sequences):
                self.waiting.remove(sequence.run)
        self._tell_positions()

    def _hurry_one(self) -> None:
        """The background work that was left out longest becomes urgent: whoever types all day
        stops nothing for ever. One at a time, so that much of it does not crowd out the urgent.
        """
        late = [run for run in self.runs if run.request.priority is Priority.BACKGROUND]
        if not late or any(run.is_overdue for run in late):
            return
        latest = min(late, key=lambda run: run.moved_at)
        latest.is_overdue = time.monotonic() - latest.moved_at > LONG_WAIT_SECONDS

    def _in_turn(self) -> list[Run]:
        """Who waits, the next one first.

        Urgent ones before background work; then who began already, then the client with the
        fewest answers, those that would be admitted before it included, then who came first.
        """
        if len(self.waiting) < 2:
            return list(self.waiting)
        answers = Counter(sequence.run.client for sequence in self.running)
        before: dict[Run, int] = {}  # answers of the same client, the running ones included
        for run in sorted(self.waiting, key=_urgency):
            before[run] = 0 if run.is_overdue else answers[run.client]
            answers[run.client] += len(run.sequences)
        return sorted(before, key=lambda run: (_urgency(run), before[run]))

    def _ready_sequence(self, run: Run) -> Sequence | None:
        """One that could start now: the other candidates copy the prompt once it is there."""
        slots = self._backend.slots
        most = max(1, slots - SLOTS_FOR_OTHERS) if run.client else slots
        own = [sequence for sequence in self.running if sequence.run.client == run.client]
        if len(own) >= most:
            return None
        wanted = [s for s in run.sequences if s.slot is None and s.reason is None]
        if not wanted or (wanted[0] is not run.leader and run.is_prefilling):
            return None
        return wanted[0]

    def _start(self, sequence: Sequence, seconds_for: SecondsFor) -> None:
        run = sequence.run
        sequence.slot, sequence.done = self._cache.take(sequence.tokens)
        run.moved_at = time.monotonic()
        if run.admitted is None:
            run.admitted, run.cached_tokens = run.moved_at, sequence.done
            run.progress(seconds_for)
        if sequence.sampler is None:
            request = run.request
            sequence.sampler = self._backend.new_sampler(
                request.sampling, sequence.seed, request.grammar
            )
        self.running.append(sequence)

    def _tell_positions(self) -> None:
        waiting = (run for run in self._in_turn() if run.admitted is None)
        for position, run in enumerate(waiting, start=1):
            if run.queue_position != position:
                run.queue_position = position
                run.tell(Queued(position))

    # ── going ───────────────────────────────────────────────────────────────────────────────

    def end_what_should_end(self) -> None:
        """End what was cancelled or is past its deadline."""
        self._obey_cancels()
        self.release_ended()

    def _obey_cancels(self) -> None:
        now = time.monotonic()
        for run in self.runs:
            if run.end_with is None and run.deadline is not None and now > run.deadline:
                run.end_with = Reason.DEADLINE
            if run.end_with is not None:
                for sequence in run.sequences:
                    sequence.end(run.end_with)

    def release_ended(self) -> None:
        """Give back the slots of what has ended, and finish the runs that are over."""
        ended = [s for s in self.running if s.reason is not None]
        self._is_full = self._is_full and not ended
        for sequence in ended:
            self._release(sequence)
            self._finish_if_over(sequence.run)
        for run in list(self.waiting):
            self._finish_if_over(run)

    def _finish_if_over(self, run: Run) -> None:
        if all(s.reason is not None for s in run.sequences):
            run.finish()
            if run in self.waiting:
                self.waiting.remove(run)

    def _release(self, sequence: Sequence) -> None:
        run = sequence.run
        if sequence.slot is not None:
            self._cache.give_back(sequence.slot, run.request.keep, run.prompt_tokens)
            sequence.slot = None
        self.running.remove(sequence)

    def fail_all(self, error: AssistantError) -> None:
        """The backend broke or is closed: every request ends, no slot is given back to it."""
        self._obey_cancels()
        for run in self.runs:
            for sequence in run.sequences:
                sequence.end(Reason.FAILED, (error.message, error.hint))
            run.finish()
        self.running.clear()
        self.waiting.clear()

    def leave_nothing(self) -> None:
        """What runs and waits now goes on, and nothing of it is kept."""
        for run in self.runs:
            run.request = replace(run.request, keep=Keep.NOTHING)

    # ── giving way ──────────────────────────────────────────────────────────────────────────

    def make_room(self) -> None:
        """The memory is full: idle tokens go first, then somebody waits.

        That is background work, else the youngest request of the client with the most answers.
        One that is alone fails, and so does any whose answer an encoder would read as prompt.
        """
        if self._cache.put_away_idle():
            return
        runs = list(dict.fromkeys(s.run for s in reversed(self.running)))
        answers = Counter(sequence.run.client for sequence in self.running)
        last = max(runs, key=lambda r: (is_background(r), answers[r.client], r.admitted or 0.0))
        if len(runs) > 1 and not self._backend.info.abilities.encoder:
            self._put_back(last)
        else:
            error = _no_room(last)
            for sequence in last.sequences:
                sequence.end(Reason.FAILED, error)
        self.release_ended()

    def _put_back(self, run: Run) -> None:
        """It goes on where it stopped when another one has ended."""
        self._is_full = True
        if run not in self.waiting:
            self.waiting.appendleft(run)
        for sequence in [s for s in self.running if s.run is run]:
            self._release(sequence)
        while self._cache.put_away_idle():
            pass


def is_background(run: Run) -> bool:
    """Whether it comes after what somebody waits for."""
    return run.request.priority is Priority.BACKGROUND and not run.is_overdue


def _urgency(run: Run) -> tuple[bool, bool]:
    return is_background(run), run.admitted is None


def _no_room(run: Run) -> tuple[str, str]:
    """Message and hint of an answer that ends because the memory is full and nobody can wait."""
    if not run.is_prefilling:
        return "there is not enough memory to go on", "close other programs or attach less"
    return (
        f"there is not enough memory for this prompt: of its {run.prompt_tokens:,} tokens "
        f"{run.leader.done:,} found room",
        "attach less",
    )
