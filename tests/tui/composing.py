"""A tiny app around the composer, for its tests: it keeps what it is told, and waits."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, TypeVar

from msgspec import Struct
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Static

from assistant.tui.widgets.composer import Composer
from assistant.tui.widgets.draft_area import DraftArea
from assistant.tui.widgets.pasted_row import PastedRow
from assistant.tui.widgets.picker import Choice, Picker

M = TypeVar("M", bound=Message)

SIZE = (80, 24)
PATIENCE_SECONDS = 20.0


class Suggestion(Struct, frozen=True):
    text: str
    summary: str = ""


COMMANDS = (
    Suggestion("/help ", "Show all commands, or one."),
    Suggestion("/history", "Past conversations."),
    Suggestion("/model ", "Another model."),
    Suggestion("/new", "A new conversation."),
)


def complete(line: str) -> Sequence[Suggestion]:
    if line.startswith("/model "):
        names = ("/model small", "/model large")
        return [Suggestion(name) for name in names if name.startswith(line)]
    return [one for one in COMMANDS if one.text.startswith(line)]


def count_words(text: str) -> int | None:
    return len(text.split())


class Host(App[None]):
    """`told` are the composer's messages, `keys` what it has left to others."""

    CSS = "#talk, #past { height: 1fr; } Composer { max-height: 50%; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "note('ctrl+c')"),
        Binding("ctrl+d", "note('ctrl+d')"),
        Binding("ctrl+y", "note('ctrl+y')"),
        Binding("escape", "note('escape')"),
        Binding("pageup", "note('pageup')"),
    ]

    def __init__(self, composer: Composer | None = None) -> None:
        super().__init__()
        self.composer = composer or Composer(complete, count_words)
        self.told: list[Message] = []
        self.keys: list[str] = []
        self.copied: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="talk"):
            yield Static("past\n" * 100, id="past")
            yield self.composer

    def on_mount(self) -> None:
        self.composer.focus()

    def action_note(self, key: str) -> None:
        self.keys.append(key)

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)

    def on_composer_submitted(self, event: Composer.Submitted) -> None:
        self.told.append(event)

    def on_composer_changed(self, event: Composer.Changed) -> None:
        self.told.append(event)

    def on_composer_shell_wanted(self, event: Composer.ShellWanted) -> None:
        self.told.append(event)

    def on_composer_editor_wanted(self, event: Composer.EditorWanted) -> None:
        self.told.append(event)


class Desk:
    """What a test does with the composer, and what it looks at."""

    def __init__(self, host: Host, pilot: Pilot[None]) -> None:
        self.host = host
        self.pilot = pilot
        self.composer = host.composer
        self.draft = host.composer.query_one(DraftArea)
        self.picker = host.composer.query_one(Picker)
        self.row = host.composer.query_one(PastedRow)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        """All keys at once, as a fast typist or a slow machine has them."""
        for letter in text:
            key = {"\n": "ctrl+j", "\r": "enter", "\t": "tab"}.get(letter, letter)
            self.host.post_message(events.Key(key, letter))
        await self.pilot.pause()

    async def paste(self, text: str) -> None:
        self.host.post_message(events.Paste(text))
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, self.screen()
            await self.pilot.pause()
            await asyncio.sleep(0.01)

    async def until_offered(self, name: str) -> None:
        await self.until(lambda: name in self.offered())

    def offered(self) -> list[str]:
        """What the picker shows, without scrolling."""
        return [choice.shown for choice in self.picker.shown] if self.picker.is_open else []

    def choice(self, shown: str) -> Choice | None:
        found = [one for one in self.picker.shown if one.shown == shown]
        return found[0] if found else None

    def sent(self) -> list[str]:
        return [one.text for one in self.told(Composer.Submitted)]

    def told(self, kind: type[M]) -> list[M]:
        return [one for one in self.host.told if isinstance(one, kind)]

    def screen(self) -> str:
        """All that is on it, without colours."""
        strips = self.host.screen._compositor.render_strips()
        return "\n".join("".join(part.text for part in strip).rstrip() for strip in strips)


def at_desk(
    work: Callable[[Desk], Awaitable[None]],
    size: tuple[int, int] = SIZE,
    composer: Composer | None = None,
) -> None:
    async def run() -> None:
        host = Host(composer)
        async with host.run_test(size=size) as pilot:
            await work(Desk(host, pilot))

    asyncio.run(run())
