"""Long texts in pieces: the same tokens as in one call, counted for the same parts."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from conftest import SCALE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vocabulary import ByteTokenizer, Vocabulary

from assistant.backends import long_texts
from assistant.backends.chat_template import ChatTemplate
from assistant.backends.long_texts import LongTexts
from assistant.engine.local import LocalEngine
from assistant.messages import ChatPrompt, Message, Part, Role

SIMPLE = "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}<s>"
HERE = [path.read_text() for path in sorted(Path(__file__).parent.glob("test_*.py"))]
NAMES = ("qwen2", "qwen35", "llama-bpe", "deepseek-coder", "refact", "phi-3")
PIECES = st.sampled_from(
    ["def f(x):", "\n", "\n\n", "    ", "\t", "word", " word", "'s", "123", "4567", "}", ");", "é",
     "你好", "\r\n", " \n", "\n x", "\nFoo", "<s>", "<|im_start|>", "...", "\u3000", "🙂"]
)  # fmt: skip
_opened: dict[str, Vocabulary] = {}


@pytest.fixture(params=NAMES)
def vocabulary(request: pytest.FixtureRequest, shared_data: Path) -> Vocabulary:
    name = request.param
    if name not in _opened:
        _opened[name] = Vocabulary(shared_data / "vocabularies" / f"ggml-vocab-{name}.gguf")
    return _opened[name]


class Recorder(ByteTokenizer):
    """Remembers the texts that it was given."""

    def __init__(self) -> None:
        super().__init__(["<s>", "</s>"])
        self.texts: list[str] = []

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        self.texts.append(text)
        return super().tokenize(text, has_control_tokens=has_control_tokens)


def test_pieces_give_the_tokens_of_one_call(
    vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_texts, "PIECE", 100)
    for text in HERE:
        for has_control_tokens in (False, True):
            whole = vocabulary.tokenize(text, has_control_tokens=has_control_tokens)
            pieces = LongTexts(vocabulary).tokenize(text, has_control_tokens=has_control_tokens)
            assert pieces == whole


@settings(max_examples=150)
@given(st.lists(PIECES, min_size=20, max_size=120).map("".join), st.booleans())
def test_any_text_gives_the_tokens_of_one_call(
    starter_engine: LocalEngine, text: str, has_control_tokens: bool
) -> None:
    tokenizer = _StarterTokenizer(starter_engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_texts, "PIECE", 12)
        patch.setattr(long_texts, "WINDOW", 40)
        pieces = LongTexts(tokenizer).tokenize(text, has_control_tokens=has_control_tokens)
    assert pieces == tokenizer.tokenize(text, has_control_tokens=has_control_tokens)


class _StarterTokenizer(ByteTokenizer):
    def __init__(self, engine: LocalEngine) -> None:
        super().__init__(["<s>"])
        self._engine = engine

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        return self._engine.tokenize(text, has_control_tokens=has_control_tokens)


@settings(
    max_examples=int(60 + 240 * SCALE), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(PIECES, min_size=10, max_size=60).map("".join),
    st.lists(st.tuples(st.integers(0, 200), st.lists(PIECES, max_size=5).map("".join)), max_size=4),
    st.booleans(),
)
def test_what_is_remembered_of_a_text_changes_no_token_of_the_next(
    vocabulary: Vocabulary, text: str, edits: list[tuple[int, str]], has_control_tokens: bool
) -> None:
    """The text grows, shrinks and changes in any place, as while it is typed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_texts, "PIECE", 12)
        patch.setattr(long_texts, "WINDOW", 40)
        patch.setattr(long_texts, "REMEMBERED", 300)
        texts = LongTexts(vocabulary)
        for place, new in [(0, ""), *edits, (0, "")]:
            text = text[:place] + new + text[place + len(new) // 2 :]
            found = texts.tokenize(text, has_control_tokens=has_control_tokens)
            assert found == vocabulary.tokenize(text, has_control_tokens=has_control_tokens)


def numbered_lines(characters: int) -> str:
    return "".join(f"one line of text {number}\n" for number in range(characters // 22))


def test_a_long_text_is_cut_and_a_short_one_is_not() -> None:
    recorder = Recorder()
    text = numbered_lines(4 * long_texts.PIECE)
    assert LongTexts(recorder).tokenize(text) == list(text.encode())
    assert max(map(len, recorder.texts)) < 2 * long_texts.PIECE
    assert len([text for text in recorder.texts if len(text) > long_texts.PIECE / 2]) == 4
    recorder.texts.clear()
    LongTexts(recorder).tokenize(text[:1000])
    assert recorder.texts == [text[:1000]]


def test_only_what_changed_is_tokenized_again() -> None:
    recorder = Recorder()
    texts, text = LongTexts(recorder), numbered_lines(20 * long_texts.PIECE)
    texts.tokenize(text)
    recorder.texts.clear()
    texts.tokenize(text)
    assert recorder.texts == []
    for typed in ("w", "wh", "why"):
        assert texts.tokenize(text + typed) == list((text + typed).encode())
    assert sum(map(len, recorder.texts)) < 3 * 2 * long_texts.PIECE


def test_what_is_remembered_is_bounded() -> None:
    recorder = Recorder()
    texts = LongTexts(recorder)
    for number in range(40):
        texts.tokenize(numbered_lines(20 * long_texts.PIECE).replace("one", str(number)))
    kept = list(texts._pieces._values)
    assert sum(len(text) for text, _, _ in kept) > long_texts.REMEMBERED / 2
    assert sum(len(text) for text, _, _ in kept) <= long_texts.REMEMBERED


def test_a_very_long_text_is_cut_in_longer_pieces_on_all_cores() -> None:
    recorder = Recorder()
    text = numbered_lines(16 * long_texts.WORTH_SHARING)
    assert LongTexts(recorder).tokenize(text) == list(text.encode())
    pieces = [text for text in recorder.texts if len(text) > 2 * long_texts.WINDOW]
    assert len(pieces) <= long_texts.MOST_PIECES


def test_a_text_without_a_place_to_cut_is_tokenized_in_one_call() -> None:
    for text in ("x" * 4 * long_texts.PIECE, "\n" * 4 * long_texts.PIECE):
        recorder = Recorder()
        LongTexts(recorder).tokenize(text)
        assert [asked for asked in recorder.texts if len(asked) > 1] == [text]


class Padding(Recorder):
    """Puts a blank before a text, as SentencePiece does; with `glues` into its first token."""

    def __init__(self, *, glues: bool = False) -> None:
        super().__init__()
        self.first = 1000 if glues else 32

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        return [self.first, *super().tokenize(text, has_control_tokens=has_control_tokens)]

    def piece(self, token_id: int) -> bytes:
        return b" _" if token_id == 1000 else super().piece(token_id)


def test_the_blank_before_a_text_is_there_once() -> None:
    recorder = Padding()
    text = numbered_lines(20 * long_texts.PIECE).replace("\n", "\n\n")
    texts = LongTexts(recorder)
    assert texts.tokenize(text) == [32, *text.encode()]
    assert max(map(len, recorder.texts)) < 2 * long_texts.PIECE
    assert texts.tokenize(text + "x") == [32, *text.encode(), *b"x"]


def test_a_tokenizer_that_drops_blank_lines_may_give_no_token_for_a_piece() -> None:
    class Dropping(Padding):
        def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
            words = " ".join(text.split())
            return super().tokenize(words, has_control_tokens=has_control_tokens) if words else []

    text = "word" * long_texts.PIECE + "\n" * 3 * long_texts.PIECE
    assert LongTexts(Dropping()).tokenize(text) == [32, *b"word" * long_texts.PIECE]


def test_a_tokenizer_whose_tokens_do_not_stand_apart_is_left_alone() -> None:
    recorder = Padding(glues=True)
    text = numbered_lines(20 * long_texts.PIECE)
    assert LongTexts(recorder).tokenize(text) == [1000, *text.encode()]
    assert text in recorder.texts


def test_tokens_of_many_parts_belong_to_the_part_of_their_first_byte(
    vocabulary: Vocabulary,
) -> None:
    texts = [text[at : at + 7 + at % 11] for text in HERE[:2] for at in range(0, 2_000, 40)]
    parts = tuple(Part(text, f"part {number}") for number, text in enumerate(texts))
    prompt = ChatPrompt((Message(Role.USER, parts),), date(2024, 2, 29))
    rendered = ChatTemplate("{{ messages[0].content }}", vocabulary).render(prompt)
    owners = [f"part {number}" for number, text in enumerate(texts) for _ in text.encode()]
    blanks = len("".join(texts).encode()) - len("".join(texts).lstrip().encode())
    at, expected = blanks, Counter[str]()
    spelt = b"".join(map(vocabulary.piece, rendered.token_ids)).decode()
    at -= spelt.startswith(" ") and not rendered.text.startswith(" ")
    for token in rendered.token_ids:
        expected[owners[max(at, blanks)]] += 1
        at += len(vocabulary.piece(token))
    counted = {part.source: part.tokens for part in rendered.parts if part.tokens}
    assert counted == dict(expected)
