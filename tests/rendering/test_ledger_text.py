"""Where the window goes, for a person: the sums are right, the largest comes first."""

from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.window import Ledger
from assistant.engine.base import Measure
from assistant.messages import PartTokens
from assistant.rendering.ledger_text import ledger_lines
from assistant.rendering.tables import cell_width

sources = st.text("ab你😀 \n\x1b", min_size=1, max_size=12)
parts = st.lists(
    st.builds(PartTokens, st.none() | st.integers(0, 3), sources, st.integers(0, 3_000_000)),
    max_size=6,
)


def ledger(*counted: PartTokens, window: int = 8_192, cached: int = 0, answer: int = 0) -> Ledger:
    tokens = sum(part.tokens for part in counted)
    return Ledger(window, Measure(tokens, counted, cached, None), answer, is_shortened=False)


def count_of(line: str) -> int:
    """The number that a line begins with."""
    return int(line.split()[0].replace(",", ""))


def test_a_ledger_looks_like_this() -> None:
    counted = (
        PartTokens(None, "template", 14),
        PartTokens(1, "src/应用.py", 1_204),
        PartTokens(1, "question", 9),
    )
    assert ledger_lines(ledger(*counted, cached=14, answer=1_024)) == [
        "1,204  src/应用.py",
        "   14  template",
        "    9  question",
        "1,227  of 8,192 tokens are the prompt",
        "   14  of them are read already",
        "1,024  may be the answer",
    ]


def test_what_is_cached_and_what_is_not_sent_is_said() -> None:
    counted = (
        PartTokens(None, "template", 14, 14),
        PartTokens(0, "prompt ask", 9, 9),
        PartTokens(1, "question", 60, 10),
        PartTokens(2, "answer", 50, 50),
        PartTokens(3, "question", 8),
    )
    told = Ledger(
        1_024,
        Measure(141, counted, 83, 4.21),
        100,
        is_shortened=False,
        summarized=(1, 2, 3, 4),
        dropped=(5, 6),
        leaving=(7, 8),
        turns=("", "turn 7", "turn 7"),
    )
    assert ledger_lines(told) == [
        "110  turn 7                          60 cached",
        " 14  template                        cached",
        "  9  prompt ask                      cached",
        "  8  question",
        "141  of 1,024 tokens are the prompt",
        " 83  of them are read already",
        "100  may be the answer",
        "the answer begins after about 4.2 s",
        "4 older messages are in the conversation's summary",
        "2 older messages are left out",
        "2 older messages have to make room for it first",
    ]
    soon = Ledger(1_024, Measure(1, counted[:1], 0, 0.01), 1, is_shortened=False)
    assert ledger_lines(soon)[-1] == "the answer begins at once"


def test_what_is_not_cached_is_not_mentioned() -> None:
    assert ledger_lines(ledger(PartTokens(0, "question", 2))) == [
        "2  question",
        "2  of 8,192 tokens are the prompt",
        "0  may be the answer",
    ]


@given(parts)
def test_the_parts_add_up_to_the_sum_below_them(counted: list[PartTokens]) -> None:
    *each, total, _ = ledger_lines(ledger(*counted))
    assert sum(map(count_of, each)) == count_of(total) == sum(part.tokens for part in counted)
    assert len(each) == len({part.source for part in counted})


@given(parts)
def test_the_largest_comes_first_and_numbers_end_at_the_same_cell(
    counted: list[PartTokens],
) -> None:
    lines = ledger_lines(ledger(*counted))
    counts = [count_of(line) for line in lines[:-2]]
    assert counts == sorted(counts, reverse=True)
    assert len({len(line) - len(line.lstrip()) + len(line.split()[0]) for line in lines}) == 1


def test_parts_of_one_name_are_one_line() -> None:
    counted = [PartTokens(number, "question", 10) for number in range(3)]
    assert ledger_lines(ledger(*counted))[0] == "30  question"


@given(parts, st.integers(1, 40))
def test_no_line_is_wider_than_the_terminal(counted: list[PartTokens], columns: int) -> None:
    lines = ledger_lines(ledger(*counted), columns)
    assert all(cell_width(line) <= columns for line in lines)
    assert len(lines) == len(ledger_lines(ledger(*counted)))


def test_a_name_cannot_steer_the_terminal() -> None:
    assert ledger_lines(ledger(PartTokens(0, "a\x1b[2J\nb\u202e.py", 1)))[0] == (
        "1  a\\x1b[2J b\\u{202e}.py"
    )
