"""The tokenizers of model folders: every kind by hand, the starter's real one, and broken ones."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_tokenizers as tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from assistant.backends.base import ModelSpec
from assistant.backends.control_tokens import ControlTokens, Stretch
from assistant.backends.huggingface.tokenizer import HuggingFaceTokenizer, load_tokenizer
from assistant.backends.llamacpp import LlamaCppBackend
from assistant.backends.llamacpp_tokenizer import LlamaCppTokenizer
from assistant.errors import ModelError, PromptTooLong, UsageError

BYTE_LEVEL_FIRST = 258  # the id of the first added token of tiny.byte_level
OF_KIND = {
    kind: HuggingFaceTokenizer(make(), special_texts=tiny.TEXTS[kind])
    for kind, make in tiny.KINDS.items()
}
kinds = pytest.mark.parametrize("kind", tiny.KINDS)


@pytest.fixture(scope="module")
def starter(torch_starter_folder: Path) -> HuggingFaceTokenizer:
    return load_tokenizer(torch_starter_folder)


@pytest.fixture(scope="module")
def native_starter(starter_spec: ModelSpec) -> Iterator[LlamaCppTokenizer]:
    backend = LlamaCppBackend(starter_spec, lambda _loading: True)
    yield backend.tokenizer
    backend.close()


def spelt(tokenizer: HuggingFaceTokenizer, ids: list[int]) -> bytes:
    return b"".join(tokenizer.piece(token) for token in ids)


def write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value))


# ── text and bytes ──────────────────────────────────────────────────────────────────────────

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
spellings = (
    "<|im_start|> <|im_end|> <think> <mask> <tool> <extra_id_0> </s> <s> <unk> <pad> <|pad|>"
)
markers = st.sampled_from([*"<|>/ _\ns", "im_end", "<0x41>", "<br>", "    ", *spellings.split()])
text_of_markers = st.lists(markers, max_size=12).map("".join)


@pytest.mark.parametrize("kind", ["byte_level", "roberta"])
@given(text=st.one_of(any_text, text_of_markers))
def test_text_survives_bytes_as_letters(kind: str, text: str) -> None:
    tokenizer = OF_KIND[kind]
    assert spelt(tokenizer, tokenizer.tokenize(text)).decode() == text


@given(text=st.one_of(any_text, text_of_markers).map(lambda text: text.replace("▁", "")))
def test_text_survives_pieces_with_byte_tokens(text: str) -> None:
    tokenizer = OF_KIND["llama"]
    expected = f" {text}" if text else ""
    assert spelt(tokenizer, tokenizer.tokenize(text)).decode() == expected


@given(text=st.text(st.sampled_from("abcehlost</>_xrdpunk01234 "), max_size=40))
def test_text_survives_unigrams(text: str) -> None:
    tokenizer = OF_KIND["t5"]
    added = "" if not text or text.startswith(" ") else " "
    assert spelt(tokenizer, tokenizer.tokenize(text)).decode() == added + text


@kinds
@given(text=st.one_of(any_text, text_of_markers))
def test_text_never_becomes_a_control_token(kind: str, text: str) -> None:
    tokenizer = OF_KIND[kind]
    unknown = tokenizer.control_tokens.get("<unk>")  # rightly, for what no word fits
    found = set(tokenizer.tokenize(text)) & set(tokenizer.control_tokens.values())
    assert found <= {unknown}


@kinds
def test_control_tokens_come_from_text_only_when_asked(kind: str) -> None:
    tokenizer = OF_KIND[kind]
    assert len(tokenizer.control_tokens) >= 4
    for spelling, token in tokenizer.control_tokens.items():
        assert token not in tokenizer.tokenize(f"a {spelling} b")
        assert token not in tokenizer.tokenize(spelling)
        assert tokenizer.tokenize(spelling, has_control_tokens=True) == [token]
        assert tokenizer.piece(token) == spelling.encode()


@kinds
def test_pieces_are_the_bytes_of_a_token(kind: str) -> None:
    tokenizer = OF_KIND[kind]
    examples: dict[str, dict[int, bytes]] = {
        "byte_level": {256: b"he", 257: b" he", 262: b"    ", tiny.ALPHABET.index("Ċ"): b"\n"},
        "roberta": {0: b"<s>", 4 + tiny.ALPHABET.index("Ģ"): b"\x80", 260: b"<mask>"},
        "llama": {0: b"<unk>", 3: b"\x00", 3 + 0xE9: b"\xe9", 259: b" ", 273: b" he"},
        "t5": {1: b"</s>", 3: b" ", 4: b" he", 5: b"a", 31: b"<extra_id_0>"},
    }
    for token, expected in examples[kind].items():
        assert tokenizer.piece(token) == expected


@kinds
def test_an_id_outside_the_vocabulary_is_refused(kind: str) -> None:
    tokenizer = OF_KIND[kind]
    for token in (-1, tokenizer.vocabulary_size, 2**31, 2**70):
        with pytest.raises(UsageError, match="there is no token"):
            tokenizer.piece(token)


def test_ordinary_added_tokens_are_found_in_any_text() -> None:
    tokenizer = OF_KIND["byte_level"]
    blanks, html = BYTE_LEVEL_FIRST + 4, BYTE_LEVEL_FIRST + 5
    assert tokenizer.tokenize(f"a{tiny.BLANKS}b")[1] == blanks
    assert tokenizer.tokenize("a<br>b")[1] == html
    assert {blanks, html}.isdisjoint(tokenizer.control_tokens.values())


def test_nothing_stands_before_or_after_a_text() -> None:
    for kind in ("roberta", "t5"):
        ids = OF_KIND[kind].tokenize("he", has_control_tokens=True)
        assert set(ids).isdisjoint(OF_KIND[kind].control_tokens.values())


@pytest.mark.parametrize(
    ("kind", "frame"), [("t5", ((), (1,))), ("roberta", ((0,), (2,))), ("llama", ((), ()))]
)
def test_a_frame_is_what_the_tokenizer_puts_around_a_text(kind: str, frame: object) -> None:
    make = tiny.KINDS[kind]
    assert HuggingFaceTokenizer(make(), special_texts={}, framed=True).frame == frame
    assert HuggingFaceTokenizer(make(), special_texts={}).frame == ((), ())


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    tokenizer = OF_KIND["byte_level"]
    assert spelt(tokenizer, tokenizer.tokenize("a\ud800b")) == b"a?b"
    assert spelt(tokenizer, tokenizer.tokenize("\udfff", has_control_tokens=True)) == b"?"


def test_a_text_over_8_mib_is_refused() -> None:
    with pytest.raises(PromptTooLong, match="8,388,610 bytes"):
        OF_KIND["byte_level"].tokenize("é" * (4 * 2**20 + 1))


def test_limits_stored_in_the_file_are_switched_off(tmp_path: Path) -> None:
    source = tiny.byte_level()
    source.enable_truncation(3)
    source.enable_padding(length=50, pad_id=260, pad_token="<|pad|>")
    tokenizer = load_tokenizer(tiny.save(source, tmp_path))
    for has_control_tokens in (False, True):
        ids = tokenizer.tokenize("abcdefgh", has_control_tokens=has_control_tokens)
        assert spelt(tokenizer, ids) == b"abcdefgh"
    source = tiny.t5()
    source.enable_padding(length=50, pad_id=0, pad_token="<pad>")
    source.enable_truncation(1)
    assert HuggingFaceTokenizer(source, special_texts={}, framed=True).frame == ((), (1,))


def test_what_a_control_token_swallows_is_told() -> None:
    tokenizer = OF_KIND["byte_level"]
    assert tokenizer.strips_around(BYTE_LEVEL_FIRST) == (False, False)
    assert tokenizer.strips_around(BYTE_LEVEL_FIRST + 2) == (False, True)
    assert tokenizer.strips_around(5) == (False, False)
    assert OF_KIND["roberta"].strips_around(260) == (True, False)
    for token in (BYTE_LEVEL_FIRST, BYTE_LEVEL_FIRST + 2):
        text = f"a{tokenizer.piece(token).decode()}  b"
        after = tokenizer.tokenize(text, has_control_tokens=True)[2:]
        assert spelt(tokenizer, after) == (b"b" if tokenizer.strips_around(token)[1] else b"  b")


def test_the_threads_beside_it_go_on() -> None:
    text = "def he(x):\n    return x\n" * 60_000  # tokenised in more than a second
    pauses, done = [0.0], threading.Event()

    def tick() -> None:
        before = time.perf_counter()
        while not done.wait(0.001):
            before, last = time.perf_counter(), before
            pauses.append(before - last)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    OF_KIND["byte_level"].tokenize(text)
    seconds = time.perf_counter() - start
    done.set()
    thread.join()
    assert max(pauses) < seconds / 2


# ── what steers the model ───────────────────────────────────────────────────────────────────


def test_special_tokens_are_hidden_and_markers_are_not() -> None:
    tokenizer = OF_KIND["byte_level"]
    control = {"<|im_start|>": 258, "<|im_end|>": 259, "<|pad|>": 260, "<think>": 261}
    assert dict(tokenizer.control_tokens) == control
    assert tokenizer.hidden_tokens == {258, 259, 260}
    assert tokenizer.ends_answer == {259}


def added(*spellings: str, special: bool = True) -> Tokenizer:
    made = tiny.byte_level()
    make = tiny.special if special else tiny.plain
    made.add_tokens([make(text) for text in spellings])
    return made


def ends(source: Tokenizer, ids: tuple[int, ...] = ()) -> set[str]:
    tokenizer = HuggingFaceTokenizer(source, special_texts={}, ends=ids)
    assert tokenizer.ends_answer <= tokenizer.hidden_tokens
    assert tokenizer.hidden_tokens <= set(tokenizer.control_tokens.values())
    return {tokenizer.piece(token).decode() for token in tokenizer.ends_answer} - {"<|im_end|>"}


@pytest.mark.parametrize(
    ("spellings", "expected"),
    [
        (["<|eot_id|>", "<|eom_id|>", "<|user|>"], {"<|eot_id|>", "<|eom_id|>"}),
        (["<end_of_turn>", "<start_of_turn>"], {"<end_of_turn>"}),
        (["<|end|>", "<|return|>"], {"<|end|>", "<|return|>"}),
        (["<|end|>", "<|return|>", "<|call|>"], {"<|return|>", "<|call|>"}),
        (["</s>", "<s>", "<|tool_response>"], {"<|tool_response>"}),
        (["<fim_pad>", "<fim_prefix>", "<|file_sep|>"], {"<fim_pad>", "<|file_sep|>"}),
    ],
)
def test_ends_are_known_by_their_spelling(spellings: list[str], expected: set[str]) -> None:
    assert ends(added(*spellings)) == expected
    assert ends(added(*spellings, special=False)) == expected  # then they are hidden all the same


def test_ends_are_those_that_the_model_names() -> None:
    assert ends(added("<|over|>")) == set()
    assert ends(added("<|over|>"), (264,)) == {"<|over|>"}
    assert ends(added("<|over|>", special=False), (264,)) == {"<|over|>"}
    assert ends(added(), (256, 2**31 - 1, 999_999)) == set()  # a word, and none at all


def test_names_make_tokens_special(tmp_path: Path) -> None:
    vocab = {**{letter: at for at, letter in enumerate(tiny.ALPHABET)}, "<|end|>": 256}
    made = Tokenizer(models.BPE(vocab, []))
    made.decoder = decoders.ByteLevel()
    texts = {"eos_token": "<|end|>", "pad_token": "!", "bos_token": "<nowhere>"}
    tokenizer = HuggingFaceTokenizer(made, special_texts=texts)
    assert dict(tokenizer.control_tokens) == {"<|end|>": 256}
    assert tokenizer.ends_answer == {256}
    assert dict(tokenizer.special_texts) == {"eos_token": "<|end|>", "pad_token": "!"}
    assert spelt(tokenizer, tokenizer.tokenize("!<|end|>")) == b"!<|end|>"


# ── the files of a folder ───────────────────────────────────────────────────────────────────

CONFIG: dict[str, Any] = {"model_type": "llama", "vocab_size": 264, "eos_token_id": 258}


def test_a_folder_says_which_tokens_end_an_answer(tmp_path: Path) -> None:
    tiny.save(added("<|a|>", "<|b|>"), tmp_path)
    config = {"model_type": "x", "eos_token_id": [264, True, -1, "7"]}
    write_json(tmp_path / "config.json", {**config, "text_config": {"eos_token_id": 258}})
    assert load_tokenizer(tmp_path).ends_answer == {258, 259, 264}
    write_json(tmp_path / "generation_config.json", {"eos_token_id": 265})
    assert load_tokenizer(tmp_path).ends_answer == {258, 259, 264, 265}


def test_special_texts_come_from_three_places(tmp_path: Path) -> None:
    tiny.save(tiny.byte_level(), tmp_path)
    write_json(tmp_path / "config.json", {**CONFIG, "bos_token_id": 258, "pad_token_id": 259})
    by_id = {"eos_token": "<|im_start|>", "bos_token": "<|im_start|>", "pad_token": "<|im_end|>"}
    assert dict(load_tokenizer(tmp_path).special_texts) == by_id
    write_json(tmp_path / "special_tokens_map.json", {"eos_token": {"content": "<|im_end|>"}})
    assert load_tokenizer(tmp_path).special_texts["eos_token"] == "<|im_end|>"
    settings = {"eos_token": "<|pad|>", "unk_token": None, "sep_token": "<missing>", "x": 1}
    write_json(tmp_path / "tokenizer_config.json", settings)
    found = dict(load_tokenizer(tmp_path).special_texts)
    assert found == {**by_id, "eos_token": "<|pad|>"}
    assert 260 in load_tokenizer(tmp_path).ends_answer


def test_added_tokens_beyond_the_model_are_left_out(tmp_path: Path) -> None:
    tiny.save(added("<|late|>"), tmp_path)
    assert load_tokenizer(tmp_path).vocabulary_size == 265
    write_json(tmp_path / "config.json", CONFIG)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.vocabulary_size == 264
    assert "<|late|>" not in tokenizer.control_tokens
    assert max(tokenizer.tokenize("<|late|>", has_control_tokens=True)) < 256
    write_json(tmp_path / "config.json", {**CONFIG, "vocab_size": 300})
    assert load_tokenizer(tmp_path).vocabulary_size == 265  # the rest means nothing


def test_a_tokenizer_with_more_words_than_the_model_is_refused(tmp_path: Path) -> None:
    tiny.save(tiny.byte_level(), tmp_path)
    write_json(tmp_path / "config.json", {**CONFIG, "vocab_size": 257})
    with pytest.raises(ModelError, match="knows 258 words and the model 257"):
        load_tokenizer(tmp_path)


def test_holes_in_a_vocabulary_are_empty() -> None:
    vocab = {letter: 2 * at for at, letter in enumerate(tiny.ALPHABET)}
    made = Tokenizer(models.BPE(vocab, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = HuggingFaceTokenizer(made, special_texts={})
    assert tokenizer.vocabulary_size == 511
    assert tokenizer.piece(1) == b""
    assert spelt(tokenizer, tokenizer.tokenize("é!")) == "é!".encode()


def with_decoder(decoder: Any) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        made = tiny.byte_level()
        made.decoder = decoder
        tiny.save(made, folder)

    return write


def write_text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def huge(folder: Path) -> None:
    with (folder / "tokenizer.json").open("wb") as file:
        file.truncate(300 << 20)


def with_part(name: str, part: object) -> Callable[[Path], object]:
    whole = json.loads(tiny.byte_level().to_str())
    return lambda folder: write_json(folder / "tokenizer.json", {**whole, name: part})


# Rust code gives up here, which is no Exception in Python.
PANIC = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (write_text("tokenizer.json", "{"), "EOF"),
        (write_text("tokenizer.json", "[]"), "cannot be used"),
        (write_text("tokenizer.json", '{"model": {"type": "New"}}'), "cannot be used"),
        (write_text("tokenizer.json", '{"model":' * 100_000), "recursion limit"),
        (with_part("normalizer", PANIC), "Cannot parse precompiled_charsmap"),
        (lambda folder: (folder / "tokenizer.json").mkdir(), "not a regular file"),
        (huge, "314,572,800 bytes long"),
        (with_part("model", {"type": "BPE", "vocab": {}, "merges": [["a", "b"]]}), "vocabulary"),
        (with_part("model", {"type": "BPE", "vocab": {}, "merges": []}), "knows 0 words"),
        (write_text("config.json", "nonsense"), "config.json is not JSON"),
        (write_text("config.json", '{"model_type": "llama", "vocab_size": -1}'), "vocab_size"),
        (write_text("tokenizer_config.json", "[1]"), "tokenizer_config.json is not a JSON object"),
        (with_decoder(decoders.WordPiece()), r"decoder \(WordPiece\)"),
        (with_decoder(decoders.BPEDecoder()), r"decoder \(BPEDecoder\)"),
        (with_decoder(decoders.Replace("▁", "_")), r"decoder \(Replace\)"),
        (with_decoder(decoders.Sequence([])), r"decoder \(none\)"),
    ],
)
def test_broken_files_are_refused(
    tmp_path: Path, damage: Callable[[Path], object], reason: str
) -> None:
    tiny.save(tiny.byte_level(), tmp_path)
    if reason == "not a regular file":
        (tmp_path / "tokenizer.json").unlink()
    damage(tmp_path)
    with pytest.raises(ModelError, match=reason) as refused:
        load_tokenizer(tmp_path)
    assert "\n" not in refused.value.message
    assert refused.value.hint


def test_a_character_that_cannot_be_read_is_told() -> None:
    made = Tokenizer(models.Unigram([("▁", -1.0), ("a", -1.0)]))
    made.decoder = decoders.Metaspace()
    tokenizer = HuggingFaceTokenizer(made, special_texts={})
    assert tokenizer.tokenize("a") == [1]
    with pytest.raises(ModelError, match="cannot read this text"):
        tokenizer.tokenize("é")


def test_rust_code_that_gives_up_ends_nothing(tmp_path: Path) -> None:
    with_part("pre_tokenizer", {"type": "FixedLength", "length": 0})(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    with pytest.raises(ModelError, match="chunk size"):
        tokenizer.tokenize("a")


# ── folders without a tokenizer.json ────────────────────────────────────────────────────────


def test_an_old_folder_is_converted(tmp_path: Path) -> None:
    words = {letter: at for at, letter in enumerate([*tiny.ALPHABET, "he", "Ġhe", "<|endoftext|>"])}
    write_json(tmp_path / "vocab.json", words)
    (tmp_path / "merges.txt").write_text("#version: 0.2\nh e\nĠ he\n")
    write_json(tmp_path / "config.json", {"model_type": "gpt2", "vocab_size": 259})
    write_json(tmp_path / "tokenizer_config.json", {"tokenizer_class": "GPT2Tokenizer"})
    tokenizer = load_tokenizer(tmp_path)
    text = "she said: he <|endoftext|>\n"
    assert tokenizer.tokenize("he he") == [256, 257]
    assert spelt(tokenizer, tokenizer.tokenize(text)) == text.encode()
    assert tokenizer.special_texts["eos_token"] == "<|endoftext|>"
    assert tokenizer.ends_answer == {258}


def test_a_tokenizer_in_plain_python_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"model_type": "t5", "vocab_size": 384})
    write_json(tmp_path / "tokenizer_config.json", {"tokenizer_class": "ByT5Tokenizer"})
    with pytest.raises(ModelError, match=r"ByT5Tokenizer.* has no fast version"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.model", "spiece.model"])
def test_a_sentencepiece_model_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x0a\x0e\x0a\x05junk")
    write_json(tmp_path / "config.json", {"model_type": "t5"})
    write_json(tmp_path / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer"})
    with pytest.raises(ModelError, match="tokenizer") as refused:
        load_tokenizer(tmp_path)
    assert "\n" not in refused.value.message


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be used"):
        load_tokenizer(tmp_path)


# ── the starter, beside llama.cpp ───────────────────────────────────────────────────────────


def test_the_starter_is_what_it_is_on_llamacpp(
    starter: HuggingFaceTokenizer, native_starter: LlamaCppTokenizer
) -> None:
    assert starter.vocabulary_size == native_starter.vocabulary_size
    assert dict(starter.control_tokens) == dict(native_starter.control_tokens)
    assert starter.hidden_tokens == native_starter.hidden_tokens
    assert starter.ends_answer == native_starter.ends_answer
    texts = dict(starter.special_texts)
    assert texts.pop("unk_token") == "<|endoftext|>"  # which llama.cpp does not tell
    assert texts == dict(native_starter.special_texts)
    for token in range(starter.vocabulary_size):
        assert starter.piece(token) == native_starter.piece(token)


chat_markers = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>", "user\n", "\n", " "]
code = st.text(st.sampled_from("aZ09é½中🦙 \n\t.,'\"(){}[]<>|_-=+#\u0301\u00a0\u200b"), max_size=60)


@settings(max_examples=300)
@given(text=st.one_of(any_text, code, st.lists(st.one_of(st.sampled_from(chat_markers), code))))
def test_the_starter_reads_as_on_llamacpp(
    starter: HuggingFaceTokenizer, native_starter: LlamaCppTokenizer, text: str | list[str]
) -> None:
    text = text if isinstance(text, str) else "".join(text)
    assert starter.tokenize(text) == native_starter.tokenize(text)
    with_control = starter.tokenize(text, has_control_tokens=True)
    assert with_control == native_starter.tokenize(text, has_control_tokens=True)


@given(text=st.one_of(code, text_of_markers))
def test_a_message_never_becomes_a_control_token(starter: HuggingFaceTokenizer, text: str) -> None:
    control = ControlTokens(starter)
    whole = f"<|im_start|>user\n{text}<|im_end|>\n"
    open_stretches = [Stretch(0, 17), Stretch(17 + len(text), len(whole))]
    runs = control.tokenize(whole, control.find(whole, open_stretches), [])
    ids = [token for run in runs for token in run.token_ids]
    assert [token for token in ids if token in control.ids] == [1, 2]
    assert spelt(starter, ids).decode() == whole


def test_two_loads_share_nothing_that_changes(torch_starter_folder: Path) -> None:
    first, second = load_tokenizer(torch_starter_folder), load_tokenizer(torch_starter_folder)
    assert first.tokenize("<|im_end|>", has_control_tokens=True) == [2]
    assert second.tokenize("<|im_end|>") == first.tokenize("<|im_end|>") != [2]


def test_normalised_text_never_becomes_a_control_token() -> None:
    made = tiny.t5()
    made.normalizer = normalizers.NFKC()
    tokenizer = HuggingFaceTokenizer(made, special_texts=tiny.TEXTS["t5"])
    assert 1 not in tokenizer.tokenize("＜/s＞")
    assert spelt(tokenizer, tokenizer.tokenize("＜/s＞")) == b" </s>"
