"""Settings: every one with its sentence, its default, and the ways to change it.

What a flag says wins over the environment, and the environment over the default.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

from assistant.errors import UsageError

KV_TYPES = ("f16", "q8_0", "q4_0")
AUTO = "auto"  # typed for what is left to choose
DEVICES = (AUTO, "cpu", "cuda")
DTYPES = (AUTO, "f32", "bf16", "f16")
SWITCHES = {"1": True, "true": True, "0": False, "false": False}

Word = TypeVar("Word", bound=str)


class Color(StrEnum):
    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class SamplingChoices:
    """How an answer is drawn and how long it may be; None: no opinion."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    max_new_tokens: int | None = None
    seed: int | None = None

    def over(self, weaker: "SamplingChoices") -> "SamplingChoices":
        """These choices, and the weaker ones where these have no opinion."""
        missing = {
            spec.name: getattr(weaker, spec.name)
            for spec in fields(self)
            if getattr(self, spec.name) is None
        }
        return replace(self, **missing)


SAMPLING_RANGES: dict[str, tuple[type, float, float]] = {
    "temperature": (float, 0.0, 5.0),
    "top_k": (int, 0, 1_000_000),
    "top_p": (float, 0.0, 1.0),
    "min_p": (float, 0.0, 1.0),
    "repeat_penalty": (float, 0.1, 2.0),
    "max_new_tokens": (int, 1, 1_000_000),
    "seed": (int, 0, 2**32 - 1),
}
OPTION_NAMES = {"max_tokens": "max_new_tokens"}  # what people type → what it is


@dataclass(frozen=True, slots=True)
class Settings:
    """Frozen, built once, passed on. Each field's comment is its documentation."""

    model: str = ""  # LLMCHAT_MODEL: a .gguf file, a folder with one, "starter", or hf:PATH
    color: Color = Color.AUTO  # LLMCHAT_COLOR: auto, always or never
    window: int = 0  # LLMCHAT_WINDOW: tokens the model may see at once; 0: all it was made for
    kv_type: str = "f16"  # LLMCHAT_KV_TYPE: f16, q8_0 or q4_0; smaller saves memory
    threads: int = 0  # LLMCHAT_THREADS: 0 takes the cores that this process may use
    max_input: int = 10 * 2**20  # LLMCHAT_MAX_INPUT: bytes of one file or of standard input
    device: str = ""  # LLMCHAT_DEVICE: auto, cpu or cuda, where an hf: model runs
    dtype: str = ""  # LLMCHAT_DTYPE: auto, f32, bf16 or f16, the numbers of an hf: model
    int8: bool = False  # LLMCHAT_INT8: 1 computes an hf: model's linear layers in 8 bits (CPU)
    sampling: SamplingChoices = field(default_factory=SamplingChoices)


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Defaults and the environment. Raises `UsageError` naming the variable."""
    found: dict[str, Any] = {}
    for spec in fields(Settings):
        variable = f"LLMCHAT_{spec.name.upper()}"
        if spec.name != "sampling" and environment.get(variable):
            found[spec.name] = _parse(variable, spec.name, environment[variable])
    return Settings(**found)


def parse_sampling(pairs: Mapping[str, str]) -> SamplingChoices:
    """`-o KEY VALUE` pairs. Raises `UsageError` naming the key, the value and the range."""
    chosen: dict[str, Any] = {}
    for key, text in pairs.items():
        name = OPTION_NAMES.get(key, key)
        known = [k for k in SAMPLING_RANGES if k not in OPTION_NAMES.values()] + list(OPTION_NAMES)
        if name not in SAMPLING_RANGES or key == "max_new_tokens":
            raise UsageError(f"unknown option -o {key}", _nearest(key, known))
        chosen[name] = check_sampling(name, text, f"-o {key}")
    return SamplingChoices(**chosen)


def check_sampling(name: str, value: object, shown: str) -> float | int:
    """The value in its type and range. Raises `UsageError` that calls it `shown`."""
    kind, low, high = SAMPLING_RANGES[name]
    try:
        number: float | int = kind(str(value))
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        numbers = "a whole number" if kind is int else "a number"
        # 5.0 is shown as 5
        low_shown, high_shown = (f"{end:,}".removesuffix(".0") for end in (low, high))
        raise UsageError(f"{shown} {value}: it takes {numbers} from {low_shown} to {high_shown}")
    return number


def _parse(variable: str, name: str, text: str) -> object:
    match name:
        case "window" | "threads" | "max_input":
            if not text.isdecimal() or int(text) > 2**31:
                raise UsageError(f"{variable}={text}: it takes a whole number", f"unset {variable}")
            return int(text)
        case "color":
            return _one_of(variable, text, [color.value for color in Color], Color)
        case "kv_type":
            return _one_of(variable, text, list(KV_TYPES), str)
        case "device":
            return _one_of(variable, text, list(DEVICES), str).replace(AUTO, "")
        case "dtype":
            return _one_of(variable, text, list(DTYPES), str).replace(AUTO, "")
        case "int8":
            return SWITCHES[_one_of(variable, text, list(SWITCHES), str)]
        case _:
            return text


def _one_of(variable: str, text: str, known: list[str], kind: type[Word]) -> Word:
    if text not in known:
        raise UsageError(f"{variable}={text}: it is one of {', '.join(known)}", f"unset {variable}")
    return kind(text)


def _nearest(key: str, known: list[str]) -> str:
    near = [name for name in known if key and name.startswith(key)]
    near = near or get_close_matches(key, known, 1)
    return f"did you mean {near[0]}?" if near else "known: " + ", ".join(known)
