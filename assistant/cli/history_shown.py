"""What is shown of past conversations: lists, one of them, what was found, counts."""

import sys
import time

import typer
from msgspec import to_builtins

from assistant.cli.color import has_color
from assistant.cli.exit_codes import GENERAL
from assistant.cli.opened_history import NOTHING_YET, find_message, opened_history
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.conversation.records import Conversation
from assistant.errors import UsageError
from assistant.rendering.base import ReasoningMode
from assistant.rendering.conversation_facts import Branch, title_of, versions_of
from assistant.rendering.json_lines import write_object
from assistant.rendering.quantities import age_text, size_text
from assistant.rendering.tables import write_table

LATEST = 20  # conversations that are listed unless all are wanted
MOST_HITS = 50


def write_list(report: Report, limit: int | None, *, as_json: bool) -> None:
    """Of so many of the latest; that there are more is said."""
    with opened_history(report) as store:
        found = store.conversations(None if limit is None else limit + 1)
    shown = found[:limit]
    if as_json:
        write_object(to_builtins(shown), sys.stdout)
    elif not shown:
        report.done(": ".join(NOTHING_YET))
    else:
        now = time.time()
        write_table([_row(one, now) for one in shown], sys.stdout, right=(1, 2))
    if len(shown) < len(found):
        report.done(f"the latest {limit}; llmchat history list --all shows all")


def show(word: str | None, report: Report, settings: Settings) -> None:
    """Raises `InputError`."""
    with opened_history(report) as store:
        conversation, number = find_message(store, word)
        path = tuple(store.path(conversation.name, number))
        versions = versions_of(store.messages(conversation.name))
    if settings.output != "text":
        told = {"conversation": conversation, "messages": path, "versions": versions}
        write_object(to_builtins(told), sys.stdout)
        return
    from assistant.rendering.conversation_text import write_branch  # not for programs

    write_branch(
        Branch(conversation, path, versions),
        sys.stdout,
        wanted_reasoning(settings),
        has_color=has_color(settings.color, sys.stdout),
        now=time.time(),
    )


def wanted_reasoning(settings: Settings) -> ReasoningMode:
    if settings.reasoning:
        return ReasoningMode(settings.reasoning)
    return ReasoningMode.SHOW if sys.stdout.isatty() else ReasoningMode.HIDE


def search(query: str, report: Report, settings: Settings) -> None:
    """Raises `InputError` for a query of nothing, `typer.Exit` when nothing was found."""
    from assistant.rendering.search_hits import hit_object, write_hits  # only for this

    if not query.strip():
        raise UsageError("search needs words", "llmchat history search WORDS")
    with opened_history(report) as store:
        hits = store.search(query, limit=MOST_HITS)
    if settings.output != "text":
        write_object([hit_object(hit, query) for hit in hits], sys.stdout)
    else:
        color = has_color(settings.color, sys.stdout)
        write_hits(hits, query, sys.stdout, has_color=color, now=time.time())
    if len(hits) == MOST_HITS:
        report.done(f"the latest {MOST_HITS}; more words find fewer")
    if not hits:
        report.done(f"nothing holds {query}")
        raise typer.Exit(GENERAL)


def write_stats(report: Report, *, as_json: bool) -> None:
    with opened_history(report) as store:
        found = store.stats()
    if as_json:
        write_object(to_builtins(found), sys.stdout)
        return
    indexes = size_text(found.index_bytes)
    rows = [
        ["conversations", f"{found.conversations:,}"],
        ["messages", f"{found.messages:,}, {size_text(found.text_bytes)} of text"],
        ["tokens", f"{found.tokens_read:,} read, {found.tokens_written:,} written"],
        ["on disk", f"{size_text(found.file_bytes)}, of which the search takes {indexes}"],
    ]
    write_table(rows, sys.stdout)


def _row(one: Conversation, now: float) -> list[str]:
    messages = "1 message" if one.messages == 1 else f"{one.messages:,} messages"
    return [one.name, age_text(one.updated, now), messages, title_of(one)]
