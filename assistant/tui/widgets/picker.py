"""A short list of what could stand where the cursor is, above the text that is written.

It never has the focus: keys come from the text, which goes on being written.
"""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from assistant.visible_text import visible

MOST_ROWS = 8
FEWEST_ROWS = 3
LEFT_FREE = 3  # rows of the screen, beside the composer and the border
WIDEST = 100  # cells
CHOSEN, OTHER = "› ", "  "
GAP = 2  # cells between a name and its detail


class Choice(Struct, frozen=True):
    """`shown` on the left, with the characters at `matched` lit up, `detail` on the right.

    `insert` takes the place of what was typed, `name` is what it is called where it came from.
    `goes_on`: Tab takes it and leaves the picker open.
    """

    shown: str
    insert: str
    detail: str = ""
    matched: Sequence[int] = ()
    name: str = ""
    goes_on: bool = False


class Picker(Widget):
    """Closed until it is shown something. `chosen` is the choice that Enter would take."""

    DEFAULT_CSS = """
    Picker {
        overlay: screen;
        constrain: none inside;
        display: none;
        height: auto;
        border: round $border;
        border-subtitle-color: $text-muted;
        background: $surface;
        color: $foreground;
        & > .picker--chosen {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: $block-cursor-text-style;
        }
        & > .picker--detail { color: $text-muted; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "picker--chosen",
        "picker--detail",
    }
    can_focus = False

    class Clicked(Message):
        """A choice was clicked, which `chosen` is now."""

    def __init__(self) -> None:
        super().__init__()
        self._choices: Sequence[Choice] = ()
        self._at = 0
        self._first = 0
        self._rows = MOST_ROWS

    @property
    def is_open(self) -> bool:
        return bool(self.display)

    @property
    def chosen(self) -> Choice:
        return self._choices[self._at]

    @property
    def shown(self) -> Sequence[Choice]:
        """Those that can be seen without scrolling."""
        return self._choices[self._first : self._first + self._rows]

    def open(self, choices: Sequence[Choice], hint: str = "", *, keeps_place: bool = False) -> None:
        """Shows the choices, at least one, the first one chosen; or the same as before."""
        place = self._index_of(self.chosen.insert, choices) if keeps_place and self._choices else 0
        self._choices, self._at = choices, place
        self._fit()
        self.border_subtitle = hint
        self.display = True
        self.refresh(layout=True)

    def close(self) -> None:
        self.display = False
        self._choices, self._at, self._first = (), 0, 0

    def move(self, steps: int) -> None:
        """Down, or up when negative; single steps go round."""
        count = len(self._choices)
        at = self._at + steps
        self._at = at % count if abs(steps) == 1 else min(max(at, 0), count - 1)
        self._scroll()
        self.refresh()

    def page(self, direction: int) -> None:
        self.move(direction * max(2, self._rows - 1))

    # ── size and place ──────────────────────────────────────────────────────────────────────

    def _fit(self) -> None:
        """As wide as the composer, with so many rows as there is room for above it."""
        composer = self.parent
        assert isinstance(composer, Widget)
        room = self.screen.size.height - composer.outer_size.height - LEFT_FREE
        self._rows = min(len(self._choices), max(FEWEST_ROWS, min(MOST_ROWS, room)))
        self._scroll()
        around = composer.styles.gutter
        height = self._rows + self.styles.gutter.height
        self.styles.width = min(WIDEST, composer.outer_size.width)
        self.styles.height = height
        self.styles.offset = (-around.left, -around.top - height)

    def _scroll(self) -> None:
        """The chosen one can be seen, and no room is left below the last."""
        lowest = max(0, len(self._choices) - self._rows)
        self._first = min(max(self._first, self._at - self._rows + 1, 0), self._at, lowest)

    def _index_of(self, insert: str, choices: Sequence[Choice]) -> int:
        return next((at for at, one in enumerate(choices) if one.insert == insert), 0)

    # ── drawing ─────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        at = self._first + y
        width = self.content_size.width
        if at >= len(self._choices) or y >= self._rows:
            return Strip.blank(width, self.rich_style)
        matched = Style(bold=True, underline=True)
        if at == self._at:
            chosen = self.get_component_rich_style("picker--chosen")
            return _row(self._choices[at], CHOSEN, width, (chosen, chosen + matched, chosen))
        detail = self.get_component_rich_style("picker--detail")
        return _row(
            self._choices[at], OTHER, width, (self.rich_style, self.rich_style + matched, detail)
        )

    # ── the mouse ───────────────────────────────────────────────────────────────────────────

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        at = self._first + offset.y if offset is not None else len(self._choices)
        event.stop()
        if at < len(self._choices):
            self._at = at
            self.refresh()
            self.post_message(self.Clicked())

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.prevent_default()  # the text keeps the focus
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(1)


def _row(choice: Choice, mark: str, width: int, styles: tuple[Style, Style, Style]) -> Strip:
    """The name, and as much of the detail as there is room for on the right.

    The styles are those of the row, of what matches in it and of the detail.
    """
    style, matched_style, detail_style = styles
    name, matched = visible(choice.shown).replace("\n", "↵"), set(choice.matched)
    if name != choice.shown:
        matched = set()  # the places are not the same any more
    detail = visible(choice.detail).replace("\n", " ")
    room = width - len(OTHER) - 1
    name, matched = _cut(name, matched, room - min(cell_len(detail) + GAP, room // 3))
    letters = [
        Segment(letter, matched_style if at in matched else style) for at, letter in enumerate(name)
    ]
    detail = set_cell_size(detail, max(0, min(cell_len(detail), room - cell_len(name) - GAP)))
    gap = " " * (room - cell_len(name) - cell_len(detail))
    return Strip(
        [
            Segment(mark, style),
            *letters,
            Segment(gap, style),
            Segment(detail + " ", detail_style),
        ]
    ).simplify()


def _cut(name: str, matched: set[int], room: int) -> tuple[str, set[int]]:
    """The end of a path tells more than its beginning."""
    if cell_len(name) <= room:
        return name, matched
    gone = 1
    while gone < len(name) and cell_len(name[gone:]) >= room:
        gone += 1
    return "…" + name[gone:], {at - gone + 1 for at in matched if at >= gone}
