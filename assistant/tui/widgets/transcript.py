"""The conversation from top to bottom: a cursor in it, and the keys for what the cursor is at."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from assistant.tui.widgets.lines import LineView
from assistant.tui.widgets.message_list import MessageList
from assistant.tui.widgets.places import BATCH
from assistant.tui.widgets.rows import KEYS, WHOLE, Action

Stop = tuple[LineView, int]  # see `LineView.stops`


class Transcript(MessageList):
    """The cursor is at a message or at one of its code blocks, and seen while the focus is here."""

    FOCUS_ON_CLICK = False  # whoever clicks on a word goes on writing
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"choose('{action}')", action.capitalize()) for key, action in KEYS.items()),
        Binding("enter", "enter", "Open, copy or edit", show=False),
        Binding("left", "move_link(-1)", "Previous address", show=False),
        Binding("right", "move_link(1)", "Next address", show=False),
        Binding("home,ctrl+home", "go_to_start", "To the first message", show=False),
        Binding("end,ctrl+end", "go_to_end", "To the last message", show=False),
        Binding("pageup", "scroll_page(-1)", "Page up", show=False),
        Binding("pagedown", "scroll_page(1)", "Page down", show=False),
    ]

    class Left(Message):
        """The cursor went down from the last message."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 # as Textual calls it
        super().__init__(id=id)
        self._at: LineView | None = None

    def move_cursor(self, step: int) -> None:
        """To the next (1) or previous (-1) message or code block. The first step goes to what is
        on the screen; then the keys of messages work."""
        self.focus(scroll_visible=False)
        stops = self._stops()
        at = self._index_in(stops, step)
        if at < 0 and self.places.first:
            self.show_places(max(0, self.places.first - BATCH), self.places.last)
            stops, at = self._stops(), at + len(self._stops()) - len(stops)
        if at >= len(stops):
            self._put(None)
            self.post_message(self.Left())
        elif at >= 0:
            self._put(stops[at])
            self._reveal()

    def go_to(self, name: str) -> LineView | None:
        view = super().go_to(name)
        if view is not None:
            self._put((view, WHOLE))
        return view

    def _stops(self) -> list[Stop]:
        return [(view, stop) for view in self.places.shown for stop in view.stops]

    def _index_in(self, stops: Sequence[Stop], step: int) -> int:
        view = self._at
        own = [at for at, (one, _) in enumerate(stops) if one is view]
        if view is not None and view.cursor is not None and own and self.shows(view):
            at = (view, view.cursor)
            return stops.index(at) + step if at in stops else own[0]
        seen = [at for at, (one, _) in enumerate(stops) if self.shows(one)]
        return seen[-1] if seen else len(stops) - 1

    def _put(self, stop: Stop | None) -> None:
        view = None if stop is None else stop[0]
        if self._at is not None and self._at is not view:
            self._at.show_cursor(None)
        self._at = view
        if stop is not None:
            stop[0].show_cursor(stop[1])

    def _reveal(self) -> None:
        """All of what the cursor is at, or its beginning where it is too long."""
        view = self._at
        if view is None or view.cursor is None or view not in self.places.shown:
            return
        region = self.region_of(view)
        if region is None:
            self.call_after_refresh(self._reveal)
            return
        rows = view.content.rows_of_code(view.cursor)
        if (chosen := view.chosen_link) is not None:
            rows = range(chosen.pieces[0][0], chosen.pieces[-1][0] + 1)
        height = self.container_size.height
        top, bottom = region.y + rows.start, region.y + rows.stop
        if top < self.scroll_y or len(rows) > height:
            self.scroll_to(y=top, animate=False, immediate=True)
        elif bottom > self.scroll_y + height:
            self.scroll_to(y=bottom - height, animate=False, immediate=True)

    def on_focus(self) -> None:
        if self._at is None or self._at.cursor is None:
            self.move_cursor(-1)

    def on_blur(self) -> None:
        self._put(None)

    # ── keys ────────────────────────────────────────────────────────────────────────────────

    def action_choose(self, action: str) -> None:
        if self._at is not None:
            self._at.choose(Action(action))

    def action_enter(self) -> None:
        if self._at is not None:
            self._at.enter()

    def action_move_link(self, step: int) -> None:
        if self._at is not None and self._at.move_link(step):
            self._reveal()

    def action_go_to_start(self) -> None:
        self.go_to_start()

    def action_go_to_end(self) -> None:
        self.go_to_end()

    def action_scroll_page(self, step: int) -> None:
        self.scroll_page(step)
