"""The files of a model folder that say how it reads text, checked."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers

from assistant.errors import AssistantError, ModelError
from assistant.model_store.folder_config import NESTED, parse_config
from assistant.model_store.model_files import (
    HeaderError,
    open_regular,
    parse_json_object,
    read_regular,
)

MAX_CONFIG_BYTES = 8 << 20
MAX_TOKENIZER_BYTES = 256 << 20  # Gemma's is 33 MB
# What templates and tokenizers know by name, and where config.json has its id.
SPECIAL = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unk_token_id",
    "pad_token": "pad_token_id",
    "sep_token": "sep_token_id",
}


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """`ends` are ids; `model_vocabulary` is the model's number of tokens, 0 when unknown."""

    source: tokenizers.Tokenizer
    special_texts: Mapping[str, str]
    ends: frozenset[int]
    model_vocabulary: int


def read_tokenizer_files(folder: Path) -> TokenizerFiles:
    """Raises `ModelError` when a file is broken, or no fast tokenizer can be made of them."""
    try:
        config = _read_object(folder / "config.json")
        generation = _read_object(folder / "generation_config.json")
        texts = {
            **_special_texts(_read_object(folder / "special_tokens_map.json")),
            **_special_texts(_read_object(folder / "tokenizer_config.json")),
        }
        vocabulary = parse_config(config).vocabulary_size if config else 0
        _check_size(folder / "tokenizer.json")
    except HeaderError as err:
        raise broken(folder, err) from err
    source, known = _open(folder)
    by_id = _texts_by_id(source, config)
    ends = frozenset(_ids_in(generation, "eos_token_id")) | frozenset(_ends_in(config))
    return TokenizerFiles(source, {**by_id, **known, **texts}, ends, vocabulary)


@contextmanager
def errors_as(make: Callable[[BaseException], ModelError]) -> Iterator[None]:
    """Whatever a strange file makes the libraries raise becomes a `ModelError`."""
    try:
        yield
    except AssistantError:
        raise
    except Exception as err:
        raise make(err) from err
    except BaseException as err:  # Rust code that gives up raises no Exception
        if type(err).__name__ != "PanicException":
            raise
        raise make(err) from err


def broken(folder: Path, reason: object) -> ModelError:
    words = str(reason).strip().splitlines() or [type(reason).__name__]
    return ModelError(
        f"the tokenizer in {folder} cannot be used: {words[0][:300]}",
        "download the model again, or choose another one",
    )


def _read_object(file: Path) -> dict[str, Any]:
    """Empty when there is no such file."""
    if not file.exists():
        return {}
    return parse_json_object(read_regular(file, MAX_CONFIG_BYTES), file.name)


def _check_size(file: Path) -> None:
    if not file.exists():
        return
    with open_regular(file) as (_, size_bytes):
        if size_bytes > MAX_TOKENIZER_BYTES:
            raise HeaderError(f"{file.name} is {size_bytes:,} bytes long")


def _special_texts(raw: Mapping[str, Any]) -> dict[str, str]:
    """Each is a text, or an object with its settings."""
    found = {name: raw.get(name) for name in SPECIAL}
    texts = {name: v.get("content") if isinstance(v, dict) else v for name, v in found.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str) and text}


def _ids_in(raw: Mapping[str, Any], key: str) -> Iterator[int]:
    value = raw.get(key)
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, int) and not isinstance(each, bool) and 0 <= each < 1 << 31:
            yield each


def _ends_in(config: Mapping[str, Any]) -> Iterator[int]:
    yield from _ids_in(config, "eos_token_id")
    for name in NESTED:
        if isinstance(config.get(name), dict):
            yield from _ids_in(config[name], "eos_token_id")


def _texts_by_id(source: tokenizers.Tokenizer, config: Mapping[str, Any]) -> dict[str, str]:
    """For old models, whose names of tokens are only known to transformers' own code."""
    found = {name: next(_ids_in(config, key), None) for name, key in SPECIAL.items()}
    texts = {name: source.id_to_token(i) for name, i in found.items() if i is not None}
    return {name: text for name, text in texts.items() if text}


def _open(folder: Path) -> tuple[tokenizers.Tokenizer, Mapping[str, str]]:
    """The Rust tokenizer, and special texts that only transformers knows."""
    file = folder / "tokenizer.json"
    with errors_as(lambda err: broken(folder, err)):
        if file.exists():  # a quarter of the time that transformers takes
            return tokenizers.Tokenizer.from_file(str(file)), {}
        return _convert(folder)


def _convert(folder: Path) -> tuple[tokenizers.Tokenizer, Mapping[str, str]]:
    import transformers  # 2 s, for old folders only

    transformers.utils.logging.set_verbosity_error()
    try:
        made = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except ImportError as err:
        raise ModelError(
            f"the tokenizer in {folder} needs a library that is not installed: {err}",
            "install it: pip install sentencepiece protobuf tiktoken",
        ) from err
    backend = getattr(made, "backend_tokenizer", None)
    if not isinstance(backend, tokenizers.Tokenizer):
        raise ModelError(
            f"the tokenizer in {folder} ({type(made).__name__}) has no fast version",
            "choose a model with a tokenizer.json",
        )
    return backend, _special_texts(dict(made.special_tokens_map))
