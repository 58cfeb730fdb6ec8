"""Conversations in files: one line of JSON that says what follows, then a line for each message.

    {"format":"llmchat conversation","version":1,"conversation":{…}}
    {"number":1,"parent":0,"kind":"question",…}

UTF-8, every line ends with LF. A file may hold any number of conversations. All that is known of
one is in there, so a file that was imported is exported again byte for byte.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NoReturn, TypeVar

from msgspec import DecodeError, Struct, json
from msgspec.structs import replace

from assistant.conversation.records import Conversation, State, StoredMessage
from assistant.conversation.store import Store
from assistant.errors import InputError

FORMAT = "llmchat conversation"
VERSION = 1
LONGEST_LINE = 256 * 2**20  # bytes
LAST_SECOND = 253_402_300_799  # of the year 9999
LARGEST_NUMBER = 2**31
MOST_SAID = 160  # characters of an error, which may repeat what is in the file
NAME = re.compile(r"[a-z][a-z0-9]{1,31}")
FORK = re.compile(rf"{NAME.pattern}\.[1-9][0-9]{{0,9}}")

T = TypeVar("T")


class Remembered(Struct, frozen=True):
    """A conversation and all of its messages, by number."""

    conversation: Conversation
    messages: tuple[StoredMessage, ...]


class Sorted(Struct, frozen=True):
    """What of a file is `new` here, and what is there already."""

    new: tuple[Remembered, ...]
    known: tuple[Remembered, ...]


class _Format(Struct, frozen=True):
    """What every version of the first line begins with."""

    format: str
    version: int


class _Head(_Format, frozen=True):
    conversation: Conversation


def written_lines(remembered: Remembered) -> Iterator[bytes]:
    """What is still being written counts as interrupted: in a file it never goes on."""
    messages = remembered.messages
    conversation = replace(remembered.conversation, messages=len(messages))
    yield json.encode(_Head(FORMAT, VERSION, conversation)) + b"\n"
    for message in messages:
        if message.state is State.STREAMING:
            message = replace(message, state=State.INTERRUPTED)
        yield json.encode(message) + b"\n"


def read_conversations(file: BinaryIO, name: str) -> tuple[Remembered, ...]:
    """All that `file` holds, checked; `name` says in errors which it is.

    Raises `InputError` with the number of the first line that is not right.
    """
    lines = _Lines(file, name)
    found: list[Remembered] = []
    while (line := lines.next()) is not None:
        one = _read_conversation(line, lines)
        if any(one.conversation.name == other.conversation.name for other in found):
            lines.refuse(f"{one.conversation.name} is in there twice")
        found.append(one)
    if not found:
        raise InputError(f"{name} is empty", "llmchat history export --json > FILE writes one")
    return tuple(found)


def sort_out(found: Sequence[Remembered], store: Store) -> Sorted:
    """Raises `InputError` where the store has another conversation of the same name."""
    taken = {one.name for one in store.conversations()}
    new = [one for one in found if one.conversation.name not in taken]
    known = [one for one in found if one.conversation.name in taken]
    for one in known:
        _require_known(one, store)
    return Sorted(tuple(new), tuple(known))


def keep_all(new: Sequence[Remembered], store: Store) -> None:
    """All of them or none. Raises `InputError` when a name is taken, or the disk refuses."""
    with store.together():
        for one in new:
            store.add_whole(one.conversation, one.messages)


def _require_known(one: Remembered, store: Store) -> None:
    """Here it may have gone on since."""
    name = one.conversation.name
    here = {message.number: message for message in store.messages(name)}
    there = {message.number: message for message in one.messages}
    if there.items() <= here.items():
        return
    if here.items() <= there.items():
        raise InputError(
            f"{name} has gone on: {len(here):,} of its {len(there):,} messages are here",
            f"llmchat history delete {name}, and import it again",
        )
    raise InputError(
        f"another conversation here has the name {name}",
        "give it a name of its own in the file; nothing of it was imported",
    )


class _Lines:
    """Of a file, with what to say when one of them is not right."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._number = 0

    def next(self) -> bytes | None:
        """The next line that is not empty. Raises `InputError`."""
        while True:
            self._number += 1
            try:
                line = self._file.readline(LONGEST_LINE)
            except OSError as err:
                raise InputError(f"{self._name} cannot be read: {err.strerror or err}") from err
            if len(line) == LONGEST_LINE:
                self.refuse("it is too long")
            if not line:
                return None
            if line.strip():
                return line

    def decode(self, line: bytes, kind: type[T], what: str) -> T:
        """Raises `InputError`; `what` it should be."""
        try:
            return json.decode(line, type=kind)
        except (DecodeError, UnicodeDecodeError, RecursionError) as err:
            self.refuse(f"this is no {what}: {str(err)[:MOST_SAID]}")

    def refuse(self, reason: str) -> NoReturn:
        raise InputError(
            f"{self._name}, line {self._number}: {reason}",
            "nothing of this file was imported",
        )


