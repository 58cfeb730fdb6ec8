"""Which token prefix is where: in a slot of the backend, or as a state in host memory.

Idle tokens in the backend's unified cache slow everybody's decoding (22 % for 6,000 idle beside
100 active), and moving them out costs milliseconds: what is idle while another request runs
waits in host memory.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.backends.base import Backend
from assistant.engine.base import Keep
from assistant.engine.reading_speed import Pace

WORTH_MOVING = 32  # tokens; fewer are read again faster than they are moved


OnEvicted = Callable[[tuple[int, ...], bytes], None]


@dataclass(slots=True)
class _Stored:
    token_ids: tuple[int, ...]
    state: bytes


class PrefixCache:
    """Driven by the engine's thread; `longest_prefix` and `to_put_away` may be asked from any.

    What an encoder has read serves no other prompt: then nothing is found, and nothing kept.
    `pace` learns how long a token takes that moves to host memory.
    """

    def __init__(
        self,
        backend: Backend,
        max_bytes: int,
        on_evicted: OnEvicted = lambda _ids, _state: None,
        pace: Pace | None = None,
    ) -> None:
        self._backend = backend
        self._pace = pace or Pace(None, 0.0)
        self._is_encoder = backend.info.abilities.encoder
        self._max_bytes = max_bytes
        self._on_evicted = on_evicted
        self._busy: dict[int, list[int]] = {}  # slot → the tokens of its sequence, growing
        self._done: dict[int, int] = {}  # slot → how many of them are in the KV cache
        self._found: dict[int, int] = {}  # slot → how many of them it held before
        self._idle: dict[int, tuple[int, ...]] = {}  # oldest first
        self._stored: list[_Stored] = []  # oldest first
        self._spent: set[int] = set()  # slots that hold what nobody needs

    def longest_prefix(self, token_ids: Sequence[int]) -> int:
        """How many leading tokens would not be computed again (tokens)."""
        ids = tuple(token_ids)
        held = [*self._idle.values(), *(stored.token_ids for stored in list(self._stored))]
        busy = list(self._busy.items())
        held += [tuple(tokens[: self._done.get(slot, 0)]) for slot, tokens in busy]
        return max((self.usable(ids, have) for have in held), default=0)

    def to_put_away(self, token_ids: Sequence[int]) -> int:
        """Tokens that would first move to host memory if this sequence began now."""
        ids, idle, stored = tuple(token_ids), self._idle.copy(), list(self._stored)
        slot = max(idle, key=lambda slot: self.usable(ids, idle[slot]), default=None)
        length = self.usable(ids, idle[slot]) if slot is not None else 0
        away = max((self.usable(ids, one.token_ids) for one in stored), default=0)
        if slot is not None and length >= max(away, 1, len(idle[slot]) - WORTH_MOVING + 1):
            del idle[slot]  # it is gone on with, and no branch of it is left behind
        return sum(
            len(held)
            for held in idle.values()
            if len(held) >= WORTH_MOVING and not self._is_in(held, stored)
        )

    @property
    def tokens_held(self) -> int:
        """In the native cache, running and idle."""
        return sum(self._done.copy().values()) + sum(map(len, list(self._idle.values())))

    def has_free_slot(self) -> bool:
        return len(self._busy) < self._backend.slots

    def take(self, token_ids: list[int]) -> tuple[int, int]:
        """A slot for this sequence and how many of its tokens the slot already holds.

        Everything idle that is not used moves to host memory. The list is remembered, not
        copied: it grows while the sequence is written.
        """
        self._clear_spent()
        slot, length = self._best_slot(token_ids)
        for idle in [idle for idle in self._idle if idle != slot]:
            self._put_away(idle)
        self._idle.pop(slot, None)
        self._busy[slot] = token_ids
        self._done[slot] = self._found[slot] = length
        return slot, length

    def advance(self, slot: int, length: int) -> None:
        """The slot now holds this many tokens of its sequence."""
        self._done[slot] = length

    def give_back(self, slot: int, keep: Keep, prompt_tokens: int) -> None:
        """The sequence has ended; keep what is worth keeping, and what was kept before it."""
        held = tuple(self._busy.pop(slot)[: self._done.pop(slot)])
        found, trims = self._found.pop(slot), self._backend.info.abilities.trims
        if keep is Keep.NOTHING or self._is_encoder:
            held = held[:found] if trims else ()
        elif keep is Keep.PREFIX and trims:
            held = held[:prompt_tokens]
        if held:
            self._backend.trim(slot, len(held))
            self._idle[slot] = held
        else:
            self._spent.add(slot)
        if not self._busy:
            self._clear_spent()

    def put_away_idle(self) -> bool:
        """Clear what nobody needs, else move the oldest idle slot to host memory, to make room.

        False when there is neither.
        """
        if self._spent:
            self._clear_spent()
            return True
        if not self._idle:
            return False
        self._put_away(next(iter(self._idle)))
        return True

    def _clear_spent(self) -> None:
        """Not at once while others write: their next tokens would fill the cells that become
        free, and attention that adds up its cells in another order rounds differently."""
        for slot in self._spent:
            self._backend.trim(slot, 0)
        self._spent.clear()

    def _best_slot(self, ids: list[int]) -> tuple[int, int]:
        """The slot to use, prepared: trimmed, restored or copied to the longest known prefix."""
        idle = max(self._idle, key=lambda s: self.usable(ids, self._idle[s]), default=None)
        length = self.usable(ids, self._idle[idle]) if idle is not None else 0
        running = self._longest_running(ids)
        away = max((self.usable(ids, stored.token_ids) for stored in self._stored), default=0)
        if idle is not None and length and length >= max(away, running[1] if running else 0):
            if len(self._idle[idle]) - length >= WORTH_MOVING:
                self._store(idle)  # another branch of the same conversation stays reachable
            self._backend.trim(idle, length)
            return idle, length
        while self.put_away_idle():  # before a state comes back: it needs the room
            pass
        empty = next(s for s in range(self._backend.slots) if s not in self._busy)
        stored = max(self._stored, key=lambda s: self.usable(ids, s.token_ids), default=None)
        away = self.usable(ids, stored.token_ids) if stored else 0
        if running and running[1] and running[1] >= away:
            self._backend.copy(running[0], empty)
            self._backend.trim(empty, running[1])
            return empty, running[1]
        if stored and away and self._backend.import_state(empty, stored.state):
            self._backend.trim(empty, away)
            self._stored.remove(stored)
            self._stored.append(stored)
            return empty, away
        self._backend.trim(empty, 0)
        return empty, 0

    def _longest_running(self, ids: list[int]) -> tuple[int, int] | None:
        """A busy slot that can be copied, and the length of the prefix it shares."""
        abilities = self._backend.info.abilities
        if not (abilities.candidates and abilities.trims):
            return None
        shared = {
            slot: self.usable(ids, tokens[: self._done[slot]])
            for slot, tokens in self._busy.items()
        }
        slot = max(shared, key=lambda s: shared[s], default=None)
        return None if slot is None else (slot, shared[slot])

    def usable(self, ids: Sequence[int], held: Sequence[int]) -> int:
        """Tokens of `held` that can be reused for `ids`.

        The last one is always computed, for its logits, and never alone where that can be
        helped: one row and several are computed by different kernels.
        """
        if self._is_encoder:
            return 0
        length = common_prefix(ids, held)
        if self._backend.info.abilities.trims:
            return max(0, min(length, len(ids) - 2))
        return length if length == len(held) < len(ids) else 0

    def _put_away(self, slot: int) -> None:
        if len(self._idle[slot]) >= WORTH_MOVING:
            self._store(slot)
        del self._idle[slot]
        self._backend.trim(slot, 0)

    def _store(self, slot: int) -> None:
        """Copy an idle slot to host memory; shorter states that it contains are dropped."""
        ids = self._idle[slot]
        if self._is_in(ids, self._stored):
            return
        trims = self._backend.info.abilities.trims
        self._stored = [
            stored
            for stored in self._stored
            if not trims or stored.token_ids != ids[: len(stored.token_ids)]
        ]
        started = time.perf_counter()
        self._stored.append(_Stored(ids, self._backend.export_state(slot)))
        self._pace.learn(len(ids), time.perf_counter() - started)
        while sum(len(stored.state) for stored in self._stored) > self._max_bytes:
            evicted = self._stored.pop(0)
            self._on_evicted(evicted.token_ids, evicted.state)

    def _is_in(self, ids: tuple[int, ...], stored: Sequence[_Stored]) -> bool:
        """Whether one of these states serves whoever needs this one."""
        trims = self._backend.info.abilities.trims
        return any(
            ids == one.token_ids or (trims and ids == one.token_ids[: len(ids)]) for one in stored
        )

    def forget(self) -> None:
        """All that is kept, and what was there before those that run now."""
        self._spent.update(self._idle)
        self._idle.clear()
        self._stored.clear()
        self._found = dict.fromkeys(self._found, 0)
        if not self._busy:
            self._clear_spent()

    # ── states that come from a disk, or go there ───────────────────────────────────────────

    def add(self, token_ids: tuple[int, ...], state: bytes) -> None:
        """A state that somebody kept elsewhere; `take` finds it like any other."""
        if all(stored.token_ids != token_ids for stored in self._stored):
            self._stored.append(_Stored(token_ids, state))

    def kept(self) -> list[tuple[tuple[int, ...], int | None]]:
        """Tokens of what is kept and idle, the newest first, and the slot that holds them."""
        idle = [(ids, slot) for slot, ids in reversed(self._idle.items())]
        return [*idle, *((stored.token_ids, None) for stored in reversed(self._stored))]

    def state_of(self, token_ids: tuple[int, ...], slot: int | None) -> bytes:
        """The state of one of `kept`."""
        if slot is not None:
            return self._backend.export_state(slot)
        return next(stored.state for stored in self._stored if stored.token_ids == token_ids)


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common prefix: by doubling, then by bisection of the last step, on slices
    (fast for thousands of tokens, and at once where the beginnings differ)."""
    most, low, step = min(len(a), len(b)), 0, 16
    while low < most and _are_alike(a, b, low, min(low + step, most)):
        low, step = min(low + step, most), 2 * step
    high = min(low + step, most)
    while low < high:
        middle = (low + high + 1) // 2
        if _are_alike(a, b, low, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _are_alike(a: Sequence[int], b: Sequence[int], start: int, end: int) -> bool:
    return tuple(a[start:end]) == tuple(b[start:end])
