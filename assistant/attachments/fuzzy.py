"""Ranks names, such as paths, by how well they fit a few typed characters.

The characters must come in their order. Together is better than apart, at the beginning of a word
better than inside of one, in the last part of a path better than in its folders, and of equals
the shorter one. What was used lately comes before what was not.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest, nsmallest

from msgspec import Struct

ENOUGH = 100  # names that hold what was typed as it is: no others are looked for
MOST = 2_000  # of them that are compared, the shorter ones first
MOST_APART = 150  # names with the characters apart, of which the best order is worked out
LONGEST_QUERY = 64  # characters
LONGEST_NAME = 255  # characters; longer ones are not found, or one could take seconds
RECENT = 12.0

WORD_ENDS = frozenset("/_-. :")
# Points for a name: see `_together` and `_apart`, which must agree.
MATCHED, FOLLOWS, IN_LAST_PART, BEGINS_WORD, BEGINS_LAST_PART = 1.0, 8.0, 2.0, 6.0, 3.0
GAP, LENGTH = -3.0, -0.02
NEVER = float("-inf")
Score = float


class Match(Struct, frozen=True):
    """`positions` are those of the characters in the name that were typed."""

    name: str
    positions: Sequence[int] = ()


class FuzzyNames:
    """Names that are ranked again at each key press: 10,000 in a few milliseconds."""

    def __init__(self, names: Sequence[str]) -> None:
        # Short ones first, so that a search may end early.
        short = (name for name in names if len(name) <= LONGEST_NAME)
        self._names = sorted(short, key=lambda name: (name.count("/", 0, -1), len(name), name))
        self._known = frozenset(self._names)
        self._lowered = [_lower(name) for name in self._names]
        self._text = "\n".join(self._lowered) + "\n"
        self._starts = array("l", [0])
        for lowered in self._lowered:
            self._starts.append(self._starts[-1] + len(lowered) + 1)

    def best(self, query: str, limit: int, recent: Sequence[str] = ()) -> list[Match]:
        """The names that fit best; without a query the recent ones, then the shortest paths."""
        typed = _lower(query[:LONGEST_QUERY])
        newest = {name: RECENT - 0.1 * at for at, name in enumerate(recent)}
        if not typed:
            first = [name for name in newest if name in self._known]
            rest = (name for name in self._names[: limit + len(first)] if name not in newest)
            return [Match(name) for name in [*first, *rest]][:limit]
        ranked = nlargest(limit, self._scored(typed, newest))
        return [Match(self._names[-negative], positions) for _, negative, positions in ranked]

    def _scored(
        self, typed: str, newest: Mapping[str, Score]
    ) -> Iterator[tuple[Score, int, Sequence[int]]]:
        """Points, the negative place of a name, so that the shorter one wins, and positions."""
        held = self._holding(typed)
        for at in held:
            name = self._names[at]
            score, start = _together(name, self._lowered[at], typed)
            yield score + newest.get(name, 0.0), -at, range(start, start + len(typed))
        if len(held) >= ENOUGH or len(typed) < 2:
            return
        for at in self._spread(typed, set(held)):
            name = self._names[at]
            score, positions = _apart(name, self._lowered[at], typed)
            yield score + newest.get(name, 0.0), -at, positions

    def _holding(self, typed: str) -> list[int]:
        """The names that hold what was typed as it is."""
        found: list[int] = []
        place = self._text.find(typed)
        while place >= 0 and len(found) < MOST:
            at = bisect_right(self._starts, place) - 1
            found.append(at)
            place = self._text.find(typed, self._starts[at + 1])
        return found

    def _spread(self, typed: str, known: set[int]) -> list[int]:
        """The names that hold the characters apart; of many, those that hold them late."""
        # Each character's first place after the one before it: nothing is tried twice.
        pattern = "".join(f"[^\n{re.escape(one)}]*+{re.escape(one)}" for one in typed)
        holds = re.compile(pattern).match
        found = [at for at, name in enumerate(self._lowered) if holds(name) and at not in known]
        if len(found) <= MOST_APART:
            return found
        return nsmallest(MOST_APART, found, key=lambda at: _span_from_end(self._lowered[at], typed))


def _lower(name: str) -> str:
    """As long as the name, and on one line."""
    lowered = name.lower()
    return (lowered if len(lowered) == len(name) else name).replace("\n", "\0")


def _begins_word(name: str, at: int) -> bool:
    if at == 0 or name[at - 1] in WORD_ENDS:
        return True
    return name[at].isupper() and name[at - 1].islower()


def _last_part(name: str) -> int:
    """Where it begins; a folder's own name ends with a slash."""
    return name.rfind("/", 0, len(name) - 1) + 1


def _points(name: str, at: int, last_part: int) -> Score:
    """For one character that stands there."""
    points = MATCHED
    if at >= last_part:
        points += IN_LAST_PART
    if _begins_word(name, at):
        points += BEGINS_WORD + (BEGINS_LAST_PART if at == last_part else 0.0)
    return points


def _points_inside(at: int, last_part: int) -> Score:
    """For one that follows the character before it."""
    return MATCHED + FOLLOWS + IN_LAST_PART * (at >= last_part)


def _together(name: str, lowered: str, typed: str) -> tuple[Score, int]:
    """The best of the places where all characters stand one after another, and its points."""
    last_part = _last_part(name)
    best, start = NEVER, 0
    place = lowered.find(typed)
    while place >= 0:
        end = place + len(typed)
        score = _points(name, place, last_part)
        score += sum(_points_inside(at, last_part) for at in range(place + 1, end))
        if end == len(name) or name[end] in WORD_ENDS:
            score += MATCHED  # a whole word
        if score >= best:
            best, start = score, place
        place = lowered.find(typed, place + 1)
    return best + LENGTH * len(name), start


def _apart(name: str, lowered: str, typed: str) -> tuple[Score, tuple[int, ...]]:
    """The best way to find the characters in their order, by dynamic programming."""
    last_part = _last_part(name)
    alone = [_points(name, at, last_part) for at in range(len(name))]
    following = [max(alone[at], _points_inside(at, last_part)) for at in range(len(name))]
    row = [alone[at] if one == typed[0] else NEVER for at, one in enumerate(lowered)]
    origins: list[list[int]] = []
    for character in typed[1:]:
        row, origin = _next_row(row, lowered, character, alone, following)
        origins.append(origin)
    at = max(range(len(name)), key=row.__getitem__)
    score, positions = row[at], [at]
    for origin in reversed(origins):
        at = origin[at]
        positions.append(at)
    return score + LENGTH * len(name), tuple(reversed(positions))


def _next_row(
    last: list[Score], lowered: str, character: str, alone: list[Score], following: list[Score]
) -> tuple[list[Score], list[int]]:
    """For each place: the points when `character` stands there, and where the one before does."""
    row, origin = [NEVER] * len(last), [-1] * len(last)
    best, best_at = NEVER, -1  # of the places up to two before
    for at in range(1, len(last)):
        if lowered[at] == character:
            row[at], origin[at] = best + alone[at] + GAP, best_at
            if last[at - 1] + following[at] >= row[at]:
                row[at], origin[at] = last[at - 1] + following[at], at - 1
        if last[at - 1] > best:
            best, best_at = last[at - 1], at - 1
    return row, origin


def _span_from_end(lowered: str, typed: str) -> int:
    """How far apart the characters stand when they are looked for from the end."""
    place = end = len(lowered)
    for character in reversed(typed):
        place = lowered.rfind(character, 0, place)
        end = place if end == len(lowered) else end
    return end - place + LONGEST_QUERY * lowered.count("/", place)
