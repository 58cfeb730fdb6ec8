"""What a Hugging Face model folder says about its model, without running or trusting it.

config.json is understood in folder_config.py, the weights in safetensors_header.py; here is which
files count, and what is missing.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from shlex import quote
from typing import Any

from assistant.errors import ModelError
from assistant.model_store.folder_config import (
    FolderConfig,
    asks_for_code,
    parse_chat_template,
    parse_config,
)
from assistant.model_store.model_files import HeaderError, parse_json_object, read_regular
from assistant.model_store.safetensors_header import WeightFile, read_weight_file

MAX_CONFIG_BYTES = 8 << 20
MAX_TEMPLATE_BYTES = 4 << 20
MAX_INDEX_BYTES = 64 << 20
MAX_TOKENIZER_BYTES = 256 << 20

CONFIG = "config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
TOKENIZERS = (
    ("tokenizer.json",),
    ("tokenizer.model",),
    ("spiece.model",),
    ("vocab.json", "merges.txt"),
)
OUTPUT_LAYERS = {"lm_head.weight", "embed_out.weight", "output.weight"}
SHARD = re.compile(r"[\w.+-]{1,200}\.safetensors", re.ASCII)  # no path: it lies in the folder
HASH = re.compile(r"[0-9a-f]{16,}")
CACHED = re.compile(r"models--(?:.+--)?(?P<name>.+?)")  # a model in the hub's cache
PLAIN_NAME = re.compile(r"\w[\w.+-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model as its folder describes it.

    `window` in tokens, lengths in elements; 0 where the folder does not say. `quantisation` is
    the type of most numbers. `asks_for_code`: Python files of its own are meant to run it.
    `fingerprint`: see `read_folder`.
    """

    path: Path
    name: str
    architecture: str
    is_encoder_decoder: bool
    asks_for_code: bool
    parameters: int
    size_bytes: int
    quantisation: str
    window: int
    vocabulary_size: int
    block_count: int
    head_count: int
    head_count_kv: int
    head_length: int
    embedding_length: int
    tied_embeddings: bool
    chat_template: str | None
    fingerprint: str


def read_folder(path: Path) -> ModelFolder:
    """Raises `ModelError` when it is not a whole model in safetensors with its tokenizer.

    The fingerprint is 32 hex characters: BLAKE2b over config.json, the tokenizer, and of each
    file of weights its name, size, header and 256 evenly spaced blocks of 4 KiB. It is no
    checksum, and it proves nothing about who made the files.
    """
    try:
        return _read(path)
    except OSError as err:
        reason = f"it cannot be read: {err.strerror or err}"
        raise _refused(path, reason, "name another folder: -m hf:PATH") from err


def _read(path: Path) -> ModelFolder:
    _check_is_model(path)
    digest = blake2b(digest_size=16)
    with _refusing(path / CONFIG):
        config_bytes = read_regular(path / CONFIG, MAX_CONFIG_BYTES)
        digest.update(config_bytes)
        config = parse_config(parse_json_object(config_bytes))
    weights = _read_weights(path, digest)
    _add_tokenizer(path, digest)
    tokenizer_config = _tokenizer_config(path)
    with _refusing(path / TOKENIZER_CONFIG):
        template = _template_file(path) or parse_chat_template(tokenizer_config)
    return ModelFolder(
        path=path,
        name=_name(path, config.made_from),
        architecture=config.architecture,
        is_encoder_decoder=config.is_encoder_decoder,
        asks_for_code=config.asks_for_code or asks_for_code(tokenizer_config),
        parameters=weights.elements.total(),
        size_bytes=weights.size_bytes,
        quantisation=weights.elements.most_common(1)[0][0],
        window=config.window,
        vocabulary_size=config.vocabulary_size,
        block_count=config.block_count,
        head_count=config.head_count,
        head_count_kv=config.head_count_kv,
        head_length=config.head_length,
        embedding_length=config.embedding_length,
        tied_embeddings=_is_tied(config, weights),
        chat_template=template,
        fingerprint=digest.hexdigest(),
    )


def _is_tied(config: FolderConfig, weights: WeightFile) -> bool:
    """Where config.json does not say, the weights lack an output layer of their own."""
    if config.tied_embeddings is not None:
        return config.tied_embeddings
    return weights.tensors.isdisjoint(OUTPUT_LAYERS)


# ── refusals ────────────────────────────────────────────────────────────────────────────────


def _refused(path: Path, reason: str, remedy: str) -> ModelError:
    return ModelError(f"{path} cannot be used: {reason}", remedy)


def _download_again(folder: Path) -> str:
    return f"download it again: hf download ORG/NAME --local-dir {quote(str(folder))}"


