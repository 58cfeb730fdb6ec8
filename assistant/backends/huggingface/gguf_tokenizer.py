"""The tokenizer of a GGUF file as the files of a model folder.

transformers makes it, and loses some of what the file says: which tokens steer the model, how
text is split before it is merged, whether a blank is put in front. All of that is mended here.
Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer
"""

import json
import re
import struct
from collections.abc import Set
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import transformers

from assistant.errors import ModelError
from assistant.model_store.gguf_file import GgufFile
from assistant.model_store.gguf_header import ARRAY, SCALARS, STRING

UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4  # enum llama_token_type
SPECIAL = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
    "sep_token": "seperator_token_id",  # spelt so in the format
}
ENDS = ("eos_token_id", "eot_token_id", "eom_token_id")
SENTINEL = re.compile(r"<extra_id_\d+>")  # of T5


def write_tokenizer(file: GgufFile, folder: Path) -> None:
    """tokenizer.json, tokenizer_config.json and the chat template, exactly as the file has it.

    Raises `ModelError` when the file's way to split text is unknown.
    """
    words = _read_words(file.path)
    made = transformers.PreTrainedTokenizerFast.from_pretrained(
        file.path.parent, gguf_file=file.path.name, local_files_only=True, trust_remote_code=False
    )
    whole = json.loads(made.backend_tokenizer.to_str())
    _mend(whole, file, words)
    (folder / "tokenizer.json").write_text(json.dumps(whole, ensure_ascii=False), "utf-8")
    texts = {name: _word_at(file, words, key) for name, key in SPECIAL.items()}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    config |= {name: text for name, text in texts.items() if text is not None}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2), "utf-8")
    if file.chat_template is not None:
        (folder / "chat_template.jinja").write_bytes(file.chat_template.encode())


def ends_of(file: GgufFile) -> list[int]:
    """Ids after which an answer is over; transformers keeps only the first."""
    found = (file.metadata.get(f"tokenizer.ggml.{key}") for key in ENDS)
    return sorted({token_id for token_id in found if isinstance(token_id, int)})


# ── what the file says ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Words:
    """The vocabulary, by id; no types where the file has none."""

    texts: list[str]
    types: list[int]

    def of_type(self, *types: int) -> list[int]:
        return [token_id for token_id, kind in enumerate(self.types) if kind in types]


def _read_words(path: Path) -> _Words:
    """Arrays that GgufFile leaves out. Its header was checked before, so lengths are true."""
    with path.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as data:
        arrays = _Arrays(data)
        texts = arrays.read("tokenizer.ggml.tokens")
        return _Words(texts, arrays.read("tokenizer.ggml.token_type"))


class _Arrays:
    """A walk over the keys of a GGUF header for the sake of a few of them."""

    def __init__(self, data: mmap) -> None:
        self._data = data
        self._places: dict[str, int] = {}
        _, _, keys = struct.unpack_from("<4xIQQ", data)
        at = 24
        for _ in range(keys):
            key, at = self._text(at)
            self._places[key] = at
            at = self._end(at)

    def read(self, key: str) -> list[Any]:
        """Empty when the key is missing or no array."""
        at = self._places.get(key)
        kind, item, count = (0, 0, 0) if at is None else struct.unpack_from("<IIQ", self._data, at)
        if at is None or kind != ARRAY:
            return []
        at += 16
        if item != STRING:
            scalar = SCALARS[item]
            return [v for (v,) in scalar.iter_unpack(self._data[at : at + count * scalar.size])]
        texts = []
        for _ in range(count):
            text, at = self._text(at)
            texts.append(text)
        return texts

    def _text(self, at: int) -> tuple[str, int]:
        (length,) = struct.unpack_from("<Q", self._data, at)
        end = at + 8 + length
        return self._data[at + 8 : end].decode("utf-8", "replace"), end

    def _end(self, at: int) -> int:
        """Where the value ends whose type stands at this place."""
        (kind,) = struct.unpack_from("<I", self._data, at)
        if kind == STRING:
            return self._text(at + 4)[1]
        if kind != ARRAY:
            return at + 4 + SCALARS[kind].size
        item, count = struct.unpack_from("<IQ", self._data, at + 4)
        at += 16
        if item != STRING:
            return int(at + count * SCALARS[item].size)
        for _ in range(count):
            at += 8 + int(struct.unpack_from("<Q", self._data, at)[0])
        return at


def _word_at(file: GgufFile, words: _Words, key: str) -> str | None:
    token_id = file.metadata.get(f"tokenizer.ggml.{key}")
    is_known = isinstance(token_id, int) and 0 <= token_id < len(words.texts)
    return words.texts[token_id] if is_known and isinstance(token_id, int) else None


# ── mending tokenizer.json ──────────────────────────────────────────────────────────────────


def _mend(whole: dict[str, Any], file: GgufFile, words: _Words) -> None:
    whole["truncation"] = whole["padding"] = None
    kind = file.metadata.get("tokenizer.ggml.model")
    if kind == "t5":
        _mend_t5(whole, file, words)
        return
    whole["post_processor"] = None  # what stands around a text is for the chat template to say
    _mend_added(whole, words, _rstripped(file, words))
    if kind == "gpt2":
        _mend_splitting(whole, str(file.metadata.get("tokenizer.ggml.pre", "")))
    elif kind == "llama":
        has_prefix = file.metadata.get("tokenizer.ggml.add_space_prefix", True)
        _mend_blanks(whole, bool(has_prefix))


