"""Columns line up by the cells that a terminal uses, and no line is wider than it."""

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.rendering.tables import cell_width, clip, table_lines

ACCENT = "\u0301"  # combining: it takes no cell of its own
LETTERS = "ab1é\u00df你好한ｆ😀🦀" + ACCENT
HIDDEN = "\x00\x1b\x7f\x9b\u202e\u200b\ufeff"
words = st.text(LETTERS, min_size=1, max_size=8).map(lambda text: f"x{text}")
messy = st.text(LETTERS + HIDDEN + " \t\n\r\u2028", max_size=30)
rows_of_three = st.lists(st.tuples(words, words, words), min_size=1, max_size=5)
ragged_rows = st.lists(st.lists(messy, max_size=4), max_size=5)


def cells(text: str) -> int:
    """What Unicode says, for the characters above."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def borders(line: str, expected: Sequence[str]) -> list[tuple[int, int]]:
    """The first cell of each word of a line, and the one behind it."""
    assert line.split() == list(expected)
    found, at = [], 0
    for word in expected:
        at = line.index(word, at)
        found.append((cells(line[:at]), cells(line[: at + len(word)])))
        at += len(word)
    return found


@given(messy)
def test_the_width_is_what_unicode_says(text: str) -> None:
    shown = "".join(c for c in text if c.isprintable())
    assert cell_width(shown) == cells(shown)


@given(rows_of_three)
def test_columns_begin_at_the_same_cell(rows: list[tuple[str, str, str]]) -> None:
    found = [borders(line, row) for line, row in zip(table_lines(rows), rows, strict=True)]
    for column in range(3):
        assert len({line[column][0] for line in found}) == 1
        widest = max(cells(row[column]) for row in rows)
        if column < 2:
            assert found[0][column + 1][0] == found[0][column][0] + widest + 2


@given(rows_of_three)
def test_right_columns_end_at_the_same_cell(rows: list[tuple[str, str, str]]) -> None:
    lines = table_lines(rows, right=(0, 2))
    found = [borders(line, row) for line, row in zip(lines, rows, strict=True)]
    assert len({line[0][1] for line in found}) == 1
    assert len({line[1][0] for line in found}) == 1
    assert len({line[2][1] for line in found}) == 1


def test_known_rows_look_like_this() -> None:
    rows = [("你好", "7", "two wide"), (f"e{ACCENT}t{ACCENT}", "1,024", "accents"), ("🦀", "", "")]
    assert table_lines(rows, right=[1]) == [
        "你好      7  two wide",
        f"e{ACCENT}t{ACCENT}    1,024  accents",
        "🦀",
    ]


@given(ragged_rows, st.integers(1, 40))
def test_no_line_is_wider_than_the_terminal(rows: list[list[str]], columns: int) -> None:
    whole = table_lines(rows, right=(1,))
    for line, shown in zip(whole, table_lines(rows, columns, right=(1,)), strict=True):
        assert cells(shown) <= columns
        if cells(line) <= columns:
            assert shown == line
        else:
            assert shown.endswith("…")
            assert line.startswith(shown[:-1])
            assert cells(shown) >= columns - 1  # half a wide character does not fit


@pytest.mark.parametrize("columns", range(1, 41))
def test_a_line_of_wide_characters_is_cut_between_them(columns: int) -> None:
    assert clip("好" * 30, columns) == "好" * ((columns - 1) // 2) + "…"


def test_what_fits_exactly_is_not_cut() -> None:
    assert clip("好好", 4) == "好好"
    assert clip("好好", 3) == "好…"
    assert clip("好好", None) == "好好"
    assert clip("", 1) == ""


@given(ragged_rows)
def test_every_row_is_one_line_without_hidden_characters(rows: list[list[str]]) -> None:
    lines = table_lines(rows)
    assert len(lines) == len(rows)
    for line in lines:
        assert line.splitlines() in ([line], [])
        assert not set(line) & set(HIDDEN + "\t\r\n")


def test_hidden_characters_become_visible_and_keep_their_columns() -> None:
    assert table_lines([("a\x1b[2J", "x"), ("plain", "\u202ey")]) == [
        "a\\x1b[2J  x",
        "plain     \\u{202e}y",
    ]


def test_words_with_line_ends_are_one_line() -> None:
    assert table_lines([("one\r\ntwo\n", "  three\t four  ")]) == ["one two  three four"]


def test_rows_without_words_are_empty_lines() -> None:
    assert table_lines([]) == []
    assert table_lines([[], [""], ["", " \n"]]) == ["", "", ""]
    assert table_lines([["a", "b"], [], ["long"]], 10) == ["a     b", "", "long"]
