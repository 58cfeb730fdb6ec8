"""What the cache says of a prompt is what happens when the prompt comes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_backend import ScriptedBackend

from assistant.engine.base import Keep
from assistant.engine.prefix_cache import PrefixCache, common_prefix
from assistant.engine.reading_speed import Pace

IDS = st.lists(st.integers(0, 2), max_size=60)


@given(IDS, IDS, IDS)
def test_the_common_prefix_is_as_long_as_token_by_token(
    start: list[int], one: list[int], two: list[int]
) -> None:
    a, b = start + one, tuple(start + two)
    expected = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    assert common_prefix(a, b) == (min(len(a), len(b)) if expected is None else expected)


class Exporting(ScriptedBackend):
    """Counts the tokens whose states are exported."""

    exported = 0

    def export_state(self, slot: int) -> bytes:
        self.exported += len(self.held[slot])
        return super().export_state(slot)


# A prompt is one of three beginnings, cut somewhere, and an end of its own.
PROMPTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 200), st.integers(1, 100)),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("trims", [True, False])
@settings(max_examples=60)
@given(prompts=PROMPTS)
def test_what_will_be_put_away_and_found_is_known_before(
    trims: bool, prompts: list[tuple[str, int, int]]
) -> None:
    backend, pace = Exporting(trims=trims), Pace(None, 0.0)
    cache, moved = PrefixCache(backend, 2**20, pace=pace), 0
    for number, (letter, shared, own) in enumerate(prompts):
        ids = [*(letter * shared).encode(), *[1000 + number] * own, 7, 7]
        expected, found, backend.exported = cache.to_put_away(ids), cache.longest_prefix(ids), 0
        slot, length = cache.take(ids)
        assert (backend.exported, length) == (expected, found)
        moved += backend.exported
        assert (pace.learnt is not None) == (moved > 0)
        backend.held[slot] = list(ids)
        cache.advance(slot, len(ids))
        cache.give_back(slot, Keep.TURN, len(ids))


def test_an_encoder_puts_nothing_away() -> None:
    cache = PrefixCache(ScriptedBackend(encoder=True), 2**20)
    slot, _ = cache.take([1] * 100)
    cache.give_back(slot, Keep.TURN, 100)
    assert cache.to_put_away([2] * 100) == 0
