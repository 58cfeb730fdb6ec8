"""Long texts in pieces: the same tokens as in one call, counted for the same parts."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
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


def test_a_long_text_is_cut_and_a_short_one_is_not() -> None:
    line = "one line of text\n"
    recorder = Recorder()
    text = line * (4 * long_texts.PIECE // len(line))
    assert LongTexts(recorder).tokenize(text) == list(text.encode())
    assert max(map(len, recorder.texts)) < 2 * long_texts.PIECE
    assert len([text for text in recorder.texts if len(text) > long_texts.PIECE / 2]) == 4
    recorder.texts.clear()
    LongTexts(recorder).tokenize(line)
    assert recorder.texts == [line]


def test_a_text_without_a_place_to_cut_is_tokenized_in_one_call() -> None:
    for text in ("x" * 4 * long_texts.PIECE, "\n" * 4 * long_texts.PIECE):
        recorder = Recorder()
        LongTexts(recorder).tokenize(text)
        assert recorder.texts == [text]


def test_a_tokenizer_that_puts_a_blank_before_a_text_is_left_alone() -> None:
    class Blank(Recorder):
        def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
            return [32, *super().tokenize(text, has_control_tokens=has_control_tokens)]

    text = "one line of text\n" * (4 * long_texts.PIECE // 17)
    assert LongTexts(Blank()).tokenize(text) == [32, *text.encode()]


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