def _read_conversation(line: bytes, lines: _Lines) -> Remembered:
    """`line` is its first one."""
    kind = lines.decode(line, _Format, "conversation of llmchat")
    if kind.format != FORMAT:
        lines.refuse(f"the format is {kind.format[:80]!r}, not {FORMAT!r}")
    if kind.version != VERSION:
        lines.refuse(f"version {kind.version} of the format needs a newer llmchat")
    conversation = lines.decode(line, _Head, "conversation of llmchat").conversation
    _check_conversation(conversation, lines)
    messages: list[StoredMessage] = []
    numbers: set[int] = set()
    while len(messages) < conversation.messages:
        found = lines.next()
        if found is None:
            lines.refuse(
                f"the file is cut: of {conversation.name} it has {len(messages):,} of "
                f"{conversation.messages:,} messages"
            )
        message = lines.decode(found, StoredMessage, f"message of {conversation.name}")
        _check_message(message, numbers, messages, lines)
        messages.append(message)
        numbers.add(message.number)
    if conversation.leaf not in (numbers or {0}):
        lines.refuse(f"{conversation.name} ends with message {conversation.leaf}, which is missing")
    return Remembered(conversation, tuple(messages))


def _check_conversation(conversation: Conversation, lines: _Lines) -> None:
    if NAME.fullmatch(conversation.name) is None:
        lines.refuse(f"a conversation cannot be named {conversation.name[:80]!r}")
    if not 0 <= conversation.messages < LARGEST_NUMBER:
        lines.refuse(f"it cannot have {conversation.messages} messages")
    if conversation.fork_of and FORK.fullmatch(conversation.fork_of) is None:
        lines.refuse(f"it cannot be a fork of {conversation.fork_of[:80]!r}")
    for seconds in (conversation.created, conversation.updated):
        _check_time(seconds, lines)


def _check_message(
    message: StoredMessage, earlier: set[int], before: Sequence[StoredMessage], lines: _Lines
) -> None:
    """Its number comes after those before it, and what it belongs to is one of them."""
    last = before[-1].number if before else 0
    if not last < message.number < LARGEST_NUMBER:
        lines.refuse(f"message {message.number} cannot come after message {last}")
    for name, number in (("parent", message.parent), ("covers", message.covers)):
        if number and number not in earlier:
            lines.refuse(f"{name} {number} is no message before it")
    if message.state is State.STREAMING:
        lines.refuse("nothing in a file is still being written")
    _check_time(message.created, lines)
    usage = message.writing and message.writing.usage
    if usage and not all(0 <= n < LARGEST_NUMBER for n in (usage.prompt_tokens, usage.new_tokens)):
        lines.refuse("it cannot have cost so many tokens")


def _check_time(seconds: float, lines: _Lines) -> None:
    if not (math.isfinite(seconds) and 0 <= seconds <= LAST_SECOND):
        lines.refuse(f"{seconds} is no time")
