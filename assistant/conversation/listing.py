"""All conversations, of both places, and how many there are."""

from typing import TYPE_CHECKING

from assistant.conversation.records import Conversation, HistoryStats

if TYPE_CHECKING:
    from assistant.conversation.places import Places


def conversations(places: "Places", limit: int | None, offset: int) -> list[Conversation]:
    """Those that were used last come first."""
    most = -1 if limit is None else limit + offset
    with places.guard:
        found = [
            conversation
            for tables, some in places.read_everywhere(
                lambda tables: (tables, tables.conversations(most, 0))
            )
            for conversation in some
            if not places.is_moved(tables, conversation.name)
        ]
    found.sort(key=lambda conversation: conversation.updated, reverse=True)
    return found[offset : None if limit is None else offset + limit]


def stats(places: "Places") -> HistoryStats:
    """What a conversation that was moved has left on the disk is counted, too."""
    counts = places.read_everywhere(lambda tables: tables.counts())
    sums = [sum(column) for column in zip(*counts, strict=True)] or [0] * 5
    number, messages, text_bytes, read, written = sums
    file_bytes, index_bytes = places.sizes()
    return HistoryStats(number, messages, text_bytes, file_bytes, index_bytes, read, written)
