"""How long does a conversation of 10,000 messages take to open, and a page of it to scroll?"""

import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from assistant.conversation.records import Conversation, Kind, State, StoredMessage
from assistant.conversation.store import Store
from assistant.messages import Message, Role, message
from benchmarks.measure import detail, show, spread
from benchmarks.scripted_chat import CODE, PROSE
from benchmarks.terminals import OnTerminal

MESSAGES = 10_000
PAGES = 60
NAME = "long1"
LAST = "The very last answer."
PAGE_UP = "\x1b[5~"
QUIET_SECONDS = 0.04  # without output: the page is drawn


def open_and_scroll() -> None:
    with tempfile.TemporaryDirectory() as home:
        keep_long_conversation(Path(home) / "data")
        command = [sys.executable, "-m", "benchmarks.scripted_chat", "100", "10"]
        chat = OnTerminal(command, environment={"LLMCHAT_HOME": home})
        try:
            chat.wait_for(b"ready")
            chat.read_for(1.0)
            before = len(chat.written)
            chat.send(f"/resume {NAME}\r")
            seconds = chat.wait_for(LAST.encode(), since=before)
            chat.read_for(1.0)
            pages = [1000 * scroll(chat) for _ in range(PAGES)]
        finally:
            chat.close()
    show(f"opening a conversation of {MESSAGES:,} messages", seconds, 1, at_most=True, unit="s")
    p95 = sorted(pages)[int(PAGES * 0.95)]
    detail(f"ms a page: {spread(pages)}")
    show("scrolling it by a page, p95", p95, 50, at_most=True, unit="ms")


def scroll(chat: OnTerminal) -> float:
    """Seconds from the key to the end of what is drawn for it."""
    chat.read_for(0.1)
    began = drawn = time.perf_counter()
    before = size = len(chat.written)
    chat.send(PAGE_UP)
    while time.perf_counter() - drawn < QUIET_SECONDS or size == before:
        chat.read(0.005)
        if len(chat.written) > size:
            size, drawn = len(chat.written), time.perf_counter()
        if time.perf_counter() - began > 5:
            raise TimeoutError("nothing was drawn")
    return drawn - began


def keep_long_conversation(folder: Path) -> None:
    """Questions and answers in turn."""
    messages = []
    for number in range(1, MESSAGES, 2):
        text = f"Question {number}: how does it work?"
        content = (message(Role.USER, text, "question"),)
        messages.append(stored(number, Kind.QUESTION, text, content))
        answer = LAST if number + 1 == MESSAGES else f"Answer {number + 1}. {PROSE}{CODE}"
        messages.append(stored(number + 1, Kind.ANSWER, answer))
    folder.mkdir(mode=0o700)
    store = Store.open(folder / "history.db")
    now = time.time()
    long = Conversation(NAME, "long", "/", date.today(), now, now, MESSAGES, MESSAGES)
    store.add_whole(long, messages)
    store.close()


def stored(number: int, kind: Kind, text: str, content: tuple[Message, ...] = ()) -> StoredMessage:
    return StoredMessage(number, number - 1, kind, State.COMPLETE, text, time.time(), content)
