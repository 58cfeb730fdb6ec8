"""A message as lines on the screen: what every kind of message has in common.

A bar at the left shows where the cursor is, words can be clicked and selected with the mouse. What
a click or a key means is told, never done here.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Protocol, runtime_checkable

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from assistant.tui.widgets.rows import (
    EMPTY_ROW,
    WHOLE,
    Action,
    CodeBlock,
    Content,
    FoundLink,
    Link,
    Row,
    Target,
    action_row,
    selected_text,
)
from assistant.tui.widgets.strips import plain, restyled, strip_of

GUTTER = 2  # cells at the left, for the cursor
BAR = "▌ "
FIRST_SECONDS = 0.04  # of work on one message before it is on the screen for the first time
PAUSE_SECONDS = 0.001  # between two pieces of a long message
SETTLING_SECONDS = 0.12  # without another size, until everything is laid out for the last one
CHOSEN = Style(reverse=True)
HOVERED = Style(underline=True, dim=False)


@runtime_checkable
class Watcher(Protocol):
    """What shows views knows which of them a user can see."""

    def shows_from(self, view: Widget, row: int) -> bool: ...


class ActionChosen(Message):
    """A user wants this of a message, or of a code block in it."""

    def __init__(self, action: Action, view: "LineView", code: CodeBlock | None = None) -> None:
        super().__init__()
        self.action = action
        self.view = view
        self.code = code


class LinkChosen(Message):
    """An address in a message, as it was written; nobody has looked at it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url


