"""How long a prompt takes to read on this machine, learnt from the calls that read them.

A native call of so many rows (tokens) is taken to last

    per_call + per_row · rows + per_position · positions        seconds

where `positions` is the sum of the rows' positions in their sequences: a row attends to all that
stands before it. The three are fitted by least squares to the last calls, the later ones counting
more, those that are far off less. What the calls leave open comes from the size of the model: a
row takes 2 · parameters operations and 4 · layers · width more for each position; width · layers
is about 1.5 · √parameters (12 · layers · width² parameters, at the proportions of today's models).

Two programs at once halve the speed from one call to the next. So all three are multiplied by how
the last call differed from them, unless that differs from the calls before it, too: one outlier
says nothing.
"""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Annotated

from msgspec import Meta, Struct

CALLS = 64  # that are remembered
FADING = 0.95  # what a call counts, against the one after it
USUAL_ERROR = 0.15  # of a call's seconds, relative
LARGE_ERROR = 0.3  # beyond it a call counts the less, the farther off it is; relative
ROUNDS = 3  # of fitting
# Without calls that tell: per_call in rows, and how far it and the attention may be off.
USUAL_CALL_ROWS, CALL_RANGE, ATTENTION_RANGE = 3.0, 6.0, 0.7
LEVEL_CALLS = 3  # the last of which one must agree with the last
LEVEL_RANGE = 2.5  # times faster or slower: still no outlier
STARTS = 8  # that are remembered
USUAL_DISK = 2e-9  # seconds per byte, before anything was read from it

_Seconds = Annotated[float, Meta(ge=0.0, le=1e6)]
_Vector = tuple[float, float, float]


class Call(Struct, frozen=True, array_like=True):
    """A native call that read prompts. The bounds are for what comes from a file."""

    rows: Annotated[int, Meta(ge=1, le=10**7)]
    positions: Annotated[int, Meta(ge=0, le=10**14)]
    seconds: Annotated[float, Meta(gt=0.0, le=1e6)]


class Learnt(Struct, frozen=True, forbid_unknown_fields=True):
    """All that is known, the latest first: what the next engine begins with.

    `starts` in seconds, `away` seconds per token and `restored` per byte, None before the first.
    """

    calls: Annotated[tuple[Call, ...], Meta(max_length=CALLS)] = ()
    starts: Annotated[tuple[_Seconds, ...], Meta(max_length=STARTS)] = ()
    away: _Seconds | None = None
    restored: _Seconds | None = None


class Cost(Struct, frozen=True):
    """In seconds; see above."""

    per_call: float
    per_row: float
    per_position: float

    def of(self, rows: int, positions: int) -> float:
        return self.per_call + self.per_row * rows + self.per_position * positions

    def times(self, factor: float) -> "Cost":
        return Cost(self.per_call * factor, self.per_row * factor, self.per_position * factor)


class ReadingSpeed:
    """Of one model on one runtime. One thread learns; any may ask.

    `rows_per_call` is what a prompt that is alone is read in; None: in one call, as an encoder's.
    States of other prompts may have to be put `away` before (seconds per token), or one of this
    prompt to be `restored` from a disk (per byte).
    """

    def __init__(
        self, parameters: int, rows_per_call: int | None, learnt: Learnt | None = None
    ) -> None:
        learnt = learnt or Learnt()
        self._attention = 3.0 / math.sqrt(max(parameters, 10**6))  # per_position in per_row
        self._rows_per_call = rows_per_call
        self._calls = learnt.calls[:CALLS]
        self._starts = learnt.starts[:STARTS]
        self._fitted: tuple[tuple[Call, ...], Cost] | None = None
        self.away = Pace(learnt.away, 0.0)
        self.restored = Pace(learnt.restored, USUAL_DISK)

    @property
    def learnt(self) -> Learnt:
        return Learnt(self._calls, self._starts, self.away.learnt, self.restored.learnt)

    def learn(self, rows: int, positions: int, seconds: float) -> None:
        """A call has read so many rows of prompts, answers that took part included."""
        call = Call(rows, positions, max(seconds, 1e-6))
        self._calls = (call, *self._calls)[:CALLS]

    def learn_start(self, seconds: float, restored_bytes: int = 0) -> None:
        """A request that was alone waited so long for its first token beside the calls, and a
        state of so many bytes was restored for it."""
        if restored_bytes:
            self.restored.learn(restored_bytes, max(0.0, seconds - self.start_seconds))
        else:
            self._starts = (max(seconds, 0.0), *self._starts)[:STARTS]

    def of_call(self, rows: int, positions: int) -> float | None:
        """Predicted seconds of a call; None before the first one."""
        cost = self._cost()
        return None if cost is None else cost.of(rows, positions)

    def seconds(self, done: int, total: int) -> float | None:
        """Predicted seconds to read a prompt from its token `done` to its end, at `total`."""
        cost = self._cost()
        if cost is None:
            return None
        if self._rows_per_call is None:
            return cost.of(total, positions(0, total)) if done < total else 0.0
        ends = [*range(done, total, self._rows_per_call), total]
        return sum(cost.of(end - start, positions(start, end)) for start, end in pairwise(ends))

    @property
    def start_seconds(self) -> float:
        """To be added for a request that has yet to be asked: the least of the last ones, in
        which nothing else had to be done before."""
        return min(self._starts, default=0.0)

    def _cost(self) -> Cost | None:
        """Fitted when it is needed."""
        calls, fitted = self._calls, self._fitted
        if not calls:
            return None
        if fitted is None or fitted[0] is not calls:
            self._fitted = fitted = calls, fit(calls, self._attention)
        return fitted[1]