def _mend_added(whole: dict[str, Any], words: _Words, rstripped: Set[str]) -> None:
    """Exactly the tokens that the file marks, under their own ids.

    transformers adds some that the file does not have, and takes a control token for a mistake
    when it is not spelt in GPT-2's alphabet, as none of DeepSeek's is.
    """
    ids = dict.fromkeys(words.of_type(UNKNOWN, CONTROL, USER_DEFINED))
    added = {words.texts[token_id]: token_id for token_id in ids}
    old = whole["model"]["vocab"].items()
    kept = {word: i for word, i in old if i not in ids}
    vocab = whole["model"]["vocab"] = kept | added
    whole["model"]["merges"] = [
        pair
        for pair in whole["model"]["merges"]
        if {*pair, "".join(pair)} <= vocab.keys() and "".join(pair) not in added
    ]
    whole["added_tokens"] = [
        _added(i, words.texts[i], words.types[i] != USER_DEFINED, words.texts[i] in rstripped)
        for i in ids
    ]


def _added(token_id: int, text: str, special: bool, rstrip: bool = False) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": rstrip, "normalized": False}
    return {"id": token_id, "content": text, **flags, "special": special}


def _rstripped(file: GgufFile, words: _Words) -> Set[str]:
    """Control tokens that swallow blanks behind them: Phi-3's, by its name as in llama.cpp."""
    if not re.search("phi-?3", str(file.metadata.get("general.name", "")).lower()):
        return set()
    marked = words.of_type(UNKNOWN, CONTROL, USER_DEFINED)
    return {words.texts[i] for i in marked} - {"<unk>", "<s>", "<|endoftext|>"}


def _mend_blanks(whole: dict[str, Any], has_prefix: bool) -> None:
    """As llama.cpp does it: "▁" for every blank, and one before any text if the file says so."""
    steps: list[dict[str, Any]] = [{"type": "Prepend", "prepend": "▁"}] if has_prefix else []
    steps.append({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
    whole["normalizer"] = {"type": "Sequence", "normalizers": steps}
    whole["pre_tokenizer"] = None


def _mend_t5(whole: dict[str, Any], file: GgufFile, words: _Words) -> None:
    """The sentinels are control tokens, and the end stands behind every text."""
    vocab = [word for word, _ in whole["model"]["vocab"]]
    special = {*words.of_type(UNKNOWN, CONTROL)}
    special |= {i for i, word in enumerate(vocab) if SENTINEL.fullmatch(word)}
    whole["added_tokens"] = [_added(i, vocab[i], special=True) for i in sorted(special)]
    end = file.metadata.get("tokenizer.ggml.eos_token_id")
    if not isinstance(end, int) or not end < len(vocab):
        raise ModelError("it does not say which token ends a text")
    whole["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": vocab[end], "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {vocab[end]: {"id": vocab[end], "ids": [end], "tokens": [vocab[end]]}},
    }


# ── how text is split before it is merged ───────────────────────────────────────────────────


def _mend_splitting(whole: dict[str, Any], name: str) -> None:
    """The rules that go by this name (`tokenizer.ggml.pre`); transformers knows only some."""
    whole["model"]["ignore_merges"] = name in WHOLE_WORDS_FIRST
    if name in SPLITS:
        whole["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": SPLITS[name]}
    elif whole["pre_tokenizer"]["type"] != "Sequence" and name not in GPT2_SPLITS:
        raise ModelError(
            f"it splits text by rules named {name!r}, which are unknown here"
            if name
            else "it does not say by which rules it splits text"
        )


def _split(pattern: str) -> dict[str, Any]:
    isolated = {"behavior": "Isolated", "invert": False}
    return {"type": "Split", "pattern": {"Regex": pattern}, **isolated}


def _byte_level(use_regex: bool) -> dict[str, Any]:
    flags = {"add_prefix_space": False, "trim_offsets": True}
    return {"type": "ByteLevel", **flags, "use_regex": use_regex}


_DIGITS = {"type": "Digits", "individual_digits": True}
_DIGITS_AND_GPT2 = [_DIGITS, _byte_level(use_regex=True)]
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_DEEPSEEK_V3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Words that are in the vocabulary are taken whole, whatever the merges make of them.
WHOLE_WORDS_FIRST = {
    *("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"),
    *("jina-v5-nano", "tekken", "youtu", "minicpm5"),
}
GPT2_SPLITS = {
    *("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4"),
    *("gigachat", "a.x-4.0", "mellum", "modern-bert", "roberta-bpe", "jina-v2-code"),
}
# The rules are the models' own, from their tokenizer.json.
SPLITS = {
    **dict.fromkeys(
        ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
        _DIGITS_AND_GPT2,
    ),
    "mellum2": _DIGITS_AND_GPT2,
    "stablelm2": [_split(_QWEN2), _byte_level(use_regex=False)],
    "deepseek-coder": [
        _split(r"[\r\n]"),
        _split(r"\s?\p{L}+"),
        _split(r"\s?\p{P}+"),
        _split("[一-龥ࠀ-一가-퟿]+"),
        _DIGITS,
        _byte_level(use_regex=False),
    ],
    "deepseek-v3": [
        _split(r"\p{N}{1,3}"),
        _split("[一-龥぀-ゟ゠-ヿ]+"),
        _split(_DEEPSEEK_V3),
        _byte_level(use_regex=False),
    ],
}