class LineView(Widget, inherit_bindings=False):
    """Shows a content; `twin` is another one for the same content when this was removed."""

    DEFAULT_CSS = """
    LineView {
        width: 1fr;
        height: auto;
        color: $foreground;
    }
    LineView > .line-view--bar { color: $block-cursor-background; }
    """
    COMPONENT_CLASSES = {"line-view--bar"}  # noqa: RUF012 # as Textual declares it

    # Nothing stands in it, so another size of it needs no second layout.
    virtual_size = Reactive(Size(0, 0), repaint=False)

    def __init__(self, content: Content) -> None:
        self.content = content
        super().__init__()
        self._cursor: int | None = None
        self._link: int | None = None  # the chosen one of the content's links
        self._hovered: tuple[int, Target] | None = None  # with its row
        self._is_hovered = False
        self._columns = 0  # that the last layout wanted
        self._height = 0  # rows that the last layout got
        self._settling: Timer | None = None

    def twin(self) -> "LineView":
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Of the message, "NAME.NUMBER"; "" while it has none."""
        return self.content.name

    @property
    def text(self) -> str:
        """As it was written; copying gives this."""
        return self.content.text

    @property
    def code_blocks(self) -> list[CodeBlock]:
        return self.content.code_blocks

    @property
    def is_finished(self) -> bool:
        return self.content.is_finished

    # ── the cursor ──────────────────────────────────────────────────────────────────────────

    @property
    def stops(self) -> list[int]:
        """Where the cursor can be: the whole message, then each code block."""
        return [WHOLE, *range(len(self.code_blocks))]

    @property
    def cursor(self) -> int | None:
        return self._cursor

    def show_cursor(self, stop: int | None) -> None:
        self._cursor, self._link = stop, None
        self.refresh()

    def move_link(self, step: int) -> bool:
        """Choose the next or the previous address; False where there is none."""
        count = len(self.content.links())
        if not count:
            return False
        first = 0 if step > 0 else count - 1
        self._link = first if self._link is None else (self._link + step) % count
        self.refresh()
        return True

    @property
    def chosen_link(self) -> FoundLink | None:
        links = [] if self._link is None else self.content.links()
        return links[self._link] if self._link is not None and self._link < len(links) else None

    def enter(self) -> None:
        """What is most likely meant where the cursor is."""
        if (chosen := self.chosen_link) is not None:
            self._choose(chosen.link, WHOLE)
        elif self._cursor is not None and self._cursor != WHOLE:
            self.choose(Action.COPY)

    def choose(self, action: Action) -> None:
        """An action on what the cursor is at; nothing where there is no such action."""
        code = WHOLE if self._cursor is None else self._cursor
        self._choose(action, code)

    def _choose(self, what: Action | Link, code: int) -> None:
        if isinstance(what, Link):
            self.post_message(LinkChosen(what.url))
        elif what in self.content.actions:
            blocks = self.code_blocks
            block = blocks[code] if 0 <= code < len(blocks) else None
            self.post_message(ActionChosen(what, self, block))

    # ── the mouse ───────────────────────────────────────────────────────────────────────────

    def on_click(self, event: events.Click) -> None:
        target = self._target_at(event.x, event.y)
        if target is not None and not self.screen.get_selected_text():
            event.stop()
            self._choose(target.what, self._shown_row(event.y).code)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        target = self._target_at(event.x, event.y)
        self._hover(None if target is None else (event.y, target))

    def on_enter(self) -> None:
        self._is_hovered = True
        self._refresh_row(self.content.height - 1)

    def on_leave(self) -> None:
        self._is_hovered = False
        self._hover(None)
        self._refresh_row(self.content.height - 1)

    def _hover(self, what: tuple[int, Target] | None) -> None:
        before, self._hovered = self._hovered, what
        if before != what:
            for row, _ in filter(None, (before, what)):
                self._refresh_row(row)

    def _target_at(self, x: int, y: int) -> Target | None:
        targets = self._shown_row(y).targets
        return next((t for t in targets if t.start <= x - GUTTER < t.end), None)

    def _refresh_row(self, row: int) -> None:
        self.refresh(Region(0, row, self.size.width, 1))

    # ── layout ──────────────────────────────────────────────────────────────────────────────

    def get_content_height(self, _container: Size, _viewport: Size, width: int) -> int:
        columns = max(1, width - GUTTER)
        if columns != self._columns:
            self._columns = columns
            if not self.content.columns:
                self._begin(self.content.laying_out(columns), columns)
            elif self.content.columns != columns:
                self._settle()
        self._height = self.room_for(self.content.height)
        return self._height

    def room_for(self, height: int) -> int:
        """How many rows the screen keeps for so many."""
        return height

    def _begin(self, pieces: Iterator[None], columns: int) -> None:
        """Most messages are laid out here and now; a long one appears a little later."""
        end = time.thread_time() + FIRST_SECONDS
        for _ in pieces:
            if time.thread_time() > end:
                self._go_on_soon(pieces, columns)
                break

    def _settle(self) -> None:
        if self._settling is None:
            self._settling = self.set_timer(SETTLING_SECONDS, self._lay_out_again)
        else:
            self._settling.reset()

    def _lay_out_again(self) -> None:
        self._settling = None
        if self.content.columns != self._columns:
            self.lay_out_anew()

    def lay_out_anew(self) -> None:
        """For another width, or because the content says something else now."""
        if self._columns:
            self._go_on(self.content.laying_out(self._columns), self._columns)

    def _go_on(self, pieces: Iterator[None], columns: int) -> None:
        """A piece at a time, so that keys are not kept waiting by a long message."""
        if columns != self._columns:
            return
        if next(pieces, self) is self:
            self.refresh(layout=True)
        else:
            self._go_on_soon(pieces, columns)

    def _go_on_soon(self, pieces: Iterator[None], columns: int) -> None:
        self.set_timer(PAUSE_SECONDS, partial(self._go_on, pieces, columns))

    def rows_changed(self, first: int) -> None:
        """The rows from there on look different now."""
        if self.room_for(self.content.height) != self._height:
            self.refresh(layout=True)
        else:
            self.refresh(Region(0, first, self.size.width, self._height - first))

    # ── drawing ─────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        row, base = self._shown_row(y), self.visual_style.rich_style
        strip = strip_of(row.line).apply_style(base)
        for start, end, style in self._marks(row, y):
            strip = restyled(strip, start, end, style)
        has_bar = self._cursor is not None and self._cursor in (WHOLE, row.code)
        style = self.get_component_rich_style("line-view--bar") if has_bar else base
        bar = Segment(BAR if has_bar else " " * GUTTER, style)
        return Strip([bar, *strip.apply_offsets(0, y)])

    def _shown_row(self, y: int) -> Row:
        """The last one shows the actions where somebody may want them."""
        if y < self.content.height - 1:
            return self.content.row(y)
        if y > self.content.height - 1 or not (self._is_hovered or self._cursor == WHOLE):
            return EMPTY_ROW
        return action_row(self.content.actions, self.content.columns)

    def _marks(self, row: Row, y: int) -> Iterator[tuple[int, int, Style]]:
        """What the mouse is at, the chosen address, what is selected: cells and a style."""
        if self._hovered is not None and self._hovered[0] == y:
            yield self._hovered[1].start, self._hovered[1].end, HOVERED
        chosen = self.chosen_link
        for at, target in () if chosen is None else chosen.pieces:
            if at == y:
                yield target.start, target.end, CHOSEN
        selection = self.text_selection
        span = None if selection is None else selection.get_span(y)
        if span is not None:
            text = plain(row.line)
            start, end = span
            cells = cell_len(text[:start]), cell_len(text if end < 0 else text[:end])
            yield *cells, self.screen.get_component_rich_style("screen--selection")

    # ── selecting with the mouse ────────────────────────────────────────────────────────────

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text as it was before it was folded."""
        start, end = selection
        text = selected_text(
            list(self.content.rows()),
            None if start is None else (start.y, start.x),
            None if end is None else (end.y, end.x),
        )
        return (text, "\n") if text else None

    def selection_updated(self, _selection: Selection | None) -> None:
        self.refresh()
