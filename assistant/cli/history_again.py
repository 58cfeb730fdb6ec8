"""What asks a model about a past conversation: its older half as a summary, an answer replayed."""

import sys
from collections.abc import Iterator, Sequence

from assistant.cli.compacting import compact as show_compaction
from assistant.cli.exit_codes import GENERAL, OK
from assistant.cli.interrupts import Interrupts
from assistant.cli.loaded_engine import loaded_engine, progress_line
from assistant.cli.opened_history import find_message, opened_history
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.conversation.message_names import join_name, split_name
from assistant.conversation.records import Kind, StoredMessage
from assistant.conversation.replay import Replay, replay
from assistant.errors import EngineFailed, InputError
from assistant.events import Finished, Reason, TextChunk
from assistant.rendering.plain import PlainRenderer
from assistant.startup import open_session

# ── summaries ───────────────────────────────────────────────────────────────────────────────


def compact(word: str | None, report: Report, settings: Settings) -> int:
    """The exit code. Raises `InputError` where there is nothing worth it."""
    with loaded_engine(settings, report) as engine, Interrupts() as interrupts:
        session = open_session(engine, settings, resume=split_name(word or ""))
        try:
            compaction = session.compaction()
            if compaction is None:
                assert session.conversation is not None
                name = session.conversation.name
                raise InputError(
                    f"{name} is too short for a summary", f"llmchat history show {name}"
                )
            return show_compaction(compaction, report, progress_line(report), interrupts)
        finally:
            for notice in session.notices:
                report.warning(notice)
            session.close()


def edit_summary(word: str | None, report: Report) -> None:
    """From here on what the user writes stands in the place of the branch's summary.

    Raises `InputError` where there is none.
    """
    from assistant.editor import compose

    with opened_history(report, is_for_changes=True) as store:
        conversation, number = find_message(store, word)
        name, path = conversation.name, store.path(conversation.name, number)
        summary = _last_summary(name, path)
        text = compose(summary.text).strip()
        if not text or text == summary.text:
            report.done("nothing was changed")
            return
        changed = store.add_summary(name, path[-1].number, text, summary.covers, None)
        report.done(f"{join_name(name, changed.number)} is the summary now")


def _last_summary(name: str, path: Sequence[StoredMessage]) -> StoredMessage:
    found = [message for message in path if message.kind is Kind.SUMMARY]
    if not (found and found[-1].text):
        raise InputError(f"{name} has no summary", f"llmchat history compact {name}")
    return found[-1]


# ── replay ──────────────────────────────────────────────────────────────────────────────────


def replay_answer(word: str | None, report: Report, settings: Settings, *, checks: bool) -> int:
    """Writes an answer again and says whether it is the same; the exit code.

    With `checks` the answer itself is not shown, and the code is 1 where it differs.
    """
    with opened_history(report) as store:
        conversation, number = find_message(store, word)
        with loaded_engine(settings, report) as engine, Interrupts() as interrupts:
            again = replay(engine, store, conversation, number)
            interrupts.on_first(again.stream.cancel)
            finished = _written(again, report)
    answer = again.answer(finished)
    if answer.reason is Reason.FAILED:
        raise EngineFailed(answer.error, answer.hint)
    if not checks:
        renderer = PlainRenderer(sys.stdout.buffer, is_terminal=sys.stdout.isatty())
        renderer.show(TextChunk(answer.text))
        renderer.close()
    if interrupts.code is not None:
        return interrupts.code
    for sentence in _verdict(again, finished, join_name(conversation.name, again.kept.number)):
        report.done(sentence)
    is_same = again.first_difference(finished) is None
    return OK if is_same or not checks else GENERAL


def _written(again: Replay, report: Report) -> Finished:
    """Nobody sees it arrive: the line says how far it is."""
    progress = progress_line(report)
    finished: Finished | None = None
    try:
        for event in again.stream:
            progress.show(event)
            if isinstance(event, TextChunk):
                progress.show_written(event)
            if isinstance(event, Finished):
                finished = event
    finally:
        progress.close()
    assert finished is not None, "an answer stream ends with Finished"
    return finished


def _verdict(again: Replay, finished: Finished, name: str) -> Iterator[str]:
    """Whether it is the same, and what is not as it was."""
    at, count = again.first_difference(finished), len(again.writing.token_ids)
    if at is None:
        yield f"{name}: the same {count:,} tokens"
    else:
        yield f"{name}: another answer from token {at + 1:,} of {count:,} on"
    for ingredient in again.differences:
        yield f"{ingredient.name}: {ingredient.then or 'none'} then, {ingredient.now or 'none'} now"
    if at is not None and not again.differences:
        yield "all that it depends on is the same; it may have been written beside other answers"
