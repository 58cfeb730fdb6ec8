"""What a message in the transcript consists of: rows of its text, and what can be done with it.

No widget is in here; a content is laid out for a width and may outlive the widget that shows it.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len

from assistant.tui.widgets.strips import RESET, clip, plain, wrap

WHOLE = -1  # in the place of the index of a code block: all of the message
DIM, BOLD = "\x1b[2m", "\x1b[1m"
ACTION_GAP = "  "
_SHORTEST_FILLING = 3  # cells
_ROOM_FOR_LABEL = 12  # cells that actions leave to it


class Action(StrEnum):
    """What a user may want of a message or of a code block in it; the value is what is shown."""

    COPY = "copy"
    SAVE = "save"
    INSERT = "insert"
    REGENERATE = "regenerate"
    EDIT = "edit"
    FORK = "fork"
    ALTERNATIVES = "alternatives"
    DETAILS = "details"
    REMOVE = "remove"  # a question that waits
    UNFOLD = "unfold"  # the reasoning; of the widget itself


KEYS = {
    "c": Action.COPY,
    "s": Action.SAVE,
    "i": Action.INSERT,
    "r": Action.REGENERATE,
    "e": Action.EDIT,
    "f": Action.FORK,
    "a": Action.ALTERNATIVES,
    "d": Action.DETAILS,
    "x": Action.REMOVE,
}
CODE_ACTIONS = (Action.COPY, Action.SAVE, Action.INSERT)


class Link(Struct, frozen=True):
    url: str


class Target(Struct, frozen=True):
    """What a click on the cells from `start` to before `end` means."""

    start: int
    end: int
    what: Action | Link


class Row(Struct, frozen=True):
    """`line` is visible text with colours, as wide as the content was laid out for at the most.

    `code` is the index of the code block that it belongs to. It `continues` the row above where
    that was folded; with `is_chrome` it is ours and no part of the text.
    """

    line: str
    code: int = WHOLE
    targets: tuple[Target, ...] = ()
    continues: bool = False
    is_chrome: bool = False


class FoundLink(Struct, frozen=True):
    """`pieces`: index of a row and what of the link stands in it; several where it is broken."""

    link: Link
    pieces: tuple[tuple[int, Target], ...]


class CodeBlock(Struct, frozen=True):
    """`language` is what stands behind the fence: "python", "src/app.py", "" … Both are as the
    model wrote them; what is shown of them has to become visible."""

    language: str
    text: str


EMPTY_ROW = Row("", is_chrome=True)


class Content:
    """What a message says, in rows. Subclasses fill `sections`; nothing is laid out at first."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.columns = 0  # it is laid out for so many; 0: not yet
        self.sections: Sequence[Sequence[Row]] = ()  # one below the other

    @property
    def actions(self) -> tuple[Action, ...]:
        """What can be done with it."""
        return (Action.COPY,)

    @property
    def text(self) -> str:
        """What copying it gives."""
        raise NotImplementedError

    @property
    def code_blocks(self) -> list[CodeBlock]:
        return []

    @property
    def is_finished(self) -> bool:
        """Whether nothing will be added to it."""
        return True

    def laying_out(self, columns: int) -> Iterator[None]:
        """Lay it out in pieces of some milliseconds; until the last one it looks as before."""
        raise NotImplementedError

    def lay_out(self, columns: int) -> None:
        """At once."""
        for _ in self.laying_out(columns):
            pass

    @property
    def height(self) -> int:
        """Rows, with one for the actions at the end."""
        return sum(map(len, self.sections)) + 1

    def row(self, at: int) -> Row:
        """An empty one behind the last."""
        for section in self.sections:
            if at < len(section):
                return section[at]
            at -= len(section)
        return EMPTY_ROW

    def rows(self) -> Iterator[Row]:
        return chain.from_iterable(self.sections)

    def rows_of_code(self, code: int) -> range:
        """From the head of a code block to its end; all rows for `WHOLE`."""
        if code == WHOLE:
            return range(self.height)
        found = [at for at, row in enumerate(self.rows()) if row.code == code]
        return range(found[0], found[-1] + 1) if found else range(0)

    def links(self) -> list[FoundLink]:
        """In their order."""
        found: list[FoundLink] = []
        for at, row in enumerate(self.rows()):
            for target in row.targets:
                if not isinstance(target.what, Link):
                    continue
                last = found[-1] if found else None
                if last is not None and last.link == target.what and last.pieces[-1][0] == at - 1:
                    found[-1] = FoundLink(last.link, (*last.pieces, (at, target)))
                else:
                    found.append(FoundLink(target.what, ((at, target),)))
        return found


def action_row(actions: Sequence[Action], columns: int) -> Row:
    """As many as there is room for."""
    line, targets = "", []
    for action in actions:
        longer = f"{line}{ACTION_GAP}{action}" if line else action.value
        if len(longer) > columns:
            break
        line = longer
        targets.append(Target(len(line) - len(action), len(line), action))
    return Row(f"{DIM}{line}{RESET}", targets=tuple(targets), is_chrome=True)


def head_row(left: str, right: str, columns: int, color: str = "") -> Row:
    """Who, and at the right what it is called, where there is room for both."""
    left = clip(left, columns)
    room = columns - cell_len(left) - len(ACTION_GAP)
    right = right if cell_len(right) <= room else ""
    gap = " " * (columns - cell_len(left) - cell_len(right)) if right else ""
    return Row(f"{color}{BOLD}{left}{RESET}{gap}{DIM}{right}{RESET}", is_chrome=True)


def row_with_actions(
    label: str, filling: str, actions: Sequence[Action], columns: int, code: int = WHOLE
) -> Row:
    """A dim line over the whole width: the label, `filling`, the actions at the right."""
    room = columns - min(cell_len(label), _ROOM_FOR_LABEL) - _SHORTEST_FILLING - 2
    found = action_row(actions, room)
    words = plain(found.line)
    label = clip(label, columns - len(words) - _SHORTEST_FILLING - 2)
    filled = columns - len(words) - cell_len(label) - bool(label) - bool(words)
    line = " ".join(part for part in (label, filling * filled, words) if part)
    start = columns - len(words)
    targets = tuple(Target(t.start + start, t.end + start, t.what) for t in found.targets)
    return Row(f"{DIM}{line}{RESET}", code, targets, is_chrome=True)


def dim_rows(text: str, columns: int) -> list[Row]:
    """Visible text, wrapped."""
    return [Row(f"{DIM}{line}{RESET}", is_chrome=True) for line in wrap(text, columns)]


def plain_text(rows: Sequence[Row]) -> str:
    """As it was before it was folded, without what is ours unless there is nothing else."""
    own = [row for row in rows if not row.is_chrome] or rows
    text = ""
    for at, row in enumerate(own):
        text += plain(row.line) if row.continues or not at else f"\n{plain(row.line)}"
    return text


def selected_text(
    rows: Sequence[Row], start: tuple[int, int] | None, end: tuple[int, int] | None
) -> str:
    """From one place to before another: the index of a row, and of a character in it (None: from
    the first, to the last)."""
    chosen = [replace(row, line=plain(row.line), targets=()) for row in rows]
    if end is not None:
        chosen = chosen[: end[0] + 1]
        if len(chosen) > end[0]:
            chosen[-1] = replace(chosen[-1], line=chosen[-1].line[: end[1]])
    if start is not None:
        chosen = chosen[start[0] :]
        if chosen:
            chosen[0] = replace(chosen[0], line=chosen[0].line[start[1] :], continues=False)
    return plain_text(chosen)
