"""The last lines of a terminal while they may still change, below lines that are final.

Final lines are written once and scroll away like any output, so the scrollback stays whole.
"""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import TextIO

from assistant.rendering.base import TerminalSize

# Between these two a terminal that knows them (DEC mode 2026) paints nothing.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
# Live lines are cut at the edge, not wrapped: otherwise one character that the terminal draws
# wider than we think would put every later cursor movement one row off.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_ERASE_BELOW = "\x1b[J"
_RESET_COLORS = "\x1b[m"
_COLORS = re.compile(r"\x1b\[[0-9;]*m")


class LiveRegion:
    """Lines carry SGR sequences and nothing else that a terminal obeys; they end with none open."""

    def __init__(self, out: TextIO, size: TerminalSize) -> None:
        self._out = out
        self._size = size
        self._live: list[str] = []  # on screen, the cursor at the end of the last
        self._columns = 0  # of the screen when they were drawn

    @property
    def columns(self) -> int:
        return max(1, self._size().columns)

    def update(self, final: Sequence[str], live: Sequence[str]) -> None:
        """Put `final` lines in place of the live ones for ever, and new `live` ones below.

        Live lines have at most `columns` cells; of more than fit the screen the last are shown.
        """
        columns, rows = self._size()
        shown = list(live[-max(1, rows - 2) :])
        lines = [*final, *shown]
        same = 0
        if columns == self._columns:
            pairs = zip(self._live, lines, strict=False)
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if not final and same == len(self._live) == len(shown):
            return
        if shown:
            same = min(same, len(lines) - 1)  # so that the cursor ends behind the last line
        text = "".join(f"{line}\r\n" for line in final[same:])
        if shown:
            text += _NO_WRAP + "\r\n".join(shown[max(0, same - len(final)) :]) + _WRAP
        self._out.write(_BEGIN + self._to_row(same, columns) + _ERASE_BELOW + text + _END)
        self._out.flush()
        self._live, self._columns = shown, columns

    def reset(self) -> None:
        """Colours, wrapping and painting as usual, even when a write was interrupted."""
        self._out.write(_RESET_COLORS + _WRAP + _END)
        self._out.flush()

    def _to_row(self, row: int, columns: int) -> str:
        """Move the cursor from the end of the live lines to the start of one of them."""
        if row == len(self._live):
            return "\r\n" if row else "\r"
        if columns != self._columns:  # the terminal has wrapped the lines anew; row is 0
            up = sum(_rows(line, columns) for line in self._live) - 1
        else:
            up = len(self._live) - 1 - row
        return f"\x1b[{up}A\r" if up else "\r"


def _rows(line: str, columns: int) -> int:
    from rich.cells import cell_len  # 30 ms, and only pretty rendering needs it

    return max(1, -(-cell_len(_COLORS.sub("", line)) // columns))