class Pace:
    """Seconds per token, or byte, of something that takes as long for each: the last and the
    mean of those before count the same."""

    def __init__(self, learnt: float | None, usual: float) -> None:
        self.learnt = learnt
        self._usual = usual

    def learn(self, count: int, seconds: float) -> None:
        pace = seconds / max(count, 1)
        self.learnt = pace if self.learnt is None else (self.learnt + pace) / 2

    def seconds(self, count: int) -> float:
        return count * (self._usual if self.learnt is None else self.learnt)


def positions(start: int, end: int) -> int:
    """The sum of the positions from `start` up to `end`."""
    return (end - start) * (start + end - 1) // 2


def fit(calls: Sequence[Call], attention: float) -> Cost:
    """The cost of calls like these, the latest first; `attention` is per_position in per_row."""
    usual = Cost(USUAL_CALL_ROWS, 1.0, attention)
    weights = [FADING**age for age in range(len(calls))]
    ratios = [call.seconds / usual.of(call.rows, call.positions) for call in calls]
    usual = usual.times(_median(ratios, weights))
    cost = usual
    for _ in range(ROUNDS):
        cost = _fitted_once(calls, weights, usual, cost)
    return cost.times(_level([call.seconds / cost.of(call.rows, call.positions) for call in calls]))


def _fitted_once(calls: Sequence[Call], weights: Sequence[float], usual: Cost, last: Cost) -> Cost:
    """Weighted least squares of the relative errors, in multiples of the `usual` cost."""
    # The normal equations, first those that keep the multiples together.
    near_call, near_attention = CALL_RANGE**-2, ATTENTION_RANGE**-2
    matrix = [
        [near_call, -near_call, 0.0],
        [-near_call, near_call + near_attention, -near_attention],
        [0.0, -near_attention, near_attention],
    ]
    vector = [0.0, 0.0, 0.0]
    for call, weight in zip(calls, weights, strict=True):
        expected = last.of(call.rows, call.positions)
        ratio = call.seconds / expected
        error = max(abs(ratio - 1.0), abs(math.log(ratio)), LARGE_ERROR)
        weight *= LARGE_ERROR / error / USUAL_ERROR**2
        parts = (
            usual.per_call / expected,
            usual.per_row * call.rows / expected,
            usual.per_position * call.positions / expected,
        )
        for i, part in enumerate(parts):
            vector[i] += weight * part * ratio
            for j, other in enumerate(parts):
                matrix[i][j] += weight * part * other
    per_call, per_row, per_position = _solve(matrix, vector)
    return Cost(
        usual.per_call * per_call, usual.per_row * per_row, usual.per_position * per_position
    )


def _solve(matrix: list[list[float]], vector: list[float]) -> _Vector:
    """What solves the equations best with no negative unknown; the matrix is positive definite."""
    free = [0, 1, 2]
    while True:
        found = _eliminate([[matrix[i][j] for j in free] for i in free], [vector[i] for i in free])
        least = min(range(len(free)), key=found.__getitem__)
        if found[least] >= 0.0:
            values = dict(zip(free, found, strict=True))
            return values.get(0, 0.0), values.get(1, 0.0), values.get(2, 0.0)
        del free[least]


def _eliminate(matrix: list[list[float]], vector: list[float]) -> list[float]:
    """Gauss's elimination, which needs no pivots in a positive definite matrix."""
    size = len(vector)
    for column in range(size):
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                vector[row] -= factor * vector[column]
                matrix[row] = [
                    a - factor * b for a, b in zip(matrix[row], matrix[column], strict=True)
                ]
    return [vector[row] / matrix[row][row] for row in range(size)]


def _level(ratios: Sequence[float]) -> float:
    """How much slower all is than fitted, by the last calls, the latest first."""
    latest, usual = ratios[0], _median(ratios[:LEVEL_CALLS], [1.0] * LEVEL_CALLS)
    return latest if 1 / LEVEL_RANGE <= latest / usual <= LEVEL_RANGE else usual


def _median(values: Sequence[float], weights: Sequence[float]) -> float:
    """Values to either side of it have at most half of the weight."""
    pairs = sorted(zip(values, weights, strict=False))
    up_to = list(accumulate(weight for _, weight in pairs))
    return next(
        value for (value, _), sum_ in zip(pairs, up_to, strict=True) if sum_ >= up_to[-1] / 2
    )
