"""Answers that are written again: the same tokens, or what is not as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from template_engine import TemplateEngine, template_of

from assistant.config import SamplingChoices
from assistant.conversation.questions import Question
from assistant.conversation.records import Conversation, State
from assistant.conversation.replay import Replay, replay
from assistant.conversation.session import Session
from assistant.conversation.store import Store
from assistant.engine.base import Engine
from assistant.engine.local import LocalEngine
from assistant.errors import InputError
from assistant.events import Finished, TextChunk
from assistant.prompts.finding import find_prompt

DRAWN = SamplingChoices(temperature=0.8, max_new_tokens=24)


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store.in_memory()
    yield store
    store.close()


def session_of(engine: Engine, store: Store, conversation: Conversation | None = None) -> Session:
    return Session(engine, DRAWN, lambda: store, conversation)


def question(text: str, candidates: int = 1) -> Question:
    return Question(find_prompt("ask"), text, candidates=candidates)


def written_again(
    engine: Engine, store: Store, session: Session, number: int | None = None
) -> tuple[Replay, int | None]:
    """And where it differs first."""
    assert session.conversation is not None
    again = replay(engine, store, session.conversation, number)
    *_, last = again.stream
    assert isinstance(last, Finished)
    return again, again.first_difference(last)


# ── the real model ──────────────────────────────────────────────────────────────────────────


def test_each_of_several_candidates_is_written_again(
    starter_engine: LocalEngine, store: Store
) -> None:
    session = session_of(starter_engine, store)
    turn = session.ask(question("Name a colour and say why.", candidates=3))
    list(turn.stream)
    kept = [store.path(turn.conversation.name, number)[-1].text for number in turn.numbers]
    assert len(set(kept)) == 3
    for number in turn.numbers:
        again, difference = written_again(starter_engine, store, session, number)
        assert (again.differences, difference) == ((), None)


def test_an_answer_that_was_stopped_is_written_again_as_far_as_it_came(
    starter_engine: LocalEngine, store: Store
) -> None:
    session = session_of(starter_engine, store)
    turn = session.ask(question("Tell me a long story."))
    for event in turn.stream:
        if isinstance(event, TextChunk):
            turn.stream.cancel()
    kept = session.messages[-1]
    assert kept.state is State.STOPPED
    assert kept.writing is not None
    assert 0 < len(kept.writing.token_ids) < 24
    again, difference = written_again(starter_engine, store, session)
    assert (again.differences, difference) == ((), None)


def test_answers_before_and_after_a_summary_are_written_again(
    starter_engine: LocalEngine, store: Store
) -> None:
    session = session_of(starter_engine, store)
    for text in ("Name a colour.", "Another?"):
        list(session.ask(question(text)).stream)
    assert session.conversation is not None
    store.add_summary(session.conversation.name, 4, "We spoke of colours.", 2, None)
    later = session_of(starter_engine, store, session.conversation)
    list(later.ask(question("And one more?")).stream)
    (written,) = [m.writing for m in later.messages[-1:]]
    assert written is not None
    assert written.prompt == (5, 3, 4, 6)
    for number in (2, 4, 7):
        again, difference = written_again(starter_engine, store, session, number)
        assert (again.differences, difference) == ((), None)


# ── what is not as it was ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"name": "another"}, "model"),
        ({"fingerprint": "others"}, "weights"),
        ({"template_hash": "new"}, "chat template"),
        ({"build": "newer"}, "build"),
    ],
)
def test_what_differs_is_named(changed: dict[str, str], name: str, store: Store) -> None:
    session = session_of(TemplateEngine(2048), store)
    list(session.ask(question("Why?")).stream)
    engine = TemplateEngine(2048, lambda _request: "Yep.")
    engine.info = replace(engine.info, **changed)
    again, difference = written_again(engine, store, session)
    assert [ingredient.name for ingredient in again.differences] == [name]
    (ingredient,) = again.differences
    assert ingredient.then != ingredient.now == next(iter(changed.values()))
    assert difference == 2


def test_another_prompt_is_named(store: Store, shared_data: Path) -> None:
    session = session_of(TemplateEngine(2048), store)
    list(session.ask(question("Why?")).stream)
    (file, *_) = sorted((shared_data / "chat_templates").glob("*gemma*.jinja"))
    engine = TemplateEngine(2048, template=template_of(file))
    again, difference = written_again(engine, store, session)
    assert [ingredient.name for ingredient in again.differences] == ["prompt"]
    assert difference is None


def test_a_question_cannot_be_written_again(store: Store) -> None:
    engine = TemplateEngine(2048)
    session = session_of(engine, store)
    list(session.ask(question("Why?")).stream)
    with pytest.raises(InputError, match="is no answer"):
        written_again(engine, store, session, 1)
