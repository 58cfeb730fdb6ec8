"""How people mean a conversation or one of its messages: `k7m2q`, `k7m2q.4`."""

from msgspec import Struct

from assistant.errors import InputError


class MessageName(Struct, frozen=True):
    """`conversation` is the beginning of a name, "" for the latest; `number` None: no message."""

    conversation: str = ""
    number: int | None = None


def split_name(word: str) -> MessageName:
    """Raises `InputError` for a number that is none."""
    name, point, number = word.partition(".")
    if not point:
        return MessageName(name)
    if not (number.isascii() and number.isdigit() and len(number) < 10 and int(number)):
        raise InputError(f"{word} is no message", f"llmchat history show {name}")
    return MessageName(name, int(number))


def join_name(conversation: str, number: int) -> str:
    return f"{conversation}.{number}"
