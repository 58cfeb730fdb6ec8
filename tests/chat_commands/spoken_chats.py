"""Chats with a scripted engine, and what their commands want done."""

from collections.abc import Iterator
from pathlib import Path

from template_engine import Says, TemplateEngine

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.commands import run_command
from assistant.chat_commands.effects import Effect, Say, ShowTable
from assistant.config import Settings
from assistant.conversation.session import Turn
from assistant.engine.base import Engine
from assistant.errors import ModelError
from assistant.events import ModelLoading

WINDOW = 4096
CODE = "Look:\n```python\na = 1\n```\nand\n```sh\nls\n```\n"


class OpenedEngine(TemplateEngine):
    """Notes that it was closed; a model called "broken" cannot be loaded."""

    def __init__(self, settings: Settings, says: Says) -> None:
        super().__init__(settings.window or WINDOW, says)
        self.settings = settings
        self.is_closed = False

    def load(self) -> Iterator[ModelLoading]:
        yield ModelLoading("reading", 0.5)
        if self.settings.model == "broken":
            raise ModelError("it is broken", "llmchat -m starter")
        yield ModelLoading("reading", 1.0)

    def close(self) -> None:
        self.is_closed = True


class Opened:
    """Opens engines, and keeps them for who wants to look."""

    def __init__(self, says: Says = lambda _request: "Yes.") -> None:
        self.says = says
        self.engines: list[OpenedEngine] = []

    def __call__(self, settings: Settings) -> Engine:
        self.engines.append(OpenedEngine(settings, self.says))
        return self.engines[-1]


def loaded_chat(
    says: str | Says = "Yes.", settings: Settings | None = None, opened: Opened | None = None
) -> Chat:
    answer: Says = says if callable(says) else lambda _request: str(says)
    chat = Chat(settings or Settings(), open_engine=opened or Opened(answer))
    for _ in chat.load():
        pass
    return chat


def hear(turn: Turn) -> None:
    """The answer to its end."""
    for _ in turn.stream:
        pass


def ask(chat: Chat, text: str) -> None:
    hear(chat.ask(chat.question(text)))


def texts(chat: Chat) -> list[str]:
    return [message.text for message in chat.messages]


def run(chat: Chat, line: str) -> list[Effect]:
    return list(run_command(chat, line))


def said(effects: list[Effect]) -> str:
    """All words of it."""
    words = []
    for effect in effects:
        match effect:
            case Say(text):
                words.append(text)
            case ShowTable(rows, title):
                words.append("\n".join([title, *("  ".join(row) for row in rows)]))
            case _:
                pass
    return "\n".join(words)


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.write_text(text)
    return path
