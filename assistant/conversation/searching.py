"""Searches what is kept, wherever it is."""

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from assistant.conversation.records import Conversation, Hit
from assistant.errors import InputError

if TYPE_CHECKING:
    from assistant.conversation.places import Places
    from assistant.conversation.search_index import Term
    from assistant.conversation.tables import Tables

EXAMPLE = 'llmchat history search "binary search"'


def search(places: "Places", query: str, limit: int) -> list[Hit]:
    """See `Store.search`."""
    from assistant.conversation.search_index import terms_of  # not needed to ask a question

    terms = terms_of(query)
    if not terms:
        raise InputError("there is nothing to search for", EXAMPLE)
    with places.guard:
        found = places.read_everywhere(lambda tables: _search_in(tables, places, terms, limit))
    hits = [hit for some in found for hit in some]
    hits.sort(key=lambda hit: hit.message.created, reverse=True)
    return hits[:limit]


def _search_in(
    tables: "Tables", places: "Places", terms: Sequence["Term"], limit: int
) -> list[Hit]:
    hits: list[Hit] = []
    known: dict[str, Conversation | None] = {}
    with closing(tables.search(terms)) as found:
        for name, message in found:
            if len(hits) == limit:
                break
            if name not in known:
                is_old = places.is_moved(tables, name)
                known[name] = None if is_old else tables.conversation(name)
            if conversation := known[name]:
                hits.append(Hit(conversation, message))
    return hits
