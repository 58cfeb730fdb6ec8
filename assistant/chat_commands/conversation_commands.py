"""Commands about conversations: this one, and those of the past."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import PurePath
from typing import TypeVar

from assistant.chat_commands.chat import NOTHING_SAID, Chat
from assistant.chat_commands.command import Choice, Command
from assistant.chat_commands.effects import (
    Compact,
    ConversationChanged,
    Effect,
    Say,
    ShowHistory,
    ShowTable,
)
from assistant.chat_commands.path_choices import path_choices
from assistant.chat_commands.saving import writing_of
from assistant.chat_commands.typed_words import split_words
from assistant.chat_commands.wording import as_code, counted
from assistant.conversation.history_files import Remembered, written_lines
from assistant.conversation.message_names import join_name
from assistant.conversation.records import Conversation, Hit
from assistant.conversation.store import Store
from assistant.edits.proposal import propose_text
from assistant.errors import InputError, UsageError
from assistant.rendering.base import ReasoningMode
from assistant.rendering.conversation_facts import Branch, title_of, versions_of
from assistant.rendering.conversation_markdown import conversation_markdown
from assistant.rendering.quantities import age_text
from assistant.rendering.search_hits import excerpts

LATEST = 20  # conversations that are listed
MOST_HITS = 50
MOST_CHOICES = 50
MOST_LOOKED_AT = 1_000  # conversations in which a title is looked for
LINE_CELLS = 70  # of what was found
MARKDOWN_SUFFIXES = (".md", ".markdown", ".txt")
LINES_SUFFIXES = (".jsonl", ".json")
HERE = "this one"

T = TypeVar("T")


def new(chat: Chat, _rest: str) -> Iterator[Effect]:
    chat.new()
    yield ConversationChanged()


def history(chat: Chat, rest: str) -> Iterator[Effect]:
    if rest:
        yield from search(chat, rest)
        return
    found = read_history(chat, lambda store: store.conversations(LATEST + 1))
    if not found:
        raise InputError(*NOTHING_SAID)
    here, now = chat.conversation, time.time()
    rows = [_row(one, now, is_here=bool(here) and one.name == here.name) for one in found[:LATEST]]  # type: ignore[union-attr]  # it is one
    title = "past conversations"
    if len(found) > LATEST:
        title = f"the latest {LATEST} conversations; /search WORDS finds others"
    yield ShowHistory("", ShowTable(tuple(rows), title, right=(1, 2)))


def search(chat: Chat, rest: str) -> Iterator[Effect]:
    if not rest:
        raise UsageError("search needs words", "/search binary tree")
    hits = read_history(chat, lambda store: store.search(rest, MOST_HITS))
    if not hits:
        raise InputError(f"nothing holds {rest[:80]}", "/search other words")
    now = time.time()
    rows = tuple(row for hit in hits for row in _found(hit, rest, now))
    yield ShowHistory(rest, ShowTable(rows, "found; /resume NAME goes on from there"))


def resume(chat: Chat, rest: str) -> Iterator[Effect]:
    if not rest:
        yield from history(chat, "")
        return
    chat.resume(rest)
    yield ConversationChanged()


def fork(chat: Chat, rest: str) -> Iterator[Effect]:
    number = rest.rpartition(".")[2]
    if rest and not (number.isdecimal() and len(number) < 10):
        raise UsageError(f"{rest[:80]} is no number of a message", "/fork 4")
    conversation = chat.fork(int(number) if rest else None)
    yield ConversationChanged()
    yield Say(f"This is {as_code(conversation.name)}, a fork of {as_code(conversation.fork_of)}.")


def compact(chat: Chat, _rest: str) -> Iterator[Effect]:
    if chat.conversation is None:
        raise InputError(*NOTHING_SAID)
    compaction = chat.compaction()
    if compaction is None:
        raise InputError("this conversation is too short for a summary", "/context")
    yield Compact(compaction)


def export(chat: Chat, rest: str) -> Iterator[Effect]:
    words = split_words(rest)
    suffix = PurePath(words[0]).suffix.lower() if len(words) == 1 else ""
    if suffix not in (*MARKDOWN_SUFFIXES, *LINES_SUFFIXES):
        raise UsageError("export needs a file, .md or .jsonl", "/export conversation.md")
    if chat.conversation is None:
        raise InputError(*NOTHING_SAID)
    conversation = chat.store.find(chat.conversation.name)
    text = _as_lines(chat, conversation)
    if suffix in MARKDOWN_SUFFIXES:
        text = _as_markdown(chat, conversation)
    yield writing_of(propose_text(words[0], text))


def _as_lines(chat: Chat, conversation: Conversation) -> str:
    messages = tuple(chat.store.messages(conversation.name))
    return b"".join(written_lines(Remembered(conversation, messages))).decode()


def _as_markdown(chat: Chat, conversation: Conversation) -> str:
    versions = versions_of(chat.store.messages(conversation.name))
    branch = Branch(conversation, chat.messages, versions)
    return conversation_markdown(branch, ReasoningMode.SHOW, is_whole=True)


def read_history(chat: Chat, read: Callable[[Store], list[T]]) -> list[T]:
    """What is kept on the disk, also for a chat of which nothing is kept."""
    if chat.settings.history:
        return read(chat.store)
    lasting = Store.open()
    try:
        return read(lasting)
    finally:
        lasting.close()


def _row(one: Conversation, now: float, *, is_here: bool) -> tuple[str, ...]:
    title = title_of(one)
    return (
        one.name,
        age_text(one.updated, now),
        counted(one.messages, "message"),
        f"{title} ({HERE})" if is_here else title,
    )


def _found(hit: Hit, query: str, now: float) -> Iterator[tuple[str, ...]]:
    name = join_name(hit.conversation.name, hit.message.number)
    yield name, age_text(hit.message.created, now), title_of(hit.conversation)
    for pieces in excerpts(hit, query, LINE_CELLS):
        yield "", "", "".join(piece.text for piece in pieces)


def _conversations(chat: Chat, rest: str) -> Iterable[Choice]:
    """By the beginning of the name, or anywhere in the title; the latest come first."""
    latest = read_history(chat, lambda store: store.conversations(MOST_LOOKED_AT))
    titles = ((one.name, title_of(one)) for one in latest)
    found = (
        Choice(name, title)
        for name, title in titles
        if name.startswith(rest) or rest.lower() in title.lower()
    )
    return islice(found, MOST_CHOICES)


COMMANDS = (
    Command("new", "Begin a new conversation.", new, aliases=("clear",)),
    Command("history", "List past conversations.", history, "[WORDS]", waits=False),
    Command("search", "Find words in all that was said.", search, "WORDS", waits=False),
    Command(
        "resume",
        "Go on with a past conversation, or from one of its messages.",
        resume,
        "[NAME | NAME.4 | .4]",
        complete=_conversations,
    ),
    Command("fork", "Go on in a copy, from here or from a message.", fork, "[NUMBER]"),
    Command("compact", "Put a summary in the place of the older half.", compact, needs_model=True),
    Command(
        "export",
        "Write this conversation to a file: .md for people, .jsonl for llmchat.",
        export,
        "FILE",
        complete=path_choices,
    ),
)
