"""Long pastes, each as one short label: what a person cannot read in a few lines is attached."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from assistant.attachments.line_ranges import count_lines
from assistant.messages import Attachment
from assistant.rendering.quantities import size_text

REMOVE = " × "


class PastedRow(Widget, can_focus=True):
    """Hidden while there is none. Backspace in the text leads here; any letter leads back."""

    DEFAULT_CSS = """
    PastedRow {
        height: 1;
        display: none;
        & > .pasted-row--label { background: $boost; color: $text-muted; }
        & > .pasted-row--chosen {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: $block-cursor-text-style;
        }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"pasted-row--label", "pasted-row--chosen"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "The one before", show=False),
        Binding("right", "move(1)", "The next one", show=False),
        Binding("backspace,delete", "remove", "Remove", show=False),
        Binding("enter,ctrl+g", "open", "Show in the editor", show=False),
        Binding("down,escape,tab", "leave", "Back to the text", show=False),
    ]

    class Removed(Message):
        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    class Opened(Message):
        """It is to be shown in full."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    class Left(Message):
        """Back to the text, where `letter` is to be written."""

        def __init__(self, letter: str = "") -> None:
            super().__init__()
            self.letter = letter

    def __init__(self) -> None:
        super().__init__()
        self._labels: list[str] = []
        self._at = 0

    def show(self, pasted: Sequence[Attachment]) -> None:
        self._labels = [label_of(one) for one in pasted]
        self._at = max(0, len(pasted) - 1)
        self.display = bool(pasted)
        self.refresh()

    def action_move(self, steps: int) -> None:
        self._at = min(max(self._at + steps, 0), len(self._labels) - 1)
        self.refresh()

    def action_remove(self) -> None:
        self.post_message(self.Removed(self._at))

    def action_open(self) -> None:
        self.post_message(self.Opened(self._at))

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def on_focus(self) -> None:
        self._at = len(self._labels) - 1

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.character:
            event.stop()
            self.post_message(self.Left(event.character))

    def on_click(self, event: events.Click) -> None:
        """The × removes, the rest of a label opens."""
        event.stop()
        for at, (start, end) in enumerate(self._places()):
            if start <= event.x < end:
                is_on_cross = event.x >= end - len(REMOVE)
                self.post_message(self.Removed(at) if is_on_cross else self.Opened(at))

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        if y or not self._labels:
            return Strip.blank(width, self.rich_style)
        plain = self.get_component_rich_style("pasted-row--label")
        chosen = self.get_component_rich_style("pasted-row--chosen")
        segments = []
        for at, label in enumerate(self._labels):
            is_chosen = self.has_focus and at == self._at
            segments.append(Segment(f" {label}{REMOVE}", chosen if is_chosen else plain))
            segments.append(Segment(" ", self.rich_style))
        strip = Strip(segments)
        first = self._first_cell(width)
        return strip.crop(first, first + width).extend_cell_length(width, self.rich_style)

    def _places(self) -> list[tuple[int, int]]:
        """Cells from the first to behind the last, of each label as it is on the screen."""
        places, start = [], -self._first_cell(self.content_size.width)
        for label in self._labels:
            end = start + len(label) + 1 + len(REMOVE)
            places.append((start, end))
            start = end + 1
        return places

    def _first_cell(self, width: int) -> int:
        """So that the chosen label, or else the last, is on the screen."""
        ends = [len(label) + 1 + len(REMOVE) for label in self._labels[: self._at + 1]]
        return max(0, sum(ends) + self._at - width)


def label_of(pasted: Attachment) -> str:
    """`pasted text 1: 1 MB, 12,345 lines`."""
    size = size_text(len(pasted.text.encode("utf-8", "replace")))
    lines = count_lines(pasted.text)
    return f"{pasted.name}: {size}, {lines:,} line{'s' * (lines != 1)}"
