"""Tables between the messages: every width shows every word."""

from hypothesis import given
from hypothesis import strategies as st

from assistant.rendering.tables import cell_width, one_line
from assistant.tui.widgets.strips import plain
from assistant.tui.widgets.table import TableContent, table_rows

ROWS = (
    ("/help [COMMAND]", "Show all commands, or one."),
    ("/resume [NAME | NAME.4 | .4]", "Go on with a past conversation, or from a message of it."),
)
WORDS = st.text("ab中 é/[]\x1b\n", max_size=30)


def lines(
    rows: tuple[tuple[str, ...], ...], columns: int, right: tuple[int, ...] = ()
) -> list[str]:
    return [plain(row.line) for row in table_rows(rows, columns, right)]


def test_the_last_column_goes_on_below_its_beginning() -> None:
    assert lines(ROWS, 60) == [
        "/help [COMMAND]               Show all commands, or one.",
        "/resume [NAME | NAME.4 | .4]  Go on with a past",
        "                              conversation, or from a",
        "                              message of it.",
    ]


def test_where_it_has_no_room_it_stands_below_the_others() -> None:
    assert lines(ROWS, 40) == [
        "/help [COMMAND]",
        "  Show all commands, or one.",
        "/resume [NAME | NAME.4 | .4]",
        "  Go on with a past conversation, or",
        "  from a message of it.",
    ]


def test_numbers_end_at_the_same_cell() -> None:
    assert lines((("1,234", "turn"), ("5", "template")), 40, (0,)) == [
        "1,234  turn",
        "    5  template",
    ]


def test_copying_gives_whole_lines() -> None:
    content = TableContent(ROWS, "commands")
    content.lay_out(30)
    assert content.text.count("\n") == len(ROWS)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=4), max_size=5), st.integers(4, 90))
def test_no_word_is_lost_and_no_row_is_too_wide(rows: list[list[str]], columns: int) -> None:
    content = TableContent(rows, "a title")
    content.lay_out(columns)
    shown = [plain(row.line) for row in table_rows(rows, columns)]
    assert all(cell_width(line) <= columns for line in shown)
    letters = "".join("".join(one_line(word).split()) for row in rows for word in row)
    assert "".join("".join(line.split()) for line in shown) == letters
    assert not any("\x1b" in line for line in shown)
