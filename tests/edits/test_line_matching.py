"""Which lines of two texts belong together, and how long that takes."""

import random
import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from assistant.edits.line_matching import Pair, match_lines

FEW_KINDS = st.lists(st.sampled_from("abcdef"), max_size=40)


@given(FEW_KINDS, FEW_KINDS)
def test_pairs_are_equal_lines_in_the_same_order_on_both_sides(
    old: list[str], new: list[str]
) -> None:
    pairs = match_lines(old, new)
    assert all(old[pair.old] == new[pair.new] for pair in pairs)
    assert all(a.old < b.old and a.new < b.new for a, b in pairwise(pairs))


@given(FEW_KINDS, FEW_KINDS, FEW_KINDS)
def test_equal_ends_are_always_found(first: list[str], middle: list[str], last: list[str]) -> None:
    pairs = match_lines([*first, *middle, *last], [*first, "new", *last])
    assert [Pair(at, at) for at in range(len(first))] == pairs[: len(first)]
    assert len(pairs) == len(first) + len(last)


def test_moved_and_repeated_lines_do_not_cross() -> None:
    old = ["one", "", "two", "", "three", ""]
    new = ["three", "", "one", "", "two", ""]
    kept = [old[pair.old] for pair in match_lines(old, new)]
    assert [word for word in kept if word] == ["one", "two"]


def test_scattered_changes_in_20_000_lines_take_less_than_a_second() -> None:
    chance = random.Random(1)
    table = [f"row {chance.randrange(105)}" for _ in range(20_000)]
    code = [chance.choice(["", "}", "pass", f"x = {chance.random()}"]) for _ in range(20_000)]
    for old in (table, code):
        new = list(old)
        for at in chance.sample(range(20_000), 1_000):
            new[at] = f"changed {at}"
        start = time.process_time()
        pairs = match_lines(old, new)
        assert time.process_time() - start < 1
        assert len(pairs) > 18_900
