"""Whatever was said and however small the window: what is sent fits, and nothing is lost unsaid."""

from datetime import date
from pathlib import Path

from branches import HEAD, answered, asked, summary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from template_engine import SPELLINGS, TemplateEngine, template_of

from assistant.backends.base import SamplingOptions
from assistant.config import SamplingChoices, WhenFull
from assistant.conversation.questions import Question
from assistant.conversation.records import Conversation, Kind, StoredMessage, Writing
from assistant.conversation.session import Session, Turn
from assistant.conversation.store import Store
from assistant.errors import AssistantError, PromptTooLong, TemplateError
from assistant.messages import Attachment, ChatPrompt, Message, Role, message
from assistant.prompts.finding import find_prompt

HEAD_DAY = date(2024, 2, 29)
WRITING = Writing("m", "weights", "", "", SamplingOptions(), 9, 1, 0, ())
WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from([*SPELLINGS, "", " ", "\n\n", "你好", "</think> so", "{{ x }}", "/no_think"]),
    st.integers(1, 400).map(lambda count: "word " * count),
)


@st.composite
def pasts(draw: st.DrawFn) -> list[StoredMessage]:
    """Questions with and without answers, two answers of nothing, late system messages, drops."""
    path: list[StoredMessage] = []
    covered = 0
    for _ in range(draw(st.integers(0, 6))):
        number = len(path) + 1
        late = message(Role.SYSTEM, draw(WORDS) or "You review.", "prompt review")
        heads: list[list[Message]] = [[HEAD] if number == 1 else [], [late]]
        path.append(asked(number, draw(WORDS) or "?", head=draw(st.sampled_from(heads))))
        if draw(st.booleans()):
            path.append(answered(number + 1, draw(WORDS)))
        if draw(st.integers(0, 3)) == 0:
            rest = [m.number for m in path if m.number > covered and m.kind is not Kind.SUMMARY]
            if rest:
                covered = draw(st.sampled_from(rest))
                path.append(summary(len(path) + 1, draw(WORDS), covers=covered))
    return path


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), past=pasts(), window=st.integers(512, 3000), text=WORDS)
def test_all_that_is_sent_fits_and_all_that_is_not_is_listed(
    shared_data: Path, data: st.DataObject, past: list[StoredMessage], window: int, text: str
) -> None:
    files = sorted((shared_data / "chat_templates").glob("*.jinja"))
    engine = TemplateEngine(
        window,
        lambda _request: data.draw(WORDS),
        template_of(data.draw(st.sampled_from(files))),
    )
    store = Store.in_memory()
    conversation, path = remembered(store, past)
    session = Session(
        engine,
        SamplingChoices(max_new_tokens=data.draw(st.integers(1, 4000))),
        lambda: store,
        conversation,
        when_full=data.draw(st.sampled_from(WhenFull)),
    )
    attached = (Attachment("a.py", data.draw(WORDS), "python"),)
    question = Question(find_prompt("ask"), f"? {text}", attached)
    turn = asked_or_refused(session, question)
    if not isinstance(turn, Turn):
        is_named = "message " in turn.message or f"window of {window:,}" in turn.message
        assert is_named, turn.message
        assert store.path(conversation.name)[: len(path)] == path
        return
    ledger, request = turn.ledger, engine.requests[-1]
    ids = engine.render(request.prompt).token_ids
    assert len(ids) == ledger.measure.tokens
    assert len(ids) + request.max_new_tokens <= window
    assert sum(row.tokens for row in ledger.rows()) == len(ids)
    assert everything_is_accounted_for(session, request.prompt, ledger.summarized, ledger.dropped)
    list(turn.stream)


def asked_or_refused(session: Session, question: Question) -> Turn | AssistantError:
    try:
        compaction = session.compaction(question)
        if compaction is not None:
            list(compaction)
        return session.ask(question)
    except (TemplateError, PromptTooLong) as refused:
        return refused


def remembered(store: Store, past: list[StoredMessage]) -> tuple[Conversation, list[StoredMessage]]:
    conversation = store.begin("talk", "/", HEAD_DAY)
    before = 0
    for m in past:
        match m.kind:
            case Kind.QUESTION:
                before = store.add_question(conversation.name, before, m.text, m.content).number
            case Kind.SUMMARY:
                kept = store.add_summary(conversation.name, before, m.text, m.covers, None)
                before = kept.number
            case Kind.ANSWER:
                kept = store.begin_answer(conversation.name, before, WRITING)
                store.end_answer(conversation.name, kept.number, m.state, m.text, "", WRITING)
                before = kept.number
    return conversation, store.path(conversation.name)


def everything_is_accounted_for(
    session: Session,
    prompt: object,
    summarized: tuple[int, ...],
    dropped: tuple[int, ...],
) -> bool:
    """Every message of the branch is in the prompt as it was said, or in one of the lists."""
    assert isinstance(prompt, ChatPrompt)
    shown = [m.text for m in prompt.messages]
    gone = {*summarized, *dropped}
    for m in session.messages:
        if m.kind is Kind.SUMMARY or m.number in gone:
            continue
        said = [c.text for c in m.content] if m.kind is Kind.QUESTION else [m.text]
        if not all(text in shown for text in said if text.strip()):
            return False
    return gone <= {m.number for m in session.messages}
