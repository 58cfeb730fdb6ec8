"""Visible text in rows of a width, and rows with colours (SGR sequences) as strips for the screen.

Nothing here makes text visible; what comes in has passed `visible`.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from rich.ansi import SGR_STYLE_MAP
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

RESET = "\x1b[m"
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_WIDENS = "\ufe0f"  # after a narrow symbol: as a coloured emoji, which is wide
_TAB = 8


def plain(line: str) -> str:
    """A line without its colours."""
    return _SGR.sub("", line) if "\x1b" in line else line


@lru_cache(maxsize=4096)
def strip_of(line: str) -> Strip:
    """A line without tabs as the screen wants it; made once while it is in use."""
    style = Style.null()
    segments = []
    for at, piece in enumerate(_SGR.split(line)):
        if at % 2:
            style = _after(style, piece)
        elif piece:
            segments.append(Segment(piece, style))
    return Strip(segments)


@lru_cache(maxsize=512)
def _after(style: Style, parameters: str) -> Style:
    for code in parameters.split(";"):
        named = SGR_STYLE_MAP.get(int(code or 0))
        style = style + Style.parse(named) if named else Style.null()
    return style


def restyled(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """With another style over the cells from `start` to before `end`."""
    before, middle, after = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
    over = [Segment(text, (own or Style.null()) + style) for text, own, _ in middle]
    return Strip.join([before, Strip(over), after])


def fold(line: str, columns: int) -> list[str]:
    """A coloured line, cut where a row of so many cells is full; tabs become blanks.

    No character is lost, and every row has its colours to itself.
    """
    if len(line) <= columns and line.isascii() and "\t" not in line:
        return [line]
    rows, row, used, column, color = [], "", 0, 0, ""
    for at, piece in enumerate(_SGR.split(line)):
        if at % 2:
            color = f"{color}\x1b[{piece}m" if piece.strip("0") else ""
            row += f"\x1b[{piece}m"
            continue
        text = _without_tabs(piece, column)
        column += cell_len(text)
        while text:
            count = _fitting(text, columns - used)
            if not count and used:
                rows.append(row + RESET if color else row)
                row, used = color, 0
                continue
            count = count or 1
            row += text[:count]
            used += cell_len(text[:count])
            text = text[count:]
    return [*rows, row]


def wrap(text: str, columns: int) -> list[str]:
    """Text without colours in rows of at most so many cells, broken at blanks where there are any.

    An empty text is one empty row.
    """
    return [row for line in text.split("\n") for row in _wrap_line(line.expandtabs(_TAB), columns)]


def clip(text: str, columns: int) -> str:
    """One row; an ellipsis says that there was more."""
    if cell_len(text) <= columns:
        return text
    return text[: _fitting(text, columns - 1)].rstrip() + "…" if columns > 0 else ""


def _wrap_line(line: str, columns: int) -> Iterator[str]:
    start = 0
    while (end := start + max(1, _fitting(line, columns, start))) < len(line):
        blank = line.rfind(" ", start, end + 1)
        if blank > start and line[start:blank].strip():
            yield line[start:blank]
            start = blank + 1
        else:
            yield line[start:end]
            start = end
    yield line[start:]


def _fitting(text: str, cells: int, start: int = 0) -> int:
    """How many characters from `start` on fit; what widens or has no width stays with the last."""
    some = text[start : start + max(0, cells) + 1]
    if some.isascii():
        return min(len(some), max(0, cells))
    at = start
    while at < len(text):
        cells -= cell_len(text[at]) + (text[at + 1 : at + 2] == _WIDENS)
        if cells < 0:
            break
        at += 1
        while at < len(text) and not cell_len(text[at]):
            at += 1
    return at - start


def _without_tabs(text: str, column: int) -> str:
    """With blanks up to the next multiple of 8 cells of the line in which it begins at `column`."""
    first, *others = text.split("\t")
    pieces = [first]
    column += cell_len(first)
    for other in others:
        blanks = _TAB - column % _TAB
        pieces.append(" " * blanks + other)
        column += blanks + cell_len(other)
    return "".join(pieces)
