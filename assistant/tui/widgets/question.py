"""What the user asked: the words as they were typed, and what was attached to them."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.cells import cell_len
from textual.message import Message

from assistant.tui.widgets.lines import LineView
from assistant.tui.widgets.rows import (
    DIM,
    Action,
    Content,
    Link,
    Row,
    dim_rows,
    head_row,
    row_with_actions,
)
from assistant.tui.widgets.strips import RESET, clip, wrap
from assistant.visible_text import visible

MARKER = "❯ "
ASKED, WAITING = "You", "You, next"
CYAN = "\x1b[36m"
CHIP_GAP = "  "
MOST_ROWS = 200  # of a question; who pasted more does not want to scroll past it again
SENT_ACTIONS = (Action.COPY, Action.EDIT, Action.INSERT, Action.FORK, Action.DETAILS)
WAITING_ACTIONS = (Action.COPY, Action.REMOVE)


class Chip(Struct, frozen=True):
    """Something that is attached; `tokens` where they are known."""

    name: str
    tokens: int | None = None


class QuestionContent(Content):
    def __init__(
        self, text: str, chips: Sequence[Chip] = (), name: str = "", *, is_waiting: bool = False
    ) -> None:
        super().__init__(name)
        self._text = text
        self.chips = tuple(chips)
        self.is_waiting = is_waiting

    @property
    def text(self) -> str:
        return self._text

    @property
    def actions(self) -> tuple[Action, ...]:
        return WAITING_ACTIONS if self.is_waiting else SENT_ACTIONS

    def laying_out(self, columns: int) -> Iterator[None]:
        self.columns = columns
        yield
        self.sections = ([self._head()], self._text_rows(), _chip_rows(self.chips, columns))

    def _head(self) -> Row:
        if not self.is_waiting:
            return head_row(MARKER + ASKED, self.name, self.columns, CYAN)
        return row_with_actions(MARKER + WAITING, " ", (Action.REMOVE,), self.columns)

    def _text_rows(self) -> list[Row]:
        rows = wrap(visible(self._text.strip("\n")), self.columns) if self._text.strip() else []
        left_out = len(rows) - MOST_ROWS
        color = DIM if self.is_waiting else ""
        shown = [Row(f"{color}{row}{RESET}" if color else row) for row in rows[:MOST_ROWS]]
        if left_out > 0:
            shown += dim_rows(f"… {left_out:,} more lines; copying gives all", self.columns)
        return shown


class QuestionView(LineView):
    """`name` is the message's, "" while it waits to be sent."""

    class Removed(Message):
        """The user does not want to ask this any more."""

        def __init__(self, view: "QuestionView") -> None:
            super().__init__()
            self.view = view

    content: QuestionContent

    def __init__(
        self,
        text: str = "",
        chips: Sequence[Chip] = (),
        name: str = "",
        *,
        is_waiting: bool = False,
        content: QuestionContent | None = None,
    ) -> None:
        super().__init__(content or QuestionContent(text, chips, name, is_waiting=is_waiting))

    def twin(self) -> "QuestionView":
        return QuestionView(content=self.content)

    @property
    def is_waiting(self) -> bool:
        return self.content.is_waiting

    def sent(self, name: str, chips: Sequence[Chip] | None = None) -> None:
        """It waits no longer: the message has a name now. `chips` where more is known of them."""
        self.content.name = name
        self.content.is_waiting = False
        if chips is not None:
            self.content.chips = tuple(chips)
        self.content.columns = 0
        self.lay_out_anew()

    def enter(self) -> None:
        self.choose(Action.REMOVE if self.is_waiting else Action.EDIT)

    def _choose(self, what: Action | Link, code: int) -> None:
        if what == Action.REMOVE and self.is_waiting:
            self.post_message(self.Removed(self))
        else:
            super()._choose(what, code)


def _chip_rows(chips: Sequence[Chip], columns: int) -> list[Row]:
    """As many in a row as fit."""
    lines: list[str] = []
    for chip in chips:
        tokens = "" if chip.tokens is None else f" {chip.tokens:,} tokens"
        word = clip(f"[{' '.join(visible(chip.name).split())}{tokens}]", columns)
        longer = f"{lines[-1]}{CHIP_GAP}{word}" if lines else word
        if lines and cell_len(longer) <= columns:
            lines[-1] = longer
        else:
            lines.append(word)
    return [Row(f"{CYAN}{line}{RESET}", is_chrome=True) for line in lines]
