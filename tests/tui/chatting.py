"""The chat without a terminal: a scripted engine, real conversations, and a pilot."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

from template_engine import ScriptedStream, TemplateEngine
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES

from assistant.chat_commands.chat import Chat
from assistant.config import Settings
from assistant.conversation.message_names import MessageName
from assistant.engine.base import GenerationRequest
from assistant.events import Event, ModelLoading, TextChunk
from assistant.tui.app import ChatApp
from assistant.tui.screens.chat import ChatScreen, Start
from assistant.tui.widgets.lines import LineView

PATIENCE_SECONDS = 20.0


class SlowEngine(TemplateEngine):
    """Waits so long between two pieces of an answer, and before it is loaded."""

    pause_seconds = 0.0
    loading_seconds = 0.0

    def load(self) -> Iterator[ModelLoading]:
        yield ModelLoading("reading the file", 0.5)
        time.sleep(self.loading_seconds)

    def stream(self, request: GenerationRequest) -> "SlowStream":
        self.requests.append(request)
        return SlowStream(self, request)


class SlowStream(ScriptedStream):
    def __iter__(self) -> Iterator[Event]:
        assert isinstance(self._engine, SlowEngine)
        for event in super().__iter__():
            if isinstance(event, TextChunk):
                time.sleep(self._engine.pause_seconds)
            yield event


class Talk:
    """A running chat: type, press, wait, look."""

    def __init__(self, app: ChatApp, pilot: Pilot[int], engine: SlowEngine) -> None:
        self.app = app
        self.pilot = pilot
        self.engine = engine

    @property
    def screen(self) -> ChatScreen:
        found = [screen for screen in self.app.screen_stack if isinstance(screen, ChatScreen)]
        return found[0]

    @property
    def state(self) -> str:
        return self.screen.status.facts.state

    @property
    def shown(self) -> list[str]:
        """The texts of the messages that are widgets."""
        return [view.text for view in self.views]

    @property
    def views(self) -> list[LineView]:
        return [view for view in self.screen.transcript.children if isinstance(view, LineView)]

    async def wait_for(self, is_true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_true():
            assert time.monotonic() < end, f"it never happened; {self.state}; {self.shown}"
            await self.pilot.pause(0.01)

    async def send(self, text: str) -> None:
        self.screen.composer.set_text(text)
        self.screen.composer.focus()
        await self.pilot.press("enter")

    async def ask(self, text: str) -> None:
        """Send it and wait for the answer."""
        before = len(self.engine.requests)
        await self.send(text)
        await self.wait_for(lambda: len(self.engine.requests) > before)
        await self.wait_for(lambda: self.state == "ready" and not self.screen.turns.is_busy)

    async def command(self, line: str, is_done: Callable[[], bool]) -> None:
        await self.send(line)
        await self.wait_for(is_done)


def chat_with(
    test: Callable[[Talk], Awaitable[None]],
    engine: SlowEngine | None = None,
    *,
    size: tuple[int, int] = (80, 24),
    start: Start | None = None,
    settings: Settings | None = None,
    resume: MessageName | None = None,
) -> None:
    """Runs the test in a chat that is loaded."""
    engine = engine or SlowEngine(8192)

    async def run() -> None:
        chat = Chat(
            settings or Settings(),
            resume=resume,
            open_engine=lambda _settings: engine,
            themes=tuple(BUILTIN_THEMES),
        )
        app = ChatApp(chat, start or Start())
        try:
            async with app.run_test(size=size) as pilot:
                talk = Talk(app, pilot, engine)
                await talk.wait_for(lambda: talk.screen.is_mounted)
                await test(talk)
        finally:
            chat.close()

    asyncio.run(run())


async def loaded(talk: Talk) -> None:
    await talk.wait_for(lambda: talk.state == "ready")
