"""What comes from the terminal, with pastes taken out first: whole, at once and only as text.

Textual's own parser reads a paste character by character, a second for a megabyte, and types what
follows an escape character in it as keys: a pasted text could press Enter.
"""

import re
from collections.abc import Generator, Iterable
from math import inf

from textual import events
from textual._time import get_time
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.message import Message

SHORTEST_HELD = 3  # characters: less may be a key that was pressed, which must not wait
LONGEST_TAIL = len(BRACKETED_PASTE_START) - 1
# Colours and other sequences for a terminal, then whatever else it would obey.
NO_TEXT = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"
    "|\x1b[\\]P_^X][^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\\\|\x9c)"
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)


# Keys that Textual's parser takes for others, or waits after; on the right as newer terminals send
# them.
KEYS = {
    "\x1b\r": "\x1b[13;3u",  # Alt+Enter
    "\x1b[27;2;13~": "\x1b[13;2u",  # Shift+Enter
    "\x1b\x7f": "\x1b[127;3u",  # Alt+Backspace
}


class PasteParser(XTermParser):
    """Feeds all but pastes to Textual's parser, whatever pieces the input comes in."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._held = ""  # of the input, which may be the beginning of a mark
        self._tail = ""  # what was fed last, if it may be one, too
        self._pasted: list[str] | None = None  # while a paste lasts

    def feed(self, data: str) -> Iterable[Message]:
        if not data:
            yield from super().feed(data)
            return
        rest, self._held = self._held + data, ""
        while rest:
            if self._pasted is None:
                rest = yield from self._typed(rest)
            else:
                rest = yield from self._read_paste(rest, self._pasted)

    @property
    def seconds_left(self) -> float:
        """Until `tick` takes what was fed for a key of its own, such as Escape."""
        return inf if self._timeout_time is None else max(0.0, self._timeout_time - get_time())

    def tick(self) -> Iterable[Message]:
        yield from super().tick()
        if self._timeout_time is None:  # what was fed last was a key of its own
            self._tail = ""

    def _typed(self, data: str) -> Generator[Message, None, str]:
        """Keys and the mouse, up to the beginning of a paste; returns what follows that."""
        begun = self._tail + data
        if self._tail and begun.startswith(BRACKETED_PASTE_START):
            # The parser was fed the beginning of the mark: it gets its end, and a paste of nothing.
            mark_end = BRACKETED_PASTE_START.removeprefix(self._tail)
            nothing = super().feed(mark_end + BRACKETED_PASTE_END)
            yield from (one for one in nothing if not isinstance(one, events.Paste))
            self._tail, self._pasted = "", []
            return data[len(mark_end) :]
        before, mark, rest = data.partition(BRACKETED_PASTE_START)
        if not mark:
            before, self._held = _split_mark(before, BRACKETED_PASTE_START, SHORTEST_HELD)
        if before:
            self._tail = _split_mark((self._tail + before)[-LONGEST_TAIL:], BRACKETED_PASTE_START)[
                1
            ]
            yield from super().feed(_with_known_keys(before))
        if mark:
            self._tail, self._pasted = "", []
        return rest

    def _read_paste(self, data: str, pasted: list[str]) -> Generator[Message, None, str]:
        """The paste, if its end has come; returns what follows that."""
        text, mark, rest = data.partition(BRACKETED_PASTE_END)
        if not mark:
            text, self._held = _split_mark(text, BRACKETED_PASTE_END)
        pasted.append(text)
        if mark:
            self._pasted = None
            yield events.Paste(NO_TEXT.sub("", "".join(pasted)))
        return rest


def _with_known_keys(data: str) -> str:
    for sequence, known in KEYS.items() if "\x1b" in data else ():
        data = data.replace(sequence, known)
    return data


def _split_mark(data: str, mark: str, shortest: int = 1) -> tuple[str, str]:
    """Splits off an end of at least `shortest` characters with which the mark may begin."""
    for length in range(min(len(mark) - 1, len(data)), shortest - 1, -1):
        if data.endswith(mark[:length]):
            return data[:-length], data[-length:]
    return data, ""
