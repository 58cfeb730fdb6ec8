"""What of a branch a model is shown; every message is shown, summarized or dropped."""

from branches import HEAD, answered, asked, summary, talk
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from assistant.backends.base import SamplingOptions
from assistant.conversation.layout import lay_out
from assistant.conversation.records import Kind, StoredMessage, Writing
from assistant.messages import Role, message


def texts(path: list[StoredMessage]) -> list[str]:
    return [m.text for m in lay_out(path).messages()]


def test_nothing_was_said_yet() -> None:
    layout = lay_out([])
    assert layout.messages() == ()
    assert (layout.summarized, layout.dropped) == ((), ())


def test_all_is_shown_in_order() -> None:
    path = [asked(1, "Why?", head=[HEAD]), answered(2, "Because."), asked(3, "And?")]
    assert texts(path) == ["You are terse.", "Why?", "Because.", "And?"]
    assert [turn.numbers for turn in lay_out(path).turns] == [(1, 2), (3,)]


def test_a_summary_stands_for_what_it_covers_and_the_head_stays() -> None:
    path = [*talk(3), summary(7, "They spoke.", covers=4)]
    shown = texts(path)
    assert shown[0] == "You are terse."
    assert shown[1] == "Summary of our conversation so far:\n\nThey spoke."
    assert [text.split()[0] for text in shown[2:]] == ["q5", "a6"]
    assert lay_out(path).summarized == (1, 2, 3, 4)
    assert lay_out(path).dropped == ()


def test_a_summary_without_a_text_drops_what_it_covers() -> None:
    path = [*talk(3), summary(7, "", covers=4)]
    assert [text.split()[0] for text in texts(path)] == ["You", "q5", "a6"]
    assert lay_out(path).dropped == (1, 2, 3, 4)


def test_a_second_summary_takes_the_place_of_the_first() -> None:
    path = [*talk(2), summary(5, "First.", covers=2), asked(6, "q6"), answered(7, "a7")]
    path.append(summary(8, "Second.", covers=4))
    layout = lay_out(path)
    assert texts(path)[1:] == ["Summary of our conversation so far:\n\nSecond.", "q6", "a7"]
    assert layout.summarized == (1, 2, 3, 4)


def test_what_a_dropped_summary_stood_for_is_dropped_too() -> None:
    path = [*talk(2), summary(5, "First.", covers=2), asked(6, "q6"), answered(7, "a7")]
    assert lay_out([*path, summary(8, "", covers=4)]).dropped == (1, 2, 3, 4)
    only_the_summary = lay_out([*path, summary(8, "", covers=2)])
    assert only_the_summary.dropped == (1, 2)
    assert only_the_summary.turns[0].numbers == (3, 4)


def test_a_system_message_in_mid_conversation_belongs_to_its_turn() -> None:
    late = message(Role.SYSTEM, "You review.", "prompt review")
    path = [*talk(1), asked(3, "q3", head=[late]), answered(4, "a4")]
    assert texts(path)[3:] == ["You review.", "q3", "a4"]
    assert texts([*path, summary(5, "", covers=4)]) == ["You are terse."]


def test_an_answer_brings_the_tokens_that_were_written() -> None:
    writing = Writing("m", "weights", "", "", SamplingOptions(), 9, 1, 0, (1,), token_ids=(5, 6))
    path = [asked(1, "Why?"), replace(answered(2, "So."), writing=writing, reasoning="Hm.")]
    said = lay_out(path).messages()[-1]
    assert (said.token_ids, said.fingerprint, said.reasoning) == ((5, 6), "weights", "Hm.")


def test_an_answer_of_nothing_is_not_shown() -> None:
    path = [asked(1, "Why?"), answered(2, " \n"), asked(3, "Why?")]
    assert texts(path) == ["Why?", "Why?"]


@st.composite
def branches(draw: st.DrawFn) -> list[StoredMessage]:
    """Turns, with summaries and drops in between that cover ever more."""
    path: list[StoredMessage] = []
    covered = 0
    for _ in range(draw(st.integers(1, 8))):
        number = len(path) + 1
        path.append(asked(number, f"q{number}", head=[HEAD] if number == 1 else []))
        path.append(answered(number + 1, f"a{number + 1}"))
        if draw(st.booleans()):
            ends = [m.number for m in path if m.kind is Kind.ANSWER and m.number > covered]
            covered = draw(st.sampled_from(ends))
            text = draw(st.sampled_from(["", "said"]))
            path.append(summary(len(path) + 1, text, covers=covered))
    return path


@given(branches())
def test_every_message_is_shown_or_in_one_of_the_lists(path: list[StoredMessage]) -> None:
    layout = lay_out(path)
    shown = [n for turn in layout.turns if not turn.is_summary for n in turn.numbers]
    said = [m.number for m in path if m.kind is not Kind.SUMMARY]
    assert sorted([*shown, *layout.summarized, *layout.dropped]) == said
    has_summary = any(turn.is_summary for turn in layout.turns)
    assert has_summary == bool(layout.summarized)
    assert layout.head == (HEAD,)


@given(branches(), st.integers(0, 9))
def test_dropping_turns_is_what_a_drop_in_the_branch_does(
    path: list[StoredMessage], count: int
) -> None:
    layout = lay_out(path)
    count = min(count, len(layout.turns))
    said = [n for turn in layout.turns[:count] if not turn.is_summary for n in turn.numbers]
    if not said:
        return
    dropped = lay_out([*path, summary(len(path) + 1, "", covers=said[-1])])
    without = layout.without(count)
    assert dropped.messages() == without.messages()
    assert sorted(dropped.dropped) == sorted(without.dropped)
    assert dropped.summarized == without.summarized == ()
