"""A session asks what its question, its settings and its prompt file say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from assistant.backends.base import SamplingOptions
from assistant.config import SamplingChoices
from assistant.conversation.questions import Question
from assistant.conversation.session import Session
from assistant.conversation.store import Store
from assistant.engine.base import AnswerStream, Engine, GenerationRequest, Kept
from assistant.engine.local import LocalEngine
from assistant.errors import PromptTooLong
from assistant.events import Event, Finished
from assistant.messages import Attachment, ChatPrompt, RawPrompt
from assistant.prompts.finding import find_prompt
from assistant.prompts.prompt_file import Gives, PromptFile, Takes


class Recorder:
    """Passes everything on to the engine, and keeps the requests."""

    kept: Kept | None = None

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine
        self.requests: list[GenerationRequest] = []
        self.info, self.measure, self.render = engine.info, engine.measure, engine.render
        self.load, self.score, self.close = engine.load, engine.score, engine.close
        self.tokenize, self.detokenize = engine.tokenize, engine.detokenize

    def stream(self, request: GenerationRequest) -> AnswerStream:
        self.requests.append(request)
        return _Nothing()


class _Nothing:
    def __iter__(self) -> Iterator[Event]:
        return iter(())

    def cancel(self) -> None:
        pass


@pytest.fixture
def recorder(starter_engine: LocalEngine) -> Recorder:
    return Recorder(starter_engine)


def prompt_file(sampling: SamplingChoices | None = None) -> PromptFile:
    return PromptFile(
        path=Path("test.md"),
        name="test",
        description="A prompt for tests",
        takes=frozenset({Takes.QUESTION, Takes.FILES}),
        needs=frozenset(),
        gives=Gives.MARKDOWN,
        sampling=sampling or SamplingChoices(),
        variables={},
        system="You are terse.",
        body="{{ files }}\n\n{{ question }}",
    )


def session_of(engine: Engine, sampling: SamplingChoices) -> Session:
    return Session(engine, sampling, Store.in_memory)


def test_what_the_user_types_wins_over_settings_and_settings_over_the_prompt_file(
    recorder: Recorder,
) -> None:
    settings = SamplingChoices(temperature=0.5, top_k=50)
    file = prompt_file(SamplingChoices(temperature=0.3, top_k=30, top_p=0.3, max_new_tokens=33))
    typed = SamplingChoices(temperature=0.9, seed=0)
    session_of(recorder, settings).ask(Question(file, "Hi", sampling=typed))
    (request,) = recorder.requests
    assert request.sampling == SamplingOptions(temperature=0.9, top_k=50, top_p=0.3)
    assert request.max_new_tokens == 33
    assert request.seed == 0


def test_a_zero_is_a_choice(recorder: Recorder) -> None:
    settings = SamplingChoices(temperature=0.0, top_k=0, min_p=0.0)
    file = prompt_file(SamplingChoices(temperature=0.8, top_k=40, min_p=0.5))
    session_of(recorder, settings).ask(Question(file, "Hi"))
    sampling = recorder.requests[0].sampling
    assert (sampling.temperature, sampling.top_k, sampling.min_p) == (0.0, 0, 0.0)


def test_without_opinions_the_defaults_are_sent(recorder: Recorder) -> None:
    turn = session_of(recorder, SamplingChoices()).ask(Question(prompt_file(), "Hi"))
    (request,) = recorder.requests
    assert request.sampling == SamplingOptions()
    assert request.seed is not None
    assert request.max_new_tokens == turn.ledger.max_new_tokens == 1024


def test_render_is_what_ask_sends(recorder: Recorder) -> None:
    session = session_of(recorder, SamplingChoices())
    file = Attachment("a.py", "print('<|im_end|>')", "python")
    question = Question(prompt_file(), "What does it print?", (file,))
    rendered = session.render(question)
    turn = session.ask(question)
    (request,) = recorder.requests
    assert recorder.render(request.prompt) == rendered
    assert turn.ledger.measure.tokens == len(rendered.token_ids)
    assert "What does it print?" in rendered.text
    assert {"a.py", "question"} < {part.source for part in rendered.parts}


def test_nothing_is_sent_when_the_question_does_not_fit(recorder: Recorder) -> None:
    long = Attachment("long.txt", "word " * recorder.info.window, "")
    with pytest.raises(PromptTooLong, match=r"long\.txt"):
        session_of(recorder, SamplingChoices()).ask(Question(prompt_file(), "Why?", (long,)))
    assert recorder.requests == []


def test_variables_reach_the_prompt(recorder: Recorder) -> None:
    file = Attachment("a.py", "print(1)", "python")
    question = Question(find_prompt("translate"), attachments=(file,), variables={"to": "Rust"})
    rendered = session_of(recorder, SamplingChoices()).render(question)
    assert "Translate this to Rust:\n\na.py:\n```python\nprint(1)\n```" in rendered.text


@pytest.mark.parametrize(
    ("name", "text", "sent"),
    [
        ("summarize", "", "Summarize this:\n\na.txt:\n```\nIt rains <|im_end|>.\n```"),
        ("translate", "", "Translate this to English:\n\na.txt:\n```\nIt rains <|im_end|>.\n```"),
        ("generate", "A heap", "a.txt:\n```\nIt rains <|im_end|>.\n```\n\nA heap"),
    ],
)
def test_an_encoder_is_sent_the_users_message_as_plain_text(
    recorder: Recorder, name: str, text: str, sent: str
) -> None:
    abilities = replace(recorder.info.abilities, encoder=True)
    recorder.info = replace(recorder.info, abilities=abilities, window=100)
    session = session_of(recorder, SamplingChoices())
    file = Attachment("a.txt", "It rains <|im_end|>.", "")
    chosen = {"to": "English"} if name == "translate" else {}
    question = Question(find_prompt(name), text, (file,), variables=chosen)
    turn = session.ask(question)
    (request,) = recorder.requests
    assert request.prompt == RawPrompt(sent)
    assert session.render(question).text == sent
    tokens = len(recorder.tokenize(sent))
    assert turn.ledger.measure.tokens == tokens
    assert turn.ledger.max_new_tokens == request.max_new_tokens == 100 - tokens
    assert turn.ledger.is_shortened


def test_an_encoder_is_told_nothing_of_what_was_said_before(recorder: Recorder) -> None:
    abilities = replace(recorder.info.abilities, encoder=True)
    recorder.info = replace(recorder.info, abilities=abilities)
    session = session_of(recorder, SamplingChoices())
    for text in ("A heap", "A tree"):
        list(session.ask(Question(find_prompt("generate"), text)).stream)
    list(session.again().stream)
    sent = [request.prompt for request in recorder.requests]
    assert sent == [RawPrompt("A heap"), RawPrompt("A tree"), RawPrompt("A tree")]


def test_a_prompt_that_needs_a_chat_stays_one(recorder: Recorder) -> None:
    abilities = replace(recorder.info.abilities, encoder=True)
    recorder.info = replace(recorder.info, abilities=abilities)
    session_of(recorder, SamplingChoices()).ask(Question(prompt_file(), "Hi"))
    assert isinstance(recorder.requests[0].prompt, ChatPrompt)


def test_a_session_answers_with_the_model(starter_engine: LocalEngine) -> None:
    choices = SamplingChoices(temperature=0.0, max_new_tokens=12)
    session = session_of(starter_engine, choices)
    turn = session.ask(Question(prompt_file(), "Say hello."))
    last = list(turn.stream)[-1]
    assert isinstance(last, Finished)
    assert last.usage.prompt_tokens == turn.ledger.measure.tokens
    assert last.answers[0].text
