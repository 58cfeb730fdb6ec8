"""A window that fills: old turns are dropped, summarized, or the question is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_sessions import ask, question, sent, session_of
from template_engine import TemplateEngine

from assistant.config import SamplingChoices, WhenFull
from assistant.conversation.records import Kind
from assistant.conversation.session import Session
from assistant.conversation.store import Store
from assistant.engine.base import Keep
from assistant.errors import PromptTooLong
from assistant.events import Reason

LONG = "word " * 100  # 500 bytes, which are tokens here


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "history.db")
    yield store
    store.close()


# ── a full window ───────────────────────────────────────────────────────────────────────────


def fill(session: Session, turns: int, text: str = LONG) -> None:
    for number in range(turns):
        ask(session, f"q{number} {text}")


def test_without_a_compaction_the_older_half_is_dropped_and_said(store: Store) -> None:
    engine = TemplateEngine(2048)
    session = session_of(engine, store)
    fill(session, 3)
    turn = ask(session, f"q3 {LONG}")
    assert turn.ledger.leaving == turn.ledger.dropped == (1, 2, 3, 4)
    assert [text[:5] for text in sent(engine)[1:]] == ["u: q2", "a: Ye", "u: q3"]
    again = ask(session, "And?")
    assert again.ledger.dropped == (1, 2, 3, 4)
    assert again.ledger.leaving == ()


def test_what_was_dropped_is_still_in_the_history(store: Store) -> None:
    session = session_of(TemplateEngine(2048), store)
    fill(session, 4)
    assert session.conversation is not None
    said = [m.text for m in store.path(session.conversation.name) if m.kind is Kind.QUESTION]
    assert len(said) == 4


def test_a_question_that_never_fits_drops_nothing(store: Store) -> None:
    session = session_of(TemplateEngine(2048), store)
    fill(session, 2)
    before = session.messages
    with pytest.raises(PromptTooLong, match="question"):
        session.ask(question(LONG * 5))
    assert session.messages == before
    assert session.conversation is not None
    assert store.path(session.conversation.name) == list(before)


def test_who_wants_nothing_dropped_is_refused(store: Store) -> None:
    session = session_of(TemplateEngine(2048), store, when_full=WhenFull.REFUSE)
    fill(session, 3)
    with pytest.raises(PromptTooLong) as refused:
        session.ask(question(LONG))
    assert "history compact" in refused.value.hint
    assert session.compaction(question(LONG)) is None
    with pytest.raises(PromptTooLong) as refused:
        session.ask(question(LONG * 5))
    assert "compact" not in refused.value.hint, "it would not help"


def test_a_short_answer_is_better_than_a_refusal_while_there_is_room(store: Store) -> None:
    session = session_of(TemplateEngine(2048), store, when_full=WhenFull.REFUSE)
    fill(session, 3)
    turn = ask(session, "And?", sampling=SamplingChoices(max_new_tokens=1000))
    assert turn.ledger.is_shortened
    assert turn.ledger.dropped == ()


# ── compaction ──────────────────────────────────────────────────────────────────────────────


def compacting(store: Store, window: int, summary: str = "They spoke.") -> TemplateEngine:
    """An engine that summarizes when it is asked to."""

    def says(_request: object) -> str:
        return summary if sent(engine)[-1].startswith("u: Summarize our") else "Yes."

    engine = TemplateEngine(window, says)
    return engine


def test_the_older_half_becomes_a_summary_before_the_question_is_asked(store: Store) -> None:
    engine = compacting(store, 2048)
    session = session_of(engine, store)
    fill(session, 3)
    compaction = session.compaction(question(f"q3 {LONG}"))
    assert compaction is not None
    assert compaction.messages == 4
    list(compaction)
    assert compaction.summary == "They spoke."
    assert [text[:5] for text in sent(engine)[1:]] == [
        *("u: q0", "a: Ye", "u: q1", "a: Ye", "u: Su")
    ]
    turn = ask(session, f"q3 {LONG}")
    assert turn.ledger.summarized == (1, 2, 3, 4)
    assert turn.ledger.dropped == turn.ledger.leaving == ()
    shown = [text[:30] for text in sent(engine)[1:]]
    assert shown[0] == "u: Summary of our conversation"
    assert [text[:5] for text in shown[1:]] == ["u: q2", "a: Ye", "u: q3"]


def test_the_request_for_a_summary_begins_with_what_is_cached_already(store: Store) -> None:
    engine = compacting(store, 2048)
    session = session_of(engine, store)
    fill(session, 3)
    before = engine.render(engine.requests[-1].prompt).token_ids
    compaction = session.compaction(question(LONG))
    assert compaction is not None
    list(compaction)
    request = engine.requests[-1]
    now = engine.render(request.prompt).token_ids
    shared = next(at for at, (a, b) in enumerate(zip(before, now, strict=False)) if a != b)
    assert len(now) - shared < 400  # the instruction
    assert request.keep is Keep.NOTHING


def test_a_summary_is_kept_with_what_wrote_it(store: Store) -> None:
    engine = compacting(store, 2048)
    session = session_of(engine, store)
    fill(session, 3)
    compaction = session.compaction()
    assert compaction is not None
    list(compaction)
    assert session.conversation is not None
    name = session.conversation.name
    summary = store.path(name)[-1]
    assert (summary.kind, summary.text, summary.covers) == (Kind.SUMMARY, "They spoke.", 4)
    assert summary.writing is not None
    assert summary.writing.prompt == (1, 2, 3, 4)
    assert summary.writing.token_ids == tuple(b"They spoke.")


def test_a_summary_that_was_stopped_changes_nothing(store: Store) -> None:
    engine = compacting(store, 2048)
    session = session_of(engine, store)
    fill(session, 3)
    before = session.messages
    compaction = session.compaction()
    assert compaction is not None
    compaction.cancel()
    list(compaction)
    assert compaction.summary == ""
    assert compaction.reason is Reason.STOPPED
    assert session.messages == before


def test_an_empty_summary_is_none_and_turns_are_dropped(store: Store) -> None:
    engine = compacting(store, 2048, summary=" \n")
    session = session_of(engine, store)
    fill(session, 3)
    compaction = session.compaction(question(LONG))
    assert compaction is not None
    list(compaction)
    assert ask(session, LONG).ledger.dropped == (1, 2, 3, 4)


def test_there_is_no_compaction_without_need_or_for_nothing(store: Store) -> None:
    session = session_of(compacting(store, 2048), store)
    assert session.compaction() is None
    fill(session, 1)
    assert session.compaction(question("And?")) is None
    assert session.compaction() is None, "a summary would be as long"


def test_no_summary_is_written_for_a_question_that_fits_in_no_way(store: Store) -> None:
    session = session_of(compacting(store, 2048), store)
    fill(session, 3)
    assert session.compaction(question(LONG)) is not None
    assert session.compaction(question(LONG * 5)) is None
    with pytest.raises(PromptTooLong):
        session.ask(question(LONG * 5))


def test_a_changed_summary_takes_the_place_of_the_old_one_and_what_followed_stays(
    store: Store,
) -> None:
    engine = compacting(store, 2048)
    session = session_of(engine, store)
    fill(session, 3)
    compaction = session.compaction(question(f"q3 {LONG}"))
    assert compaction is not None
    list(compaction)
    ask(session, f"q3 {LONG}")
    assert session.conversation is not None
    name, path = session.conversation.name, session.messages
    store.add_summary(name, path[-1].number, "They sang.", 4, None)
    later = session_of(engine, store, conversation=session.conversation)
    turn = ask(later, "And?")
    shown = [text[:5] for text in sent(engine)[2:]]
    assert shown == ["u: q2", "a: Ye", "u: q3", "a: Ye", "u: An"]
    assert sent(engine)[1].endswith("They sang.")
    assert turn.ledger.summarized == (1, 2, 3, 4)


def test_a_tiny_window_drops_whole_turns(store: Store) -> None:
    session = session_of(compacting(store, 512), store, max_tokens=64)
    fill(session, 2, "word " * 30)
    asked = question("word " * 30)
    assert session.compaction(asked) is None
    turn = ask(session, asked.text)
    assert turn.ledger.dropped in ((1, 2), (1, 2, 3, 4))


@pytest.mark.parametrize("window", [512, 1024, 2048])
def test_a_long_talk_goes_on_in_any_window(store: Store, window: int) -> None:
    engine = compacting(store, window)
    session = session_of(engine, store, max_tokens=window // 8)
    compactions = 0
    for number in range(30):
        asked = question(f"q{number} " + "word " * (window // 50))
        compaction = session.compaction(asked)
        if compaction is not None:
            list(compaction)
            compactions += 1
        turn = ask(session, asked.text)
        ledger = turn.ledger
        assert ledger.measure.tokens + ledger.max_new_tokens <= window
        shown = [m.number for m in session.messages if m.kind is not Kind.SUMMARY]
        layout_numbers = {*ledger.summarized, *ledger.dropped}
        assert layout_numbers < set(shown)
    assert bool(compactions) == (window >= 1024)
    assert session.conversation is not None
    questions = [m for m in store.path(session.conversation.name) if m.kind is Kind.QUESTION]
    assert len(questions) == 30
