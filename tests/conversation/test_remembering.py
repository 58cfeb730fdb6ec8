"""A session that remembers: what it sends, keeps and writes again."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from scripted_sessions import ask, head, question, sent, session_of
from template_engine import TemplateEngine

from assistant.conversation.records import Kind, State
from assistant.conversation.store import Store
from assistant.engine.base import Keep
from assistant.errors import InputError, PromptTooLong
from assistant.events import Reason
from assistant.messages import Attachment, ChatPrompt, Role
from assistant.trust import Note


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "history.db")
    yield store
    store.close()


# ── remembering ─────────────────────────────────────────────────────────────────────────────


def test_a_second_question_is_sent_after_the_first_turn(store: Store) -> None:
    engine = TemplateEngine(4096, lambda request: f"answer {len(engine.requests)}")
    session = session_of(engine, store)
    ask(session, "In Python?")
    ask(session, "And in Rust?")
    assert sent(engine)[1:] == ["u: In Python?", "a: answer 1", "u: And in Rust?"]
    assert head(engine).startswith("s: You are a programming assistant.")


def test_every_exchange_is_kept_and_goes_on_in_another_process(store: Store) -> None:
    engine = TemplateEngine(4096)
    turn = ask(session_of(engine, store), "Why?")
    kept = store.path(turn.conversation.name)
    assert [(m.kind, m.state, m.text) for m in kept] == [
        (Kind.QUESTION, State.COMPLETE, "Why?"),
        (Kind.ANSWER, State.COMPLETE, "Yes."),
    ]
    later = session_of(engine, store, conversation=store.latest())
    ask(later, "Really?")
    assert sent(engine)[1:] == ["u: Why?", "a: Yes.", "u: Really?"]
    assert store.latest() is not None
    assert len(store.conversations()) == 1


def test_a_past_answer_is_sent_as_the_tokens_that_were_written(store: Store) -> None:
    engine = TemplateEngine(4096)
    session = session_of(engine, store)
    ask(session, "Why?")
    ask(session, "Really?")
    prompt = engine.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    answer = next(m for m in prompt.messages if m.role is Role.ASSISTANT)
    assert answer.token_ids == tuple(b"Yes.")
    assert answer.fingerprint == "weights"


def test_what_wrote_an_answer_is_kept_with_it(store: Store) -> None:
    engine = TemplateEngine(4096)
    turn = ask(session_of(engine, store), "Why?")
    writing = store.path(turn.conversation.name)[-1].writing
    assert writing is not None
    assert (writing.fingerprint, writing.template_hash, writing.build) == (
        *("weights", "template"),
        "build",
    )
    assert writing.seed == engine.requests[0].seed
    assert writing.token_ids == tuple(b"Yes.")
    assert writing.prompt == (1,)
    assert len(writing.prompt_hash) == 16
    assert writing.usage is not None
    assert writing.reason is Reason.DONE


def test_the_first_day_stays_that_of_the_conversation(store: Store) -> None:
    engine = TemplateEngine(4096)
    old = store.begin("old", "/", date(2020, 2, 29))
    ask(session_of(engine, store, conversation=old), "Why?")
    prompt = engine.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    assert prompt.first_day == date(2020, 2, 29)


def test_files_of_earlier_questions_are_sent_again(store: Store) -> None:
    engine = TemplateEngine(4096)
    session = session_of(engine, store)
    ask(session, "", prompt="explain", attachments=(Attachment("a.py", "x = 1\n", "python"),))
    ask(session, "Why 1?")
    assert "x = 1" in sent(engine)[1]
    assert session.messages[0].text == "explain a.py"
    assert session.conversation is not None
    assert session.conversation.title == "explain a.py"


def test_nothing_is_kept_where_the_engine_refuses(store: Store) -> None:
    session = session_of(TemplateEngine(512), store)
    with pytest.raises(PromptTooLong):
        session.ask(question("word " * 200))
    assert store.conversations() == []


def test_without_history_no_engine_keeps_its_state(store: Store) -> None:
    engine = TemplateEngine(4096)
    ask(session_of(engine, store, keeps_state=False), "Why?")
    assert engine.requests[0].keep is Keep.NOTHING


def test_who_stops_reading_has_stopped_the_answer(store: Store) -> None:
    session = session_of(TemplateEngine(4096, lambda _: "One two three four."), store)
    turn = session.ask(question("Why?"))
    events = iter(turn.stream)
    next(events), next(events)
    events.close()  # type: ignore[attr-defined]  # a generator
    kept = store.path(turn.conversation.name)[-1]
    assert kept.state is State.STOPPED
    assert kept.text == "One tw"
    assert session.messages[-1].text == "One tw"


def test_a_failed_answer_is_kept_as_failed_and_its_question_not_sent_again(store: Store) -> None:
    engine = TemplateEngine(4096, lambda _: "", reason=Reason.FAILED)
    session = session_of(engine, store)
    turn = ask(session, "Why?")
    assert store.path(turn.conversation.name)[-1].state is State.FAILED
    engine.reason = Reason.DONE
    ask(session, "Why though?")
    assert sent(engine)[1:] == ["u: Why though?"]


# ── system messages, languages and notes ────────────────────────────────────────────────────


def test_a_plain_question_keeps_the_head_that_the_conversation_began_with(store: Store) -> None:
    engine = TemplateEngine(4096)
    session = session_of(engine, store)
    ask(session, "", prompt="explain", attachments=(Attachment("a.py", "x = 1\n", "python"),))
    began = head(engine)
    ask(session, "Why 1?")
    assert head(engine) == began
    assert sum(text.startswith("s:") for text in sent(engine)) == 1


def test_another_prompt_brings_its_own_system_message(store: Store) -> None:
    engine = TemplateEngine(4096)
    session = session_of(engine, store)
    ask(session, "Hi.")
    ask(session, "", prompt="review", attachments=(Attachment("a.py", "x = 1\n", "python"),))
    assert [text for text in sent(engine) if text.startswith("s:")][1:] == [
        "s: You find bugs in code."
    ]
    ask(session, "Sure?")
    assert sum(text.startswith("s:") for text in sent(engine)) == 2


def test_a_language_is_asked_for_once(store: Store) -> None:
    engine = TemplateEngine(4096)
    session = session_of(engine, store)
    ask(session, "Hi.", language="German")
    ask(session, "And?", language="German")
    assert sum("German" in text for text in sent(engine)) == 1
    ask(session, "And?", language="French")
    assert sent(engine)[-2:] == ["s: Answer in French.", "u: And?"]


def test_notes_join_the_head_of_a_new_conversation(store: Store) -> None:
    engine = TemplateEngine(4096)
    notes = (Note("AGENTS.md", "Use tabs. {{ no }}"), Note("sub/LLMCHAT.md", "Be kind."))
    session = session_of(engine, store, notes=notes)
    ask(session, "Hi.")
    assert head(engine).endswith(
        "\n\nNotes of this project, from AGENTS.md:\n\nUse tabs. {{ no }}"
        "\n\nNotes of this project, from sub/LLMCHAT.md:\n\nBe kind."
    )
    assert {"AGENTS.md", "sub/LLMCHAT.md"} <= {
        row.source for row in session.take_stock(question("And?")).rows()
    }
    ask(session, "And?")
    assert sum("Use tabs" in text for text in sent(engine)) == 1


def test_notes_are_not_for_prompts_about_plain_text(store: Store) -> None:
    engine = TemplateEngine(4096)
    session = session_of(engine, store, notes=(Note("AGENTS.md", "Use tabs."),))
    ask(session, "", prompt="summarize", attachments=(Attachment("a.txt", "It rains.", ""),))
    assert "tabs" not in "".join(sent(engine))


# ── versions ────────────────────────────────────────────────────────────────────────────────


def test_an_answer_written_again_is_another_version(store: Store) -> None:
    engine = TemplateEngine(4096, lambda _: f"answer {len(engine.requests)}")
    session = session_of(engine, store)
    ask(session, "Why?")
    turn = session.again()
    list(turn.stream)
    name = turn.conversation.name
    assert sent(engine)[1:] == ["u: Why?"]
    assert store.versions(name, 2) == [2, 3]
    assert [m.text for m in store.path(name)] == ["Why?", "answer 2"]
    assert [m.text for m in store.path(name, 2)] == ["Why?", "answer 1"]
    assert engine.requests[0].seed != engine.requests[1].seed
    ask(session, "So?")
    assert sent(engine)[1:] == ["u: Why?", "a: answer 2", "u: So?"]


def test_a_changed_question_is_another_version(store: Store) -> None:
    engine = TemplateEngine(4096, lambda _: f"answer {len(engine.requests)}")
    session = session_of(engine, store)
    ask(session, "One?")
    ask(session, "Two?")
    list(session.ask(question("Deux?"), instead_of=3).stream)
    assert sent(engine)[1:] == ["u: One?", "a: answer 1", "u: Deux?"]
    assert session.conversation is not None
    name = session.conversation.name
    assert store.versions(name, 3) == [3, 5]
    assert [m.text for m in store.path(name, 4)][-1] == "answer 2"


def test_the_first_question_can_be_changed_with_its_head(store: Store) -> None:
    engine = TemplateEngine(4096)
    session = session_of(engine, store)
    ask(session, "One?")
    list(session.ask(question("Un?"), instead_of=1).stream)
    assert [text[0] for text in sent(engine)] == ["s", "u"]
    with pytest.raises(InputError, match="no question 2"):
        session.ask(question("Deux?"), instead_of=2)


def test_a_first_question_that_is_asked_again_brings_the_notes(store: Store) -> None:
    engine = TemplateEngine(4096)
    notes = (Note("AGENTS.md", "Use tabs."),)
    session = session_of(engine, store, notes=notes)
    ask(session, "One?")
    later = session_of(engine, store, conversation=session.conversation, notes=notes)
    assert later.notices == []
    list(later.ask(question("Un?"), instead_of=1).stream)
    assert head(engine).endswith("Use tabs.")


def test_notes_that_have_changed_since_are_not_taken_and_that_is_said(store: Store) -> None:
    engine = TemplateEngine(4096)
    session = session_of(engine, store, notes=(Note("AGENTS.md", "Use tabs."),))
    ask(session, "One?")
    others = (Note("AGENTS.md", "Use blanks."), Note("sub/AGENTS.md", "New."))
    later = session_of(engine, store, conversation=session.conversation, notes=others)
    (notice,) = later.notices
    assert notice.startswith("AGENTS.md: this conversation goes on with what it was")
    ask(later, "And?")
    assert head(engine).endswith("Use tabs.")


def test_nobody_goes_on_from_an_answer_that_is_still_being_written(store: Store) -> None:
    engine = TemplateEngine(4096, lambda _: f"answer {len(engine.requests)}")
    session = session_of(engine, store)
    ask(session, "One?")
    assert session.conversation is not None
    name = session.conversation.name
    writing = iter(session.ask(question("Two?")).stream)
    next(writing)
    beside = session_of(engine, store, conversation=session.conversation)
    (notice,) = beside.notices
    assert notice.startswith(f"{name}.4 is still being written")
    ask(beside, "Zwei?")
    assert sent(engine)[1:] == ["u: One?", "a: answer 1", "u: Zwei?"]
    list(writing)
    assert store.versions(name, 3) == [3, 5]
    assert [m.text for m in store.path(name, 4)][2:] == ["Two?", "answer 2"]
    assert session_of(engine, store, conversation=session.conversation).notices == []


def test_a_conversation_goes_on_from_any_of_its_messages(store: Store) -> None:
    engine = TemplateEngine(4096, lambda _: f"answer {len(engine.requests)}")
    session = session_of(engine, store)
    ask(session, "One?")
    ask(session, "Two?")
    back = session_of(engine, store, conversation=session.conversation, leaf=2)
    ask(back, "Three?")
    assert sent(engine)[1:] == ["u: One?", "a: answer 1", "u: Three?"]


def test_candidates_are_versions_and_the_first_goes_on(store: Store) -> None:
    engine = TemplateEngine(4096)
    session = session_of(engine, store)
    turn = ask(session, "Why?", candidates=3)
    assert turn.numbers == (2, 3, 4)
    name = turn.conversation.name
    assert store.versions(name, 2) == [2, 3, 4]
    assert [m.number for m in store.path(name)] == [1, 2]
    writings = [m.writing for m in store.messages(name)[1:]]
    assert [w.seed - writings[0].seed for w in writings if w and writings[0]] == [0, 1, 2]


def test_nothing_can_be_written_again_before_anything_was_asked(store: Store) -> None:
    with pytest.raises(InputError, match="no question"):
        session_of(TemplateEngine(4096), store).again()
