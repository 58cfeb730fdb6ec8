"""The history for one command: opened, what is wrong with it said, and closed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from assistant.cli.report import Report
from assistant.conversation.message_names import split_name
from assistant.conversation.records import Conversation
from assistant.conversation.store import Store
from assistant.errors import AssistantError, InputError

NOTHING_YET = ("there are no conversations yet", 'llmchat "…" begins one')


@contextmanager
def opened_history(report: Report, *, is_for_changes: bool = False) -> Iterator[Store]:
    """Raises `AssistantError` for changes that would not last."""
    store = Store.open()
    try:
        for notice in store.notices:
            report.warning(notice)
        said = len(store.notices)
        if is_for_changes and (store.is_read_only or not store.is_lasting):
            raise AssistantError("the history cannot be changed now")
        yield store
        for notice in store.notices[said:]:
            report.warning(notice)
    finally:
        store.close()


def find_conversation(store: Store, word: str) -> Conversation:
    """Raises `InputError`, also when a message is meant."""
    if split_name(word).number is not None:
        raise InputError(f"{word} is a message of a conversation", "llmchat history list")
    return store.find(word)


def find_conversations(store: Store, words: Sequence[str]) -> list[Conversation]:
    """Each once. Raises `InputError`."""
    found = (find_conversation(store, word) for word in words)
    return list({one.name: one for one in found}.values())


def latest_conversation(store: Store) -> Conversation:
    """Raises `InputError` when there is none."""
    latest = store.latest()
    if latest is None:
        raise InputError(*NOTHING_YET)
    return latest


def find_message(store: Store, word: str | None) -> tuple[Conversation, int | None]:
    """`k7m2q.4`, `.4` of the latest conversation, or one as a whole; without a word the latest.

    Raises `InputError`.
    """
    if not word:
        return latest_conversation(store), None
    name = split_name(word)
    found = store.find(name.conversation) if name.conversation else latest_conversation(store)
    return found, name.number
