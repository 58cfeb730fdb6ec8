"""The past conversations, newest first, and a field that searches in all that was said."""

import time
from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from assistant.conversation.message_names import split_name
from assistant.conversation.records import Conversation, Hit
from assistant.tui.widgets.past_rows import conversation_option, hit_option, words_option

SEARCH_DELAY_SECONDS = 0.2
HINT = "↑↓ choose · Enter opens · Esc closes"
NOTHING_YET = "no conversations yet"
FEWEST_CELLS = 30  # of a row, before the list has a size


class FoundList(OptionList):
    """Letters go on in the field above it, and so does Up from the first row."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("up", "go_up", show=False)]

    class Left(Message):
        """For the field, with what was typed."""

        def __init__(self, typed: str = "") -> None:
            super().__init__()
            self.typed = typed

    def action_go_up(self) -> None:
        if self.highlighted in (None, 0):
            self.post_message(self.Left())
        else:
            self.action_cursor_up()

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.character:
            event.stop()
            event.prevent_default()
            self.post_message(self.Left(event.character))


class Sidebar(Vertical):
    """Shows what it is given; asks for more with `Wanted`, and says what was chosen."""

    DEFAULT_CSS = """
    Sidebar {
        width: 40;
        height: 1fr;
        padding: 0 0 0 1;
        background: $surface;
        border-right: solid $border-blurred;
        display: none;
        &.-open { display: block; }
        &:focus-within { border-right: solid $border; }
    }
    Sidebar Input {
        height: 1;
        border: none;
        padding: 0;
        margin: 0 1 1 0;
        background: $surface;
        &:focus { background: $panel; }
    }
    Sidebar FoundList {
        height: 1fr;
        border: none;
        padding: 0;
        background: $surface;
        scrollbar-size-vertical: 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &:focus { border: none; background-tint: transparent; }
        & > .option-list--option-disabled { color: $text-muted; }
    }
    Sidebar Static { height: 1; color: $text-muted; }
    """

    class Wanted(Message):
        """The conversations that hold these words; all without words."""

        def __init__(self, query: str) -> None:
            super().__init__()
            self.query = query

    class Chosen(Message):
        """A conversation, and the message in it that was found (0: none)."""

        def __init__(self, name: str, number: int) -> None:
            super().__init__()
            self.name = name
            self.number = number

    class Left(Message):
        """The user is done with it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close"),
        Binding("down", "go_down", "Results"),
    ]

    def compose(self) -> ComposeResult:
        yield Input(placeholder="search conversations", id="query", compact=True)
        yield FoundList(id="found", markup=False)
        yield Static(HINT, id="hint", markup=False)

    def open(self, query: str = "") -> None:
        self.add_class("-open")
        self._field.value = query
        self._field.focus()
        self._list.highlighted = None
        self.post_message(self.Wanted(query))

    def close(self) -> None:
        self.remove_class("-open")

    def renew(self) -> None:
        """Something has changed: what it shows is wanted again."""
        if self.is_open:
            self.post_message(self.Wanted(self._field.value))

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    @property
    def _field(self) -> Input:
        return self.query_one("#query", Input)

    @property
    def _list(self) -> FoundList:
        return self.query_one("#found", FoundList)

    # ── what is shown ───────────────────────────────────────────────────────────────────────

    def show_conversations(self, found: Sequence[Conversation], current: str) -> None:
        """`current` is the name of the one that is on the screen."""
        now = time.time()
        options = [conversation_option(one, now, is_here=one.name == current) for one in found]
        self._show(options or [words_option(NOTHING_YET)])

    def show_hits(self, hits: Sequence[Hit], query: str, current: str) -> None:
        cells = self._list.scrollable_content_region.width or FEWEST_CELLS
        options = [
            hit_option(hit, query, cells, is_here=hit.conversation.name == current) for hit in hits
        ]
        self._show(options or [words_option(f"nothing holds {query}")])

    def show_problem(self, words: str) -> None:
        self._show([words_option(words)])

    def _show(self, options: Sequence[Option]) -> None:
        """The same one stays chosen, if it is still there."""
        shown = self._list
        chosen = shown.highlighted_option.id if shown.highlighted_option else None
        shown.clear_options()
        shown.add_options(options)
        ids = [option.id for option in options]
        shown.highlighted = ids.index(chosen) if chosen in ids and chosen is not None else None

    # ── what the user does ──────────────────────────────────────────────────────────────────

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def action_go_down(self) -> None:
        self._list.focus()
        if self._list.highlighted is None:
            self._list.action_first()

    @on(FoundList.Left)
    def _go_on_in_field(self, event: FoundList.Left) -> None:
        event.stop()
        self._list.highlighted = None
        self._field.focus()
        self._field.insert_text_at_cursor(event.typed)

    @on(Input.Changed, "#query")
    def _search_soon(self, event: Input.Changed) -> None:
        event.stop()
        query = event.value
        self.set_timer(SEARCH_DELAY_SECONDS, lambda: self._search(query))

    def _search(self, query: str) -> None:
        """Nothing where more was typed meanwhile."""
        if self.is_open and query == self._field.value:
            self.post_message(self.Wanted(query))

    @on(Input.Submitted, "#query")
    def _take_first(self, event: Input.Submitted) -> None:
        event.stop()
        if self._list.highlighted is None:
            self._list.action_first()
        self._list.action_select()

    @on(FoundList.OptionSelected, "#found")
    def _choose(self, event: FoundList.OptionSelected) -> None:
        event.stop()
        if event.option_id:
            name = split_name(event.option_id)
            self.post_message(self.Chosen(name.conversation, name.number or 0))
