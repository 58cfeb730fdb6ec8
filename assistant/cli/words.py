"""First words that are nearly a command: mistakes and no questions."""

from collections.abc import Iterable, Sequence

from assistant.attachments.names import is_attachable
from assistant.errors import UsageError

SHORTEST_BEGINNING = 4  # of a command that is taken for a mistake


def refuse_mistyped(words: Sequence[str], commands: Iterable[str]) -> None:
    """`explian app.py`, `expl app.py` and `EXPLAIN app.py` are mistakes and not questions.

    Raises `UsageError`.
    """
    if not words or not all(is_attachable(word) for word in words[1:]):
        return
    for command in commands:
        if _is_meant(words[0], command):
            raise UsageError(
                f"there is no command {words[0]}",
                f"did you mean {command}? a question goes after --",
            )


def _is_meant(word: str, command: str) -> bool:
    is_beginning = len(word) >= SHORTEST_BEGINNING and command.startswith(word.lower())
    return is_beginning or word.lower() == command or is_one_edit_away(word, command)


def is_one_edit_away(word: str, other: str) -> bool:
    """One letter more, less or another, or two neighbours swapped."""
    if len(word) > len(other):
        word, other = other, word
    same = next((at for at, letter in enumerate(word) if letter != other[at]), len(word))
    rest, others = word[same:], other[same:]
    if len(rest) < len(others):
        return rest == others[1:]
    return word != other and (
        rest[1:] == others[1:] or (rest[:2] == others[1::-1] and rest[2:] == others[2:])
    )
