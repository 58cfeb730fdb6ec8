"""What the config.json and tokenizer_config.json of a model folder say, checked.

Keys: https://huggingface.co/docs/transformers/main_classes/configuration
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assistant.model_store.model_files import HeaderError

MAX_LAYERS = 4_096
MAX_COUNT = (1 << 31) - 1  # of tokens, heads and the like

# What model families call the same number; a decoder's own name wins over its encoder's.
WINDOW = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len")
LAYERS = ("decoder_layers", "num_decoder_layers", "num_hidden_layers", "num_layers", "n_layer")
HEADS = ("decoder_attention_heads", "num_attention_heads", "num_heads", "n_head")
KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
EMBEDDING = ("hidden_size", "d_model", "n_embd")
HEAD_LENGTH = ("head_dim", "d_kv")
NESTED = ("text_config", "decoder")  # the part that writes, in a model of several
ARCHITECTURE = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FolderConfig:
    """Lengths in elements, `window` in tokens; 0, "" or None where config.json does not say."""

    architecture: str
    made_from: str
    is_encoder_decoder: bool
    asks_for_code: bool
    tied_embeddings: bool | None
    window: int
    vocabulary_size: int
    block_count: int
    head_count: int
    head_count_kv: int
    head_length: int
    embedding_length: int


def parse_config(raw: Mapping[str, Any]) -> FolderConfig:
    """Raises `HeaderError` naming the key whose value cannot be."""
    keys = _Keys(raw)
    if raw.get("transformers_weights"):
        raise HeaderError("its transformers_weights names other weights than those checked here")
    layers = keys.count(*LAYERS)
    if layers > MAX_LAYERS:
        raise HeaderError(f"it claims {layers:,} layers")
    heads, embedding = keys.count(*HEADS), keys.count(*EMBEDDING)
    return FolderConfig(
        architecture=_architecture(raw),
        made_from=raw["_name_or_path"] if isinstance(raw.get("_name_or_path"), str) else "",
        is_encoder_decoder=keys.flag("is_encoder_decoder") or False,
        asks_for_code=asks_for_code(raw),
        tied_embeddings=keys.flag("tie_word_embeddings"),
        window=keys.count(*WINDOW),
        vocabulary_size=keys.count("vocab_size"),
        block_count=layers,
        head_count=heads,
        head_count_kv=_kv_heads(keys) or heads,
        head_length=_head_length(keys) or (embedding // heads if heads else 0),
        embedding_length=embedding,
    )


def asks_for_code(raw: Mapping[str, Any]) -> bool:
    """Whether `auto_map` names classes in Python files that come with the model."""
    auto_map = raw.get("auto_map")
    named = auto_map.values() if isinstance(auto_map, dict) else (auto_map,)
    return any(value for value in named)


def parse_chat_template(raw: Mapping[str, Any]) -> str | None:
    """Of tokenizer_config.json: a text, or named ones of which "default" is taken."""
    match raw.get("chat_template"):
        case None | "":
            return None
        case str(template):
            # A lone surrogate, which JSON can spell, is in no encoding.
            return template.encode("utf-8", "replace").decode("utf-8")
        case list(named):
            default = [each for each in named if _is_default(each)]
            return (
                parse_chat_template({"chat_template": default[0]["template"]}) if default else None
            )
        case _:
            raise HeaderError("chat_template is not text")


def _is_default(template: object) -> bool:
    match template:
        case {"name": "default", "template": str()}:
            return True
        case _:
            return False


def _architecture(raw: Mapping[str, Any]) -> str:
    found = raw.get("model_type")
    if not isinstance(found, str) or ARCHITECTURE.fullmatch(found) is None:
        raise HeaderError("it does not name its architecture (model_type)")
    return found


def _kv_heads(keys: "_Keys") -> int:
    """0 when there are as many as heads; Falcon and StarCoder 1 call 1 of them multi_query."""
    if keys.flag("multi_query") and not keys.flag("new_decoder_architecture"):
        return 1
    return keys.count(*KV_HEADS)


def _head_length(keys: "_Keys") -> int:
    """DeepSeek calls a part of it head_dim."""
    latent = keys.count("qk_nope_head_dim") + keys.count("qk_rope_head_dim")
    return latent or keys.count(*HEAD_LENGTH)


class _Keys:
    """config.json with the types that it promises; a nested text model's keys win."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        nested = [raw[name] for name in NESTED if isinstance(raw.get(name), dict)]
        self._levels = [*nested, raw]

    def count(self, *names: str) -> int:
        """The first of the names that is there; 0 without any, the largest of several."""
        for level in self._levels:
            for name in names:
                value = level.get(name)
                if value is not None:
                    numbers = value if isinstance(value, list) else [value]
                    return max((_checked_count(name, number) for number in numbers), default=0)
        return 0

    def flag(self, name: str) -> bool | None:
        for level in self._levels:
            value = level.get(name)
            if value is not None and not isinstance(value, bool):
                raise HeaderError(f"{name} is {str(value)[:40]!r}")
            if value is not None:
                return value
        return None


def _checked_count(name: str, number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_COUNT:
        raise HeaderError(f"{name} is {str(number)[:40]!r}")
    return number
