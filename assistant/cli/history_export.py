"""Past conversations out of llmchat, and back: Markdown for people, lines of JSON for llmchat."""

import sys
from collections.abc import Sequence
from typing import TextIO

from assistant.cli.history_shown import wanted_reasoning
from assistant.cli.opened_history import (
    NOTHING_YET,
    find_conversations,
    latest_conversation,
    opened_history,
)
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.conversation.history_files import (
    Remembered,
    keep_all,
    read_conversations,
    sort_out,
    written_lines,
)
from assistant.conversation.records import Conversation
from assistant.conversation.store import Store
from assistant.errors import InputError
from assistant.rendering.conversation_facts import Branch, versions_of
from assistant.rendering.conversation_markdown import conversation_markdown
from assistant.visible_text import visible

MOST_NAMED = 5  # conversations that were imported; of more it is said how many


def export(words: Sequence[str], report: Report, settings: Settings, *, wants_all: bool) -> None:
    """To standard output; the latest one without words. Raises `InputError`."""
    with opened_history(report) as store:
        if wants_all:
            found = store.conversations()
        else:
            found = find_conversations(store, words) or [latest_conversation(store)]
        if not found:
            report.done(": ".join(NOTHING_YET))
        for number, one in enumerate(found):
            if settings.output != "text":
                _write_lines(_remembered(one, store), sys.stdout)
            else:
                sys.stdout.write("\n" if number else "")
                _write_markdown(one, store, settings)


def import_file(name: str, report: Report, *, is_dry_run: bool) -> None:
    """`name` of a file, or "-". Raises `InputError`, and then nothing has changed."""
    found = _read(name)
    with opened_history(report, is_for_changes=not is_dry_run) as store:
        sorted_out = sort_out(found, store)
        if not is_dry_run:
            keep_all(sorted_out.new, store)
    if sorted_out.known:
        report.done(f"there already: {_names(sorted_out.known)}")
    if sorted_out.new:
        verb = "would import" if is_dry_run else "imported"
        report.done(f"{verb} {_names(sorted_out.new)}")


def _remembered(one: Conversation, store: Store) -> Remembered:
    return Remembered(one, tuple(store.messages(one.name)))


def _write_lines(remembered: Remembered, out: TextIO) -> None:
    """A terminal gets every character beyond ASCII escaped; it is the same JSON."""
    for line in written_lines(remembered):
        text = line.decode()
        out.write(_escaped(text) if out.isatty() else text)


def _escaped(line: str) -> str:
    import json  # msgspec's has no such form

    return json.dumps(json.loads(line), separators=(",", ":")) + "\n"


def _write_markdown(one: Conversation, store: Store, settings: Settings) -> None:
    messages = store.messages(one.name)
    branch = Branch(one, tuple(store.path(one.name)), versions_of(messages))
    text = conversation_markdown(branch, wanted_reasoning(settings), is_whole=True)
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)


def _read(name: str) -> tuple[Remembered, ...]:
    if name == "-":
        return read_conversations(sys.stdin.buffer, "standard input")
    try:
        with open(name, "rb") as file:  # noqa: PTH123 # a Path raises when the name is too long
            return read_conversations(file, name)
    except OSError as err:
        raise InputError(
            f"{name} cannot be read: {err.strerror or err}", "llmchat history import FILE"
        ) from err


def _names(found: Sequence[Remembered]) -> str:
    if len(found) > MOST_NAMED:
        return f"{len(found):,} conversations"
    return ", ".join(one.conversation.name for one in found)
