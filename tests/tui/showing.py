"""A tiny app around messages, for the tests of the transcript: what it was told, what it shows."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import ClassVar, TypeVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from assistant.conversation.records import Kind, State, StoredMessage
from assistant.tui.widgets.lines import ActionChosen, LinkChosen
from assistant.tui.widgets.question import QuestionView
from assistant.tui.widgets.transcript import Transcript

M = TypeVar("M", bound=Message)

SIZE = (80, 24)
PATIENCE_SECONDS = 20.0
DAY = date(2026, 7, 1)


class Host(App[None]):
    """`told` are the messages of the views, in their order."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("alt+up", "move(-1)"),
        Binding("alt+down", "move(1)"),
    ]

    def __init__(self, views: Sequence[Widget] = (), theme: str = "") -> None:
        super().__init__()
        self._views = views
        self._chosen_theme = theme
        self.told: list[Message] = []

    def compose(self) -> ComposeResult:
        yield Transcript()
        yield Input(compact=True)

    def on_mount(self) -> None:
        if self._chosen_theme:
            self.theme = self._chosen_theme
        self.query_one(Input).focus()

    def action_move(self, step: int) -> None:
        self.query_one(Transcript).move_cursor(step)

    def on_action_chosen(self, event: ActionChosen) -> None:
        self.told.append(event)

    def on_link_chosen(self, event: LinkChosen) -> None:
        self.told.append(event)

    def on_question_view_removed(self, event: QuestionView.Removed) -> None:
        self.told.append(event)

    def on_transcript_left(self, event: Transcript.Left) -> None:
        self.told.append(event)


class Show:
    """What a test does with the transcript, and what it sees of it."""

    def __init__(self, app: Host, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot
        self.transcript = app.query_one(Transcript)

    def rows(self) -> list[str]:
        """The screen, without the line to type in and without the scroll bar."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text[:-1].rstrip() for strip in strips][:-1]

    def text(self) -> str:
        return "\n".join(self.rows())

    def shows(self, words: str) -> bool:
        return words in self.text()

    def row_of(self, words: str) -> int:
        return next(at for at, row in enumerate(self.rows()) if words in row)

    async def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, self.text()
            await self.pilot.pause()
            await asyncio.sleep(0.01)

    async def until_shown(self, words: str) -> None:
        await self.until(lambda: self.shows(words))

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def click(self, words: str, word: str = "") -> None:
        """The first cell of a word in the row that shows these words."""
        y = self.row_of(words)
        x = self.rows()[y].index(word or words)
        await self.pilot.click(offset=(x, y))
        await self.pilot.pause()

    def told(self, kind: type[M]) -> list[M]:
        return [event for event in self.app.told if isinstance(event, kind)]


def show(
    act: Callable[[Show], Awaitable[None]], size: tuple[int, int] = SIZE, theme: str = ""
) -> None:
    """Run a test with an empty transcript."""

    async def run() -> None:
        app = Host(theme=theme)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(Show(app, pilot))

    asyncio.run(run())


def conversation(count: int, answer: str = "It is so.\n\nAnd that is why.") -> list[StoredMessage]:
    """Questions and answers in turn, with their numbers in their text."""
    return [
        StoredMessage(
            number,
            number - 1,
            Kind.QUESTION if number % 2 else Kind.ANSWER,
            State.COMPLETE,
            f"Question {number}?" if number % 2 else f"Answer {number}.\n\n{answer}",
            0.0,
        )
        for number in range(1, count + 1)
    ]
