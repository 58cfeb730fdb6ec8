"""The list of past conversations: found, walked through and chosen with keys alone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import date

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from assistant.conversation.records import Conversation, Hit, Kind, State, StoredMessage
from assistant.tui.widgets.sidebar import Sidebar

PATIENCE_SECONDS = 20.0


def conversation(name: str, title: str, minutes: int = 2, messages: int = 2) -> Conversation:
    updated = time.time() - 60 * minutes
    return Conversation(name, title, "/", date(2026, 1, 2), updated, updated, messages)


def hit(name: str, number: int, text: str) -> Hit:
    found = StoredMessage(number, 0, Kind.ANSWER, State.COMPLETE, text, time.time())
    return Hit(conversation(name, f"about {name}"), found)


def past() -> list[Conversation]:
    """Of now, however long the tests have been running."""
    first = conversation("aaaaa", "First [red]title[/]")
    return [first, conversation("bbbbb", "Second " * 20, 5, 1)]


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[object] = []

    def compose(self) -> ComposeResult:
        yield Sidebar()
        yield Input(id="elsewhere")

    def on_sidebar_wanted(self, event: Sidebar.Wanted) -> None:
        self.told.append(event.query)

    def on_sidebar_chosen(self, event: Sidebar.Chosen) -> None:
        self.told.append((event.name, event.number))

    def on_sidebar_left(self) -> None:
        self.told.append(Sidebar.Left)


class Beside:
    def __init__(self, app: Host, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot
        self.sidebar = app.query_one(Sidebar)
        self.field = app.query_one("#query", Input)
        self.list = app.query_one(OptionList)

    async def wait_for(self, is_true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_true():
            assert time.monotonic() < end, self.app.told
            await self.pilot.pause(0.01)

    @property
    def rows(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()
        shown = ["".join(segment.text for segment in strip).rstrip() for strip in strips]
        return [row for row in shown if row.strip(" │")]


def with_sidebar(test: Callable[[Beside], Awaitable[None]]) -> None:
    async def run() -> None:
        app = Host()
        async with app.run_test(size=(60, 20)) as pilot:
            beside = Beside(app, pilot)
            beside.sidebar.open()
            await beside.wait_for(lambda: "" in app.told)
            await test(beside)

    asyncio.run(run())


def test_a_conversation_is_chosen_with_two_keys() -> None:
    async def test(beside: Beside) -> None:
        beside.sidebar.show_conversations(past(), "")
        await beside.pilot.press("down", "down", "enter")
        await beside.wait_for(lambda: ("bbbbb", 0) in beside.app.told)

    with_sidebar(test)


def test_each_takes_two_rows_and_titles_are_no_markup() -> None:
    async def test(beside: Beside) -> None:
        beside.sidebar.show_conversations(past(), "bbbbb")
        await beside.pilot.pause()
        shown = [row[1:39].rstrip() for row in beside.rows]
        assert shown[1:5] == [
            "  First [red]title[/]",
            "  2 min ago · 2 messages · aaaaa",
            "● Second Second Second Second Second…",
            "  5 min ago · 1 message · bbbbb",
        ]

    with_sidebar(test)


def test_what_is_typed_is_searched_once_nothing_more_comes() -> None:
    async def test(beside: Beside) -> None:
        await beside.pilot.press("z", "e", "b")
        await beside.wait_for(lambda: "zeb" in beside.app.told)
        assert "z" not in beside.app.told
        beside.sidebar.show_hits([hit("aaaaa", 4, "one\nmy zebra\nruns")], "zeb", "")
        await beside.pilot.press("enter")
        await beside.wait_for(lambda: ("aaaaa", 4) in beside.app.told)
        assert any("my zebra" in row for row in beside.rows)

    with_sidebar(test)


def test_letters_in_the_list_go_on_in_the_field() -> None:
    async def test(beside: Beside) -> None:
        beside.sidebar.show_conversations(past(), "")
        await beside.pilot.press("a", "down", "b")
        await beside.wait_for(lambda: beside.field.value == "ab" and beside.field.has_focus)

    with_sidebar(test)


def test_up_from_the_first_row_is_the_field_again() -> None:
    async def test(beside: Beside) -> None:
        beside.sidebar.show_conversations(past(), "")
        await beside.pilot.press("down", "down", "up", "up")
        await beside.wait_for(lambda: beside.field.has_focus)

    with_sidebar(test)


def test_escape_leaves_it_from_the_field_and_from_the_list() -> None:
    async def test(beside: Beside) -> None:
        beside.sidebar.show_conversations(past(), "")
        await beside.pilot.press("escape", "down", "escape")
        await beside.wait_for(lambda: beside.app.told.count(Sidebar.Left) == 2)

    with_sidebar(test)


def test_where_there_is_nothing_it_says_so_and_nothing_can_be_chosen() -> None:
    async def test(beside: Beside) -> None:
        beside.sidebar.show_conversations([], "")
        await beside.pilot.pause()
        assert "no conversations yet" in "".join(beside.rows)
        beside.sidebar.show_hits([], "zebra", "")
        await beside.pilot.press("down", "enter")
        await beside.pilot.pause()
        assert "nothing holds zebra" in "".join(beside.rows)
        assert not any(isinstance(one, tuple) for one in beside.app.told)

    with_sidebar(test)


def test_what_is_chosen_stays_chosen_when_the_list_is_new() -> None:
    async def test(beside: Beside) -> None:
        beside.sidebar.show_conversations(past(), "")
        await beside.pilot.press("down", "down")
        beside.sidebar.show_conversations([conversation("ccccc", "New"), *past()], "ccccc")
        await beside.pilot.press("enter")
        await beside.wait_for(lambda: ("bbbbb", 0) in beside.app.told)

    with_sidebar(test)