@contextmanager
def _refusing(file: Path) -> Iterator[None]:
    """A `HeaderError` becomes the `ModelError` that names the file."""
    try:
        yield
    except HeaderError as err:
        raise _refused(file, str(err), _download_again(file.parent)) from err


def _check_is_model(path: Path) -> None:
    if not path.is_dir():
        reason = "it is not a folder" if path.exists() else "there is no such folder"
        raise _refused(path, reason, "name a folder with config.json: -m hf:PATH")
    if _is_there(path / "adapter_config.json"):
        reason = "it holds an adapter, which is not applied here"
        raise _refused(path, reason, "name the folder of a whole model: -m hf:PATH")
    if _is_there(path / CONFIG):
        return
    raise _refused(path, f"no {CONFIG} is in it", _download_again(path))


def _is_there(file: Path) -> bool:
    """Also a link that leads nowhere: opening it says so."""
    return file.is_symlink() or file.exists()


# ── weights ─────────────────────────────────────────────────────────────────────────────────


def _read_weights(folder: Path, digest: blake2b) -> WeightFile:
    """All files of weights, as if they were one."""
    size_bytes, elements, tensors = 0, Counter[str](), set[str]()
    for name in _weight_names(folder):
        with _refusing(folder / name):
            file = read_weight_file(folder / name, digest)
        size_bytes += file.size_bytes
        elements.update(file.elements)
        tensors |= file.tensors
    if not elements.total():
        raise _refused(folder, "its weights are empty", _download_again(folder))
    return WeightFile(size_bytes, elements, frozenset(tensors))


def _weight_names(folder: Path) -> Sequence[str]:
    """The files that transformers would load; others, such as a second format, do not count."""
    if _is_there(folder / SINGLE):
        return [SINGLE]
    if _is_there(folder / INDEX):
        return _shards(folder)
    if any(folder.glob("*.safetensors")):
        reason = f"neither {SINGLE} nor {INDEX} is in it"
        raise _refused(folder, reason, _download_again(folder))
    for pickle in sorted(path for pattern in PICKLES for path in folder.glob(pattern)):
        reason = f"its weights are pickle files ({pickle.name}), which can run code"
        raise _refused(
            folder,
            f"{reason} and are never loaded",
            "convert them to safetensors: https://huggingface.co/spaces/safetensors/convert",
        )
    raise _refused(folder, "no .safetensors file is in it", _download_again(folder))


def _shards(folder: Path) -> Sequence[str]:
    with _refusing(folder / INDEX):
        names = _names_in(parse_json_object(read_regular(folder / INDEX, MAX_INDEX_BYTES)))
    missing = [name for name in names if not _is_there(folder / name)]
    if missing:
        reason = f"{len(missing)} of its {len(names)} files of weights are missing"
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise _refused(folder, f"{reason}: {shown}", _download_again(folder))
    return names


def _names_in(index: dict[str, Any]) -> Sequence[str]:
    names = index.get("weight_map")
    if not isinstance(names, dict) or not names:
        raise HeaderError("it names no files of weights")
    for name in names.values():
        if not isinstance(name, str) or SHARD.fullmatch(name) is None:
            raise HeaderError(f"it names {str(name)[:80]!r}, which is no file of weights beside it")
    return sorted(set(names.values()))


# ── tokenizer and name ──────────────────────────────────────────────────────────────────────


def _add_tokenizer(folder: Path, digest: blake2b) -> None:
    found = [files for files in TOKENIZERS if all(_is_there(folder / name) for name in files)]
    if not found:
        reason = "it has no tokenizer (tokenizer.json or tokenizer.model)"
        raise _refused(folder, reason, _download_again(folder))
    for name in (name for files in found for name in files):
        with _refusing(folder / name):
            digest.update(read_regular(folder / name, MAX_TOKENIZER_BYTES))


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    file = folder / TOKENIZER_CONFIG
    if not _is_there(file):
        return {}
    with _refusing(file):
        return parse_json_object(read_regular(file, MAX_CONFIG_BYTES))


def _template_file(folder: Path) -> str | None:
    file = folder / "chat_template.jinja"
    if not _is_there(file):
        return None
    with _refusing(file):
        return read_regular(file, MAX_TEMPLATE_BYTES).decode("utf-8", "replace") or None


def _name(folder: Path, made_from: str) -> str:
    """The folder's; where that is a commit, the model's in the hub's cache or in config.json."""
    name = folder.resolve().name if folder.name in ("", "..") else folder.name
    if HASH.fullmatch(name) is None:
        return name
    cached = CACHED.fullmatch(folder.absolute().parent.parent.name)
    base = cached["name"] if cached is not None else made_from.rstrip("/").rpartition("/")[2]
    return base if PLAIN_NAME.fullmatch(base) is not None else name
