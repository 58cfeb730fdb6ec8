"""The text of an answer does not depend on how the answer is split into tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_backend import CHANNEL, CHANNEL_END, MESSAGE, START, ByteTokenizer

from assistant.engine.answer_text import AnswerText, is_repeating
from assistant.engine.local import LocalEngine

TEXTS = st.text(
    st.sampled_from("ab \n<>/é漢字🙂👩‍👩‍👧\u200d\ufffd") | st.characters(exclude_categories=["Cs"])
)
CUTS = st.lists(st.integers(1, 7), max_size=40)


class Pieces(ByteTokenizer):
    """A vocabulary made for one answer: token n is the n-th piece of its bytes."""

    hidden_tokens = frozenset()

    def __init__(self, data: bytes, cuts: list[int]) -> None:
        self.pieces: list[bytes] = []
        for size in [*cuts, *[1] * len(data)]:
            if data:
                self.pieces.append(data[:size])
                data = data[size:]

    def piece(self, token_id: int) -> bytes:
        return self.pieces[token_id]


def read(
    answer: str, cuts: list[int], stop: tuple[str, ...] = (), prompt_text: str = ""
) -> tuple[str, str]:
    """Text and reasoning of an answer in these pieces; the chunks say the same."""
    tokenizer = Pieces(answer.encode(), cuts)
    text = AnswerText(tokenizer, stop, prompt_text=prompt_text)
    chunks = [piece for token in range(len(tokenizer.pieces)) for piece in text.push(token)]
    chunks += text.finish()
    assert all(chunk.text for chunk in chunks)
    assert "".join(chunk.text for chunk in chunks if not chunk.is_reasoning) == text.text
    reasoning = "".join(chunk.text for chunk in chunks if chunk.is_reasoning)
    assert reasoning.strip() == text.reasoning
    return text.text, text.reasoning


@given(TEXTS, CUTS)
def test_text_is_the_same_for_any_split(answer: str, cuts: list[int]) -> None:
    if not answer.lstrip().startswith("<"):
        assert read(answer, cuts) == (answer, "")


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    tokenizer = Pieces(b"a\xff\xe6\xbc", [1, 1, 1, 1])
    text = AnswerText(tokenizer)
    for token in range(4):
        text.push(token)
    text.finish()
    assert text.text == "a\ufffd\ufffd"


@given(TEXTS, CUTS, st.lists(st.text("ab \n漢🙂", min_size=1, max_size=4), max_size=3))
def test_stop_strings_cut_the_same_text_for_any_split(
    answer: str, cuts: list[int], stop: list[str]
) -> None:
    answer = "." + answer
    ends = [(answer.index(s) + len(s), answer.index(s)) for s in stop if s in answer]
    expected = answer[: min(ends)[1]] if ends else answer
    assert read(answer, cuts, tuple(stop)) == (expected, "")


def test_of_two_stop_strings_the_one_that_is_complete_first_counts() -> None:
    for cuts in ([], [6], [1, 5], [5, 1]):
        assert read("xabcde", cuts, ("bcd", "abcde")) == ("xa", "")


def test_an_empty_stop_string_stops_nothing() -> None:
    assert read("abc", [], ("",)) == ("abc", "")


MARKERS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
]
WORDS = st.text(st.sampled_from("ab <>/[]\n漢🙂"), max_size=12)


@pytest.mark.parametrize(("opening", "closing"), MARKERS)
@given(reasoning=WORDS, answer=WORDS, cuts=CUTS)
def test_reasoning_is_taken_out_for_any_split(
    opening: str, closing: str, reasoning: str, answer: str, cuts: list[int]
) -> None:
    whole = f"{opening}{reasoning}{closing}\n\n.{answer}"
    assert read(whole, cuts) == ("." + answer, reasoning.strip())
    assert read(whole[len(opening) :], cuts, prompt_text=f"user: hi\n{opening}\n") == (
        "." + answer,
        reasoning.strip(),
    )


@pytest.mark.parametrize(("opening", "closing"), MARKERS)
@given(answer=WORDS, cuts=CUTS)
def test_a_marker_in_mid_text_stays_text(
    opening: str, closing: str, answer: str, cuts: list[int]
) -> None:
    whole = f"Use {opening}{answer}{closing} tags."
    assert read(whole, cuts) == (whole, "")


@pytest.mark.parametrize(("opening", "closing"), MARKERS)
@given(cuts=CUTS)
def test_reasoning_that_is_never_closed_is_reasoning(
    opening: str, closing: str, cuts: list[int]
) -> None:
    assert read(f"{opening}Let me see{closing[:-1]}", cuts) == ("", f"Let me see{closing[:-1]}")


@given(CUTS)
def test_a_stop_string_in_the_reasoning_stops_nothing(cuts: list[int]) -> None:
    found = read("<think>one END two</think>three END four", cuts, ("END",))
    assert found == ("three ", "one END two")


@pytest.mark.parametrize("answer", ["<", "<thi", "  <think", "[TH", " \n"])
def test_what_only_began_like_a_marker_is_text(answer: str) -> None:
    assert read(answer, []) == (answer, "")


@given(st.booleans(), st.booleans(), CUTS)
def test_channels_are_reasoning_until_the_final_one(
    is_in_tokens: bool, has_two: bool, cuts: list[int]
) -> None:
    """gpt-oss spells its channels with control tokens and plain words between them."""
    commentary = "<|end|><|start|>assistant<|channel|>commentary<|message|>And." * has_two
    answer = (
        f"<|channel|>analysis<|message|>Think.{commentary}"
        "<|end|><|start|>assistant<|channel|>final<|message|>The answer."
    )
    expected = ("The answer.", "Think." + "And." * has_two)
    if not is_in_tokens:
        assert read(answer, cuts) == expected
        return
    text = AnswerText(ByteTokenizer())
    names = {"<|channel|>": CHANNEL, "<|message|>": MESSAGE, "<|start|>": START}
    for token in _with_control_tokens(answer, names | {"<|end|>": CHANNEL_END}):
        text.push(token)
    text.finish()
    assert (text.text, text.reasoning) == expected


def _with_control_tokens(text: str, names: dict[str, int]) -> list[int]:
    tokens: list[int] = []
    while text:
        name = next((name for name in names if text.startswith(name)), None)
        tokens.append(names[name] if name else ord(text[0]))
        text = text[len(name or " ") :]
    return tokens


def test_control_tokens_are_never_text() -> None:
    text = AnswerText(ByteTokenizer())
    for token in (ord("a"), CHANNEL, MESSAGE, 256, ord("b")):
        text.push(token)
    text.finish()
    assert text.text == "ab"


# ── repetition ──────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.integers(0, 50), max_size=200),
    st.lists(st.integers(0, 50), min_size=1, max_size=120),
)
def test_a_tail_that_goes_round_is_found_whatever_came_before(
    before: list[int], cycle: list[int]
) -> None:
    rounds = max(5, -(-64 // len(cycle)) + 1)
    assert is_repeating(before + cycle * rounds)
    assert is_repeating(before + cycle * rounds + cycle[: len(cycle) // 2])


@pytest.mark.parametrize("length", [1, 2, 7, 16, 31, 64, 128])
def test_a_cycle_counts_from_the_fourth_round_and_64_tokens_on(length: int) -> None:
    cycle = list(range(length))
    enough = max(64, 4 * length)
    tokens = [999, *(cycle * enough)[:enough]]
    assert is_repeating(tokens)
    assert not is_repeating(tokens[:-1])


@given(st.lists(st.integers(0, 3), max_size=63))
def test_short_answers_never_repeat(tokens: list[int]) -> None:
    assert not is_repeating(tokens)


def test_a_table_of_similar_rows_does_not_repeat(starter_engine: LocalEngine) -> None:
    table = "".join(f"| {row} | item {row} | yes | 0.00 |\n" for row in range(40))
    tokens = starter_engine.tokenize(table)
    assert len(tokens) > 500
    assert not any(is_repeating(tokens[:size]) for size in range(1, len(tokens), 16))
