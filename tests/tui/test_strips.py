"""Rows of text: folded at the edge, wrapped at blanks, coloured; nothing is lost on the way."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from assistant.tui.widgets.strips import clip, fold, plain, restyled, strip_of, wrap
from assistant.visible_text import visible

COLORS = ["\x1b[31m", "\x1b[1;35m", "\x1b[m", "\x1b[0m"]
PIECES = st.one_of(
    st.sampled_from([*COLORS, "你好", "❤️", "e\u0301", "👍🏽", "a b", "word", "\t"]),
    st.text("ab 界\u0301é", max_size=6),
)
LINES = st.lists(PIECES, max_size=30).map("".join)


@settings(deadline=None)
@given(LINES, st.integers(2, 40))
def test_folding_loses_nothing_and_fits(line: str, columns: int) -> None:
    rows = fold(line, columns)
    assert all(cell_len(plain(row)) <= columns for row in rows)
    without_blanks = re.sub(r"\s", "", plain(line))
    assert re.sub(r"\s", "", "".join(map(plain, rows))) == without_blanks
    assert [row for row in rows[1:] if not plain(row)] == []


@settings(deadline=None)
@given(LINES.map(plain), st.integers(2, 40))
def test_wrapping_loses_nothing_but_blanks(text: str, columns: int) -> None:
    rows = wrap(text, columns)
    assert all(cell_len(row) <= columns for row in rows)
    assert "".join(rows).replace(" ", "") == text.expandtabs(8).replace(" ", "")


@settings(deadline=None)
@given(LINES, st.integers(0, 40))
def test_clipped_text_fits(line: str, columns: int) -> None:
    text = plain(line).replace("\t", " ")
    assert cell_len(clip(text, columns)) <= columns


def test_tabs_go_to_the_next_eighth_column_of_the_line_not_of_the_row() -> None:
    assert fold("\tx", 80) == [" " * 8 + "x"]
    assert fold("ab\tx", 80) == ["ab" + " " * 6 + "x"]
    assert fold("界\tx", 80) == ["界" + " " * 6 + "x"]
    assert "".join(fold("0123456789\tx", 7)) == "0123456789" + " " * 6 + "x"


def test_a_color_goes_on_in_the_next_row() -> None:
    rows = fold("\x1b[31mabcdef\x1b[mgh", 3)
    assert [plain(row) for row in rows] == ["abc", "def", "gh"]
    colors = [[str(s.style) for s in strip_of(row) if s.text] for row in rows]
    assert colors == [["color(1)"], ["color(1)"], ["none"]]


def test_a_line_of_a_million_characters_is_folded_in_a_moment() -> None:
    assert len(fold("x" * 1_000_000, 100)) == 10_000
    assert len(wrap("word " * 200_000, 100)) == 10_000


def test_words_stay_whole_and_indentation_stays() -> None:
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("        deep in", 10) == ["        de", "ep in"]
    assert wrap("", 10) == [""]
    assert wrap("a\n\nb", 10) == ["a", "", "b"]


@pytest.mark.parametrize("row", ["\x1b[1;35mbold\x1b[0m plain", "\x1b[2mdim\x1b[m"])
def test_strips_have_the_words_and_the_colors(row: str) -> None:
    strip = strip_of(row)
    assert strip.text == plain(row)
    assert strip is strip_of(row), "made once"
    style = next(iter(strip)).style
    assert style is not None
    assert (style.bold, style.dim) == (("1;35" in row) or None, "[2m" in row or None)


def test_another_style_covers_the_cells_it_is_for() -> None:
    from rich.style import Style

    strip = restyled(strip_of("ab你好cd"), 2, 6, Style(reverse=True))
    assert strip.text == "ab你好cd"
    assert [segment.text for segment in strip if segment.style and segment.style.reverse] == [
        "你好"
    ]


def test_rows_of_hidden_characters_show_their_escapes() -> None:
    rows = wrap(visible("a\u202eb\x1b[31mc\u2028d"), 12)
    assert "".join(rows) == r"a\u{202e}b\x1b[31mc\u{2028}d"
    assert all(before for before, _ in pairwise(rows))
