"""Branches of conversations as tests need them: numbered messages, each the child of the last."""

from collections.abc import Sequence

from assistant.conversation.records import Kind, State, StoredMessage
from assistant.messages import Message, Role, message

HEAD = message(Role.SYSTEM, "You are terse.", "prompt ask")


def asked(number: int, text: str, *, head: Sequence[Message] = ()) -> StoredMessage:
    content = (*head, message(Role.USER, text, "question"))
    return StoredMessage(number, number - 1, Kind.QUESTION, State.COMPLETE, text, 0.0, content)


def answered(number: int, text: str) -> StoredMessage:
    return StoredMessage(number, number - 1, Kind.ANSWER, State.COMPLETE, text, 0.0)


def summary(number: int, text: str, covers: int) -> StoredMessage:
    return StoredMessage(number, number - 1, Kind.SUMMARY, State.COMPLETE, text, 0.0, covers=covers)


def talk(turns: int, words: str = "word ") -> list[StoredMessage]:
    """Question 1, answer 2, question 3 …; the first question brings the head."""
    path = []
    for number in range(1, 2 * turns, 2):
        path.append(asked(number, f"q{number} {words}", head=[HEAD] if number == 1 else []))
        path.append(answered(number + 1, f"a{number + 1} {words}"))
    return path
