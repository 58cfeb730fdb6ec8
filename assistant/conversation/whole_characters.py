"""Text that a file can hold: half of a character, from a broken argument or name, is replaced."""

import re

from msgspec.structs import replace

from assistant.conversation.records import StoredMessage
from assistant.messages import Message

SURROGATES = re.compile("[\ud800-\udfff]")


def whole_characters(text: str) -> str:
    return text if text.isascii() else SURROGATES.sub("\ufffd", text)


def storable(message: StoredMessage) -> StoredMessage:
    """As it comes out of a file again."""
    writing = message.writing
    return replace(
        message,
        text=whole_characters(message.text),
        reasoning=whole_characters(message.reasoning),
        content=tuple(_storable(part) for part in message.content),
        writing=writing and replace(writing, error=whole_characters(writing.error)),
    )


def _storable(message: Message) -> Message:
    parts = tuple(
        replace(part, text=whole_characters(part.text), source=whole_characters(part.source))
        for part in message.parts
    )
    return replace(message, parts=parts, reasoning=whole_characters(message.reasoning))
