"""The past conversations, newest first, and a field that searches in all that was said."""

import time
from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from assistant.conversation.records import Conversation, Hit
from assistant.rendering.quantities import age_text
from assistant.rendering.tables import one_line

SEARCH_DELAY_SECONDS = 0.2


class Sidebar(Vertical):
    """Shows what it is given; asks for more with `Wanted`, and says what was chosen."""

    DEFAULT_CSS = """
    Sidebar {
        width: 34;
        max-width: 50%;
        height: 1fr;
        background: $panel;
        display: none;
    }
    Sidebar.-open { display: block; }
    Sidebar Input { height: 1; border: none; padding: 0 1; margin: 0 0 1 0; }
    Sidebar OptionList { height: 1fr; border: none; background: $panel; padding: 0; }
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

    BINDINGS = [("escape", "leave", "Close"), ("down", "go_down", "Results")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        yield Input(placeholder="search conversations", id="query", compact=True)
        yield OptionList(id="found", markup=False)

    def open(self, query: str = "") -> None:
        self.add_class("-open")
        field = self.query_one("#query", Input)
        field.value = query
        field.focus()
        self.post_message(self.Wanted(query))

    def close(self) -> None:
        self.remove_class("-open")

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    # ── what is shown ───────────────────────────────────────────────────────────────────────

    def show_conversations(self, found: Sequence[Conversation], current: str) -> None:
        self._show([_conversation_option(one, one.name == current) for one in found])

    def show_hits(self, hits: Sequence[Hit]) -> None:
        self._show([_hit_option(hit) for hit in hits])

    def show_problem(self, words: str) -> None:
        self._show([Option(Text(words, style="dim"), disabled=True)])

    def _show(self, options: Sequence[Option]) -> None:
        shown = self.query_one("#found", OptionList)
        shown.clear_options()
        shown.add_options(options or [Option(Text("nothing yet", style="dim"), disabled=True)])

    # ── what the user does ──────────────────────────────────────────────────────────────────

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def action_go_down(self) -> None:
        found = self.query_one("#found", OptionList)
        found.focus()
        if found.option_count and found.highlighted is None:
            found.highlighted = 0

    @on(Input.Changed, "#query")
    def _search_soon(self, event: Input.Changed) -> None:
        event.stop()
        query = event.value
        self.set_timer(SEARCH_DELAY_SECONDS, lambda: self._search(query))

    def _search(self, query: str) -> None:
        """Nothing where more was typed meanwhile."""
        if self.is_open and query == self.query_one("#query", Input).value:
            self.post_message(self.Wanted(query))

    @on(Input.Submitted, "#query")
    def _take_first(self, event: Input.Submitted) -> None:
        event.stop()
        shown = self.query_one("#found", OptionList)
        if shown.option_count:
            shown.highlighted = shown.highlighted or 0
            shown.action_select()

    @on(OptionList.OptionSelected, "#found")
    def _choose(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        name, _, number = (event.option_id or "").partition(".")
        if name:
            self.post_message(self.Chosen(name, int(number or 0)))


def _conversation_option(one: Conversation, is_current: bool) -> Option:
    title = Text(one_line(one.title), style="bold" if is_current else "", no_wrap=True)
    age = age_text(one.updated, time.time())
    below = Text(f"\n{one.name} · {age} · {one.messages} messages", style="dim", no_wrap=True)
    return Option(title + below, id=one.name)


def _hit_option(hit: Hit) -> Option:
    title = Text(one_line(hit.conversation.title), no_wrap=True)
    words = Text(f"\n{one_line(hit.message.text[:200])}", style="dim", no_wrap=True)
    return Option(title + words, id=f"{hit.conversation.name}.{hit.message.number}")
