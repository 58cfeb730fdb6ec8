"""Earlier questions with Up and Down: nothing that was written is lost."""

from hypothesis import given
from hypothesis import strategies as st

from assistant.tui.recall import Recall


def recall(*questions: str) -> Recall:
    made = Recall()
    made.set(questions)
    return made


def test_up_goes_back_and_down_comes_to_the_draft() -> None:
    past = recall("first", "second")
    assert past.older("draft") == "second"
    assert past.older("second") == "first"
    assert past.older("first") is None
    assert past.newer("first") == "second"
    assert past.newer("second") == "draft"
    assert past.newer("draft") is None


def test_without_questions_there_is_nothing_to_recall() -> None:
    assert recall().older("draft") is None
    assert recall().newer("draft") is None


def test_what_was_changed_on_the_way_stays_changed() -> None:
    past = recall("first", "second")
    past.older("")
    past.older("second, changed")
    assert past.newer("first") == "second, changed"


def test_what_was_sent_is_the_newest() -> None:
    past = recall("first")
    past.done("second")
    assert past.older("") == "second"
    assert past.older("second") == "first"


def test_a_draft_that_was_left_for_an_old_question_comes_before_it() -> None:
    past = recall("first", "second")
    past.older("my draft")
    past.older("second, changed")
    past.done("first")
    assert [past.older(""), past.older("first"), past.older("my draft")] == [
        "first",
        "my draft",
        "second, changed",
    ]
    assert past.older("second, changed") == "second"


def test_the_same_question_twice_in_a_row_is_kept_once() -> None:
    past = recall("same")
    past.done("same")
    assert past.older("") == "same"
    assert past.older("same") is None


def test_blank_texts_are_not_kept() -> None:
    past = recall("first")
    past.done("  \n")
    assert past.older("") == "first"


def test_another_conversation_s_questions_come_before_what_was_written_here() -> None:
    past = recall("old")
    past.done("!ls")
    past.set(["other", "questions"])
    assert [past.older(""), past.older("!ls"), past.older("questions")] == [
        "!ls",
        "questions",
        "other",
    ]
    assert past.older("other") is None


@given(st.lists(st.sampled_from(["up", "down", "edit", "send"]), max_size=40))
def test_every_text_that_was_written_can_be_found_again(steps: list[str]) -> None:
    past = recall("q1", "q2")
    now, unsent, sent = "", set[str](), {"q1", "q2"}
    for number, step in enumerate(steps):
        if step == "edit":
            unsent.discard(now)
            now = f"text {number}"
            unsent.add(now)
        elif step == "send":
            past.done(now)
            sent.add(now)
            now = ""
        else:
            moved = past.older(now) if step == "up" else past.newer(now)
            now = now if moved is None else moved
    past.done(now)
    found = {now}
    text = ""
    while (older := past.older(text)) is not None:
        text = older
        found.add(text)
    assert unsent | sent - {""} <= found
