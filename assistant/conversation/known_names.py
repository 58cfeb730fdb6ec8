"""Names of conversations: new ones, and those that somebody means by their beginning."""

import os
from typing import TYPE_CHECKING

from assistant.conversation.records import Conversation
from assistant.errors import InputError

if TYPE_CHECKING:
    from assistant.conversation.places import Places

LETTERS = "abcdefghjkmnpqrstvwxyz"
ALPHABET = "0123456789" + LETTERS  # Crockford's base 32: none of them looks like another
LENGTH = 5  # characters
MOST_SHOWN = 5
LIKENESS = 0.7  # 0 to 1; of five characters, one may be wrong
LIST_COMMAND = "llmchat history list"


def new_name(places: "Places") -> str:
    """That no conversation has."""
    while True:
        dice = os.urandom(LENGTH)
        name = LETTERS[dice[0] % len(LETTERS)]
        name += "".join(ALPHABET[number % len(ALPHABET)] for number in dice[1:])
        if find_named(places, name) is None:
            return name


def find_named(places: "Places", name: str) -> Conversation | None:
    return places.read(name, lambda tables: tables.conversation(name))


def find_meant(places: "Places", word: str) -> Conversation:
    """By its name, or a beginning that no other name has. Raises `InputError`."""
    word = word.strip().lower()
    if word and (named := find_named(places, word)):
        return named
    begun = _names(places, word) if word else []
    if len(begun) > 1:
        some = ", ".join(begun[:MOST_SHOWN]) + (", …" if len(begun) > MOST_SHOWN else "")
        raise InputError(f"{len(begun)} conversations begin with {word!r}: {some}", LIST_COMMAND)
    found = find_named(places, begun[0]) if begun else None
    if found is None:
        raise no_conversation(word, _near(places, word))
    return found


def no_conversation(name: str, near: str = "") -> InputError:
    return InputError(f"there is no conversation {name!r}{near}", LIST_COMMAND)


def no_message(name: str, number: int) -> InputError:
    return InputError(f"{name} has no message {number}", f"llmchat history show {name}")


def _near(places: "Places", word: str) -> str:
    from difflib import get_close_matches  # takes 3 ms, for mistakes only

    near = get_close_matches(word, _names(places, ""), MOST_SHOWN, LIKENESS)
    return f"; there is {', '.join(near)}" if near else ""


def _names(places: "Places", beginning: str) -> list[str]:
    """Those that were used last come first."""
    found = places.read_everywhere(lambda tables: tables.names(beginning))
    return list(dict.fromkeys(name for names in found for name in names))
