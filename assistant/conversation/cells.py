"""Between the cells of the tables and records."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from msgspec import json

from assistant.conversation.records import Conversation, Kind, State, StoredMessage, Writing
from assistant.conversation.storage_fault import StorageFault
from assistant.messages import Message, Role

WORDS_OF_OUR_OWN = re.compile(r"question|system|language|user|prompt .*")  # no attachments


def searched(text: str, names: str) -> str:
    """The text of a message, and what is attached to it."""
    return f"{text}\n{names}" if names else text


def attached_names(content: Sequence[Message]) -> str:
    """A line for each."""
    sources = (p.source for m in content if m.role is Role.USER for p in m.parts)
    return "\n".join(dict.fromkeys(s for s in sources if not WORDS_OF_OUR_OWN.fullmatch(s)))


def tokens_of(writing: Writing | None) -> tuple[int, int]:
    """Read and written. Answers that were written at once have read the same prompt."""
    if writing is None or writing.usage is None:
        return 0, len(writing.token_ids) if writing else 0
    read = 0 if writing.candidate else writing.usage.prompt_tokens
    all_of_it = writing.usage.new_tokens if writing.candidates == 1 else 0
    return read, len(writing.token_ids) or all_of_it  # a server may tell no ids


def encoded(value: object) -> str:
    """JSON; nothing for None."""
    return "" if value is None else json.encode(value).decode()


def conversation_of(row: Sequence[Any]) -> Conversation:
    """Raises `StorageFault`."""
    name, title, folder, first_day, created, updated, messages, leaf, fork_of = row
    try:
        day = date.fromisoformat(first_day)
    except ValueError as err:
        raise StorageFault(f"a conversation cannot be read: {err}", is_damage=True) from err
    return Conversation(name, title, folder, day, created, updated, messages, leaf, fork_of)


def message_of(row: Sequence[Any]) -> StoredMessage:
    """Raises `StorageFault`."""
    number, parent, kind, state, text, created, content, reasoning, writing, covers = row
    try:
        return StoredMessage(
            number,
            parent,
            Kind(kind),
            State(state),
            text,
            created,
            json.decode(content, type=tuple[Message, ...]) if content else (),
            reasoning,
            json.decode(writing, type=Writing) if writing else None,
            covers,
        )
    except ValueError as err:  # msgspec's are, too
        raise StorageFault(f"a message cannot be read: {err}", is_damage=True) from err
