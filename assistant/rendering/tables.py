"""Rows of words in columns, on terminals of any width; wide characters line up."""

from collections.abc import Collection, Sequence
from typing import TextIO

from assistant.visible_text import visible

GAP = "  "


def write_table(rows: Sequence[Sequence[str]], out: TextIO, *, right: Collection[int] = ()) -> None:
    """The lines of a table, cut to the width of a terminal if `out` is one."""
    lines = table_lines(rows, terminal_columns(out), right=right)
    out.writelines(f"{line}\n" for line in lines)


def terminal_columns(out: TextIO) -> int | None:
    """The width for a table: 80 where a terminal does not know its own, None for a pipe."""
    import shutil  # takes 8 ms

    return shutil.get_terminal_size().columns if out.isatty() else None


def table_lines(
    rows: Sequence[Sequence[str]], columns: int | None = None, *, right: Collection[int] = ()
) -> list[str]:
    """One line for each row; every column but the last is as wide as its widest word.

    `columns` is the terminal's width in cells: what is longer ends in an ellipsis. None for
    pipes, where nothing is cut. The columns in `right` end at the same cell. Words become
    visible and are one line each.
    """
    shown = [[one_line(word) for word in row] for row in rows]
    widths = [
        max(cell_width(row[at]) for row in shown if at < len(row))
        for at in range(max(map(len, shown), default=0))
    ]
    lines = (
        GAP.join(_pad(word, widths[at], is_right=at in right) for at, word in enumerate(row))
        for row in shown
    )
    return [clip(line.rstrip(), columns) for line in lines]


def _pad(word: str, cells: int, *, is_right: bool) -> str:
    blanks = " " * (cells - cell_width(word))
    return blanks + word if is_right else word + blanks


def clip(line: str, columns: int | None) -> str:
    """At most `columns` cells of a visible line; an ellipsis says that there was more."""
    if columns is None or cell_width(line) <= columns:
        return line
    while line and cell_width(line) > columns - 1:
        line = line[:-1]
    return line + "…"


def cell_width(text: str) -> int:
    """The terminal cells that visible text takes: two for a wide character, none for an accent."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # takes 5 ms, and few lines need it

    return cell_len(text)


def one_line(text: str) -> str:
    """Visible text without line ends, and with single blanks."""
    return visible(" ".join(text.split()))
