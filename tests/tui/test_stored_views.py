"""Messages of the history, as they look in the transcript."""

from msgspec.structs import replace

from assistant.backends.base import SamplingOptions
from assistant.conversation.records import Kind, State, StoredMessage, Writing
from assistant.events import Reason, Usage
from assistant.messages import Message, Part, Role
from assistant.tui.widgets.answer import AnswerView
from assistant.tui.widgets.lines import LineView
from assistant.tui.widgets.notice import NoticeView
from assistant.tui.widgets.question import QuestionView
from assistant.tui.widgets.stored_views import footer_of, view_of
from assistant.tui.widgets.strips import plain

WRITING = Writing(
    model="Small 1B",
    fingerprint="",
    template_hash="",
    build="",
    sampling=SamplingOptions(),
    max_new_tokens=100,
    seed=1,
    candidate=0,
    prompt=(),
    reason=Reason.DONE,
    usage=Usage(10, 0, 1_234, 0.1, 100.0, 33.21),
)
ANSWER = StoredMessage(
    2, 1, Kind.ANSWER, State.COMPLETE, "It is so.", 0.0, reasoning="I think", writing=WRITING
)


def lines_of(view: LineView) -> list[str]:
    view.content.lay_out(60)
    return [plain(row.line).rstrip() for row in view.content.rows()]


def test_an_answer_says_who_wrote_it_and_how() -> None:
    view = view_of(ANSWER, "talk", {2: (2, 5)})
    assert isinstance(view, AnswerView)
    assert view.is_finished
    head, thought, text, footer = lines_of(view)
    assert head.split() == ["Small", "1B", "talk.2"]
    assert thought == "▸ thought, 2 words"
    assert text == "It is so."
    assert footer == "done · 1,234 tokens · 33.2 tokens/s · 1 of 2"


def test_the_footer_says_what_went_wrong() -> None:
    broken = replace(WRITING, reason=Reason.FAILED, error="no memory", usage=None)
    assert footer_of(replace(ANSWER, state=State.FAILED, writing=broken), {}) == "failed: no memory"
    stopped = replace(ANSWER, state=State.STOPPED)
    assert footer_of(stopped, {2: (2,)}) == "stopped · 1,234 tokens · 33.2 tokens/s"
    full = replace(ANSWER, writing=replace(WRITING, reason=Reason.CONTEXT_FULL, usage=None))
    assert footer_of(full, {}) == "cut: the model's window was full"


def test_a_question_shows_what_was_attached_to_it() -> None:
    parts = (Part("def f(): ...", "app.py"), Part("Why?", "question"))
    question = StoredMessage(
        1, 0, Kind.QUESTION, State.COMPLETE, "Why?", 0.0, content=(Message(Role.USER, parts),)
    )
    view = view_of(question, "talk", {})
    assert isinstance(view, QuestionView)
    assert lines_of(view)[1:] == ["Why?", "[app.py]"]
    assert not view.is_waiting


def test_a_summary_says_what_it_stands_for() -> None:
    summary = StoredMessage(
        9, 8, Kind.SUMMARY, State.COMPLETE, "They spoke of **sorting**.", 0.0, covers=6
    )
    view = view_of(summary, "talk", {})
    assert isinstance(view, NoticeView)
    assert lines_of(view) == [
        "· Summary of everything up to talk.6",
        "They spoke of sorting.",
    ]
    dropped = view_of(replace(summary, text=""), "talk", {})
    assert lines_of(dropped) == ["· The model no longer sees everything up to talk.6"]
