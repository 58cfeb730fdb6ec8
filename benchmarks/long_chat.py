"""How long does a conversation of 10,000 messages take to open, and a page of it to scroll?"""

import asyncio
import os
import statistics
import tempfile
import time
from datetime import date

from assistant.chat_commands.chat import Chat
from assistant.config import Settings
from assistant.conversation.records import Conversation, Kind, State, StoredMessage
from assistant.conversation.store import Store
from assistant.messages import Role, message
from assistant.tui.app import ChatApp
from assistant.tui.screens.chat import ChatScreen, Start
from assistant.tui.widgets.lines import LineView
from benchmarks.measure import detail, show, spread
from benchmarks.scripted_chat import CODE, PROSE, ScriptedEngine

MESSAGES = 10_000
PAGES = 60
SIZE = (100, 40)
LAST = "The very last answer."


def open_and_scroll() -> None:
    before = os.environ.get("LLMCHAT_HOME")
    with tempfile.TemporaryDirectory() as home:
        os.environ["LLMCHAT_HOME"] = home
        try:
            asyncio.run(measured(long_conversation()))
        finally:
            os.environ.pop("LLMCHAT_HOME")
            if before is not None:
                os.environ["LLMCHAT_HOME"] = before


def long_conversation() -> str:
    """Questions and answers in turn; the name of the conversation."""
    messages = []
    for number in range(1, MESSAGES, 2):
        text = f"Question {number}: how does it work?"
        content = (message(Role.USER, text, "question"),)
        messages.append(stored(number, Kind.QUESTION, text, content))
        answer = LAST if number + 1 == MESSAGES else f"Answer {number + 1}. {PROSE}{CODE}"
        messages.append(stored(number + 1, Kind.ANSWER, answer))
    store = Store.open()
    now = time.time()
    long = Conversation("long1", "long", "/", date.today(), now, now, MESSAGES, MESSAGES)
    name = store.add_whole(long, messages).name
    store.close()
    return name


def stored(number: int, kind: Kind, text: str, content: tuple[object, ...] = ()) -> StoredMessage:
    return StoredMessage(number, number - 1, kind, State.COMPLETE, text, time.time(), content)  # type: ignore[arg-type]  # messages


async def measured(name: str) -> None:
    chat = Chat(Settings(), open_engine=lambda _settings: ScriptedEngine(100, 10))
    app = ChatApp(chat, Start())
    async with app.run_test(size=SIZE) as pilot:
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        while screen.status.facts.state != "ready":
            await pilot.pause(0.01)
        began = time.perf_counter()
        screen.run_line(f"/resume {name}")
        while not shows(screen, LAST):
            await pilot.pause(0)
        await pilot.pause()
        seconds = time.perf_counter() - began
        pages = []
        for _ in range(PAGES):
            began = time.perf_counter()
            screen.transcript.scroll_page(-1)
            await pilot.pause()
            pages.append(1000 * (time.perf_counter() - began))
    chat.close()
    show(f"opening a conversation of {MESSAGES:,} messages", seconds, 1, at_most=True, unit="s")
    detail(f"ms a page: {spread(pages)}")
    p95 = sorted(pages)[int(PAGES * 0.95)]
    median = statistics.median(pages)
    show("scrolling it by a page, median", median, 50, at_most=True, unit="ms")
    show("scrolling it by a page, p95", p95, 50, at_most=True, unit="ms")


def shows(screen: ChatScreen, text: str) -> bool:
    views = [view for view in screen.transcript.children if isinstance(view, LineView)]
    return any(view.text == text for view in views)
