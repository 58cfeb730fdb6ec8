"""What changes past conversations: another title, another way on, away with them."""

import sys
from collections.abc import Sequence

from assistant.cli.asking import require_approval
from assistant.cli.opened_history import (
    NOTHING_YET,
    find_conversation,
    find_conversations,
    find_message,
    opened_history,
)
from assistant.cli.report import Report
from assistant.conversation.message_names import join_name
from assistant.conversation.records import Conversation
from assistant.errors import InputError
from assistant.rendering.conversation_facts import title_of
from assistant.rendering.quantities import size_text

MOST_NAMED = 3  # conversations in a question; of more the first ones, and how many


def rename(word: str, title: str, report: Report, *, is_dry_run: bool) -> None:
    """Raises `AssistantError`."""
    with opened_history(report, is_for_changes=not is_dry_run) as store:
        name = find_conversation(store, word).name
        if is_dry_run:
            report.done(f"would call {name}: {title}")
            return
        store.rename(name, title)
        report.done(f"{name} is called: {title}")


def fork(word: str | None, report: Report, *, is_dry_run: bool) -> None:
    """The name of the new one goes to standard output. Raises `AssistantError`."""
    with opened_history(report, is_for_changes=not is_dry_run) as store:
        conversation, number = find_message(store, word)
        number = conversation.leaf if number is None else number
        if not number:
            raise InputError(f"{conversation.name} has no messages", "llmchat history list")
        if is_dry_run:
            steps = len(store.path(conversation.name, number))
            messages = "1 message" if steps == 1 else f"{steps:,} messages"
            report.done(f"would copy {messages}, up to {join_name(conversation.name, number)}")
            return
        new = store.fork(conversation.name, number)
    sys.stdout.write(f"{new.name}\n")
    report.done(f'go on: llmchat --conversation {new.name} "…"')


def delete(words: Sequence[str], report: Report, *, is_approved: bool, is_dry_run: bool) -> None:
    """All of them without words. Raises `AssistantError`."""
    with opened_history(report, is_for_changes=not is_dry_run) as store:
        found = find_conversations(store, words) if words else store.conversations()
        if not found:
            report.done(NOTHING_YET[0])
            return
        if is_dry_run:
            for one in found:
                report.done(f"would delete {_named(one)}")
            report.done("would clear what models keep on disk of what they read")
            return
        typed = " ".join(words) or "--all"
        require_approval(
            f"delete {_all_named(found)} for good?",
            is_given=is_approved,
            hint=f"llmchat history delete {typed} --yes",
        )
        store.delete([one.name for one in found])
    report.done(f"deleted for good: {_all_named(found)}")
    from assistant.cli.forgetting import forget_what_was_read  # engines: for this alone

    if freed := forget_what_was_read(report):
        report.done(f"also {size_text(freed)} of what models keep on disk of all they have read")


def _named(one: Conversation) -> str:
    return f"{one.name} ({title_of(one)})"


def _all_named(found: Sequence[Conversation]) -> str:
    if len(found) <= MOST_NAMED:
        return ", ".join(map(_named, found))
    names = ", ".join(one.name for one in found[:MOST_NAMED])
    return f"{len(found):,} conversations ({names}, …)"
