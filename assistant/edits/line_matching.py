"""Which lines of two texts are the same ones: what diffs and line ends are made from.

Lines that occur once in both texts are anchors, as in patience diff; what lies between them is
matched in the same way, and in the end by difflib. Measured: 20,000 lines with 50 to 10,000
scattered changes take 0.1 to 0.4 s; difflib alone takes up to 3 s where lines repeat.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

# Where no line is unique, perhaps so many in a row are.
ANCHOR_WIDTHS = (1, 3, 9)  # lines
# Beyond, what has no anchor counts as replaced: difflib is quadratic, and worse for few kinds.
MAX_DIFFLIB_PAIRS = 40_000  # old lines × new lines


class Pair(NamedTuple):
    """Indexes of one line in the old and in the new text."""

    old: int
    new: int


@dataclass(frozen=True, slots=True)
class _Gap:
    """Lines between two anchors: old[old_start:old_end] against new[new_start:new_end]."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int

    @property
    def is_one_sided(self) -> bool:
        return self.old_start == self.old_end or self.new_start == self.new_end


def match_lines(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """Equal lines that belong together, ascending on both sides."""
    found: list[Pair] = []
    gaps = [_Gap(0, len(old), 0, len(new))]
    while gaps:
        gap = _without_equal_ends(old, new, gaps.pop(), found)
        if gap.is_one_sided:
            continue
        anchors = _anchors(old, new, gap)
        if anchors:
            found += anchors
            gaps += _between(anchors, gap)
        elif (gap.old_end - gap.old_start) * (gap.new_end - gap.new_start) <= MAX_DIFFLIB_PAIRS:
            found += _match_small(old, new, gap)
    return sorted(found)


def _without_equal_ends(
    old: Sequence[str], new: Sequence[str], gap: _Gap, found: list[Pair]
) -> _Gap:
    start, other_start, end, other_end = gap.old_start, gap.new_start, gap.old_end, gap.new_end
    while start < end and other_start < other_end and old[start] == new[other_start]:
        found.append(Pair(start, other_start))
        start, other_start = start + 1, other_start + 1
    while start < end and other_start < other_end and old[end - 1] == new[other_end - 1]:
        end, other_end = end - 1, other_end - 1
        found.append(Pair(end, other_end))
    return _Gap(start, end, other_start, other_end)


def _anchors(old: Sequence[str], new: Sequence[str], gap: _Gap) -> list[Pair]:
    for width in ANCHOR_WIDTHS:
        places = _unique_runs(new, gap.new_start, gap.new_end, width)
        runs = _unique_runs(old, gap.old_start, gap.old_end, width)
        pairs = [Pair(at, places[run]) for run, at in runs.items() if run in places]
        if pairs:
            return _longest_ascending(pairs)
    return []


def _unique_runs(
    lines: Sequence[str], start: int, end: int, width: int
) -> dict[tuple[str, ...], int]:
    """Runs of `width` lines that occur once → where; in the order of the text."""
    runs = [tuple(lines[at : at + width]) for at in range(start, end - width + 1)]
    counts = Counter(runs)
    return {run: start + at for at, run in enumerate(runs) if counts[run] == 1}


def _longest_ascending(pairs: Sequence[Pair]) -> list[Pair]:
    """The most pairs, out of some that ascend in the old text, that ascend in the new one, too."""
    ends: list[int] = []  # the smallest `new` with which so many pairs can end
    last: list[int] = []  # … and the index of that pair
    before: list[int] = []  # of each pair: the index of the one before it
    for index, pair in enumerate(pairs):
        length = bisect_left(ends, pair.new)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [pair.new]
        last[length : length + 1] = [index]
    chosen = []
    index = last[-1]
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def _between(anchors: Sequence[Pair], gap: _Gap) -> Iterator[_Gap]:
    old_start, new_start = gap.old_start, gap.new_start
    for old, new in [*anchors, Pair(gap.old_end, gap.new_end)]:
        between = _Gap(old_start, old, new_start, new)
        if not between.is_one_sided:
            yield between
        old_start, new_start = old + 1, new + 1


def _match_small(old: Sequence[str], new: Sequence[str], gap: _Gap) -> Iterator[Pair]:
    olds, news = old[gap.old_start : gap.old_end], new[gap.new_start : gap.new_end]
    for block in SequenceMatcher(None, olds, news).get_matching_blocks():
        for step in range(block.size):
            yield Pair(gap.old_start + block.a + step, gap.new_start + block.b + step)
