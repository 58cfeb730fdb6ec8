"""Messages on their way into the store."""

import time
from math import isfinite

from msgspec.structs import asdict, replace

from assistant.conversation.records import Kind, State, StoredMessage, Writing
from assistant.conversation.whole_characters import whole_characters
from assistant.messages import Message


def new_message(
    parent: int,
    kind: Kind,
    state: State,
    text: str,
    *,
    content: tuple[Message, ...] = (),
    writing: Writing | None = None,
    covers: int = 0,
) -> StoredMessage:
    """Without a number yet."""
    now = time.time()
    return StoredMessage(0, parent, kind, state, text, now, content, "", writing, covers)


def not_streaming(message: StoredMessage) -> StoredMessage:
    """Nobody goes on writing a copy."""
    is_cut = message.state is State.STREAMING
    return replace(message, state=State.INTERRUPTED) if is_cut else message


def storable(message: StoredMessage) -> StoredMessage:
    """As it comes out of a file again."""
    return replace(
        message,
        text=whole_characters(message.text),
        reasoning=whole_characters(message.reasoning),
        content=tuple(_storable_content(part) for part in message.content),
        writing=message.writing and storable_writing(message.writing),
    )


def storable_writing(writing: Writing) -> Writing:
    """Without speeds that are no numbers, which JSON does not know."""
    usage = writing.usage
    if usage is not None:
        usage = replace(
            usage,
            **{
                name: 0.0
                for name, value in asdict(usage).items()
                if isinstance(value, float) and not isfinite(value)
            },
        )
    return replace(writing, error=whole_characters(writing.error), usage=usage)


def _storable_content(message: Message) -> Message:
    parts = tuple(
        replace(part, text=whole_characters(part.text), source=whole_characters(part.source))
        for part in message.parts
    )
    return replace(message, parts=parts, reasoning=whole_characters(message.reasoning))
