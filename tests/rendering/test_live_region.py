"""Final lines stay for ever; live ones are replaced, whatever the lines are."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pretend_terminal import PretendTerminal

from assistant.rendering.live_region import LiveRegion

LINES = st.lists(st.sampled_from(["", "a", "b", "0123456789", "漢字漢字漢", "x" * 25]), max_size=5)
SHORT = st.lists(st.sampled_from(["", "a", "b", "0123456789", "漢字漢字漢"]), max_size=5)


def rows(line: str) -> list[str]:
    return [line[at : at + 10] for at in range(0, len(line), 10)] or [""]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(LINES, SHORT), max_size=6))
def test_the_screen_is_all_final_lines_and_the_last_live_ones(
    updates: list[tuple[list[str], list[str]]],
) -> None:
    terminal = PretendTerminal(10, 8)
    region = LiveRegion(terminal.out, terminal.size)
    final: list[str] = []
    for new, live in updates:
        region.update(new, live)
        final += new
        expected = [row for line in [*final, *live] for row in rows(line)]
        while expected and not expected[-1]:
            expected.pop()
        assert [row.replace(" ", "") for row in terminal.rows] == expected


def test_of_more_live_lines_than_the_screen_holds_the_last_are_shown() -> None:
    terminal = PretendTerminal(10, 5)
    LiveRegion(terminal.out, terminal.size).update([], list("abcdefg"))
    assert terminal.rows == ["e", "f", "g"]


def test_an_unchanged_region_writes_nothing() -> None:
    terminal = PretendTerminal()
    region = LiveRegion(terminal.out, terminal.size)
    region.update([], ["a", "b"])
    before = terminal.written
    region.update([], ["a", "b"])
    assert terminal.written == before


def test_only_lines_that_changed_are_written_again() -> None:
    terminal = PretendTerminal()
    region = LiveRegion(terminal.out, terminal.size)
    region.update([], ["first", "second"])
    region.update(["first"], ["second and more"])
    assert terminal.written.count("first") == 1
