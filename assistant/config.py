"""Settings: every one with its default, what it takes, and its sentence.

Where they come from is in config_sources.py.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, TypeVar

from assistant.errors import UsageError

AUTO = "auto"  # typed for what is left to choose
KV_TYPES = ("f16", "q8_0", "q4_0")
DEVICES = (AUTO, "cpu", "cuda")
DTYPES = (AUTO, "f32", "bf16", "f16")
REASONING = ("show", "hide", "only")
SECONDS_IN = {"s": 1, "m": 60, "h": 3600}
BYTES_IN = {"K": 10**3, "M": 10**6, "G": 10**9}
SWITCHES = {"1": True, "true": True, "0": False, "false": False}

Value = TypeVar("Value")


class WhenFull(StrEnum):
    """What becomes of old turns when a conversation does not fit the window any more."""

    COMPACT = "compact"  # a summary takes the place of the older half
    DROP = "drop"
    REFUSE = "refuse"


class Color(StrEnum):
    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class OutputForm(StrEnum):
    TEXT = "text"
    JSON = "json"
    STREAM_JSON = "stream-json"


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


# ── what a setting takes ────────────────────────────────────────────────────────────────────


class ValueKind(NamedTuple):  # as a dataclass, and Setting as well, they would cost --help 1 ms
    """`words` follow "it" in messages; `read` raises `ValueError` or `KeyError`.

    `types` are those of its values in TOML, `empty` is typed for the empty text.
    """

    words: str
    read: Callable[[str], object]
    types: tuple[type, ...]
    empty: str = ""


def _text(words: str) -> ValueKind:
    return ValueKind(f"takes {words}", str, (str,))


def _one_of(known: Collection[str], kind: Callable[[str], str] = str) -> ValueKind:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError
        return "" if text == empty else kind(text)

    empty = AUTO if AUTO in known and kind is str else ""
    return ValueKind(f"is one of {', '.join(known)}", read, (str,), empty)


def _in_range(kind: type, low: float, high: float) -> ValueKind:
    # 5.0 is shown as 5
    low_shown, high_shown = (f"{end:,}".removesuffix(".0") for end in (low, high))
    numbers = "a whole number" if kind is int else "a number"
    return ValueKind(
        f"takes {numbers} from {low_shown} to {high_shown}",
        partial(_read_number, kind, low, high),
        (int,) if kind is int else (int, float),
    )


def _read_number(kind: type, low: float, high: float, text: str) -> float | int:
    number: float | int = kind(text)
    if not low <= number <= high:
        raise ValueError
    return number


def _read_whole(text: str) -> int:
    if not text.isdecimal() or int(text) > 2**31:
        raise ValueError
    return int(text)


def _read_language(text: str) -> str:
    from assistant.spoken_languages import language_name  # not for --help

    try:
        language_name(text)
    except UsageError as err:
        raise ValueError from err
    return text


def _read_seconds(text: str) -> float:
    """5m, 90s, 2h or plain seconds; -1 for ever."""
    factor = SECONDS_IN.get(text[-1:], 0)
    seconds = float(text[:-1]) * factor if factor else float(text)
    if seconds != -1 and not 0 <= seconds <= 10**9:
        raise ValueError
    return seconds


def _read_size(text: str) -> int:
    """2GB, 500MB or plain bytes."""
    number = text.upper().removesuffix("B")
    factor = BYTES_IN.get(number[-1:], 0)
    size = int(float(number[:-1]) * factor) if factor else int(number)
    if not 0 <= size <= 10**15:
        raise ValueError
    return size


LANGUAGE = ValueKind("takes a language such as de or German", _read_language, (str,))
WHOLE = ValueKind("takes a whole number", _read_whole, (int,))
SWITCH = ValueKind(f"is one of {', '.join(SWITCHES)}", SWITCHES.__getitem__, (bool, int))
DURATION = ValueKind("takes seconds, or 90s, 5m, 2h; 0 or -1", _read_seconds, (int, float, str))
SIZE = ValueKind("takes bytes, or 500MB, 2GB; 0: none", _read_size, (int, str))
COLORS = _one_of(tuple(Color), Color)
OUTPUTS = _one_of(tuple(OutputForm), OutputForm)
WHEN_FULL = _one_of(tuple(WhenFull), WhenFull)


# ── the settings ────────────────────────────────────────────────────────────────────────────


class Setting(NamedTuple):
    """What is known of a setting beside its name and its default."""

    takes: ValueKind
    sentence: str
    is_for_projects: bool


def _setting(
    default: Value, takes: ValueKind, sentence: str, *, is_for_projects: bool = False
) -> Value:
    about = Setting(takes, sentence, is_for_projects)
    return field(default=default, metadata={"setting": about})


def _sampling(name: str, sentence: str) -> Any:
    return _setting(None, _in_range(*SAMPLING_RANGES[name]), sentence, is_for_projects=True)


@dataclass(frozen=True, slots=True)
class Settings:
    """Frozen, built once, passed on. A project may set what shapes an answer, and nothing that
    names a file, chooses a device, or changes what a person or a program gets to see."""

    model: str = _setting(
        "",
        _text("a .gguf file, a folder with one, starter, hf:PATH, or openai:URL"),
        "The model that answers; hf:PATH runs it on PyTorch, openai:URL asks a server.",
    )
    api_key_file: str = _setting(
        "", _text("a file"), "Holds the API key of an openai: server, for you alone to read."
    )
    color: Color = _setting(  # noqa: RUF009 # it gives a field, not a default
        Color.AUTO, COLORS, "When colours are written."
    )
    window: int = _setting(
        0,
        WHOLE,
        "Tokens that the model may see at once; 0: all it was made for.",
        is_for_projects=True,
    )
    kv_type: str = _setting(
        "f16", _one_of(KV_TYPES), "The numbers of the model's memory of a text; smaller saves room."
    )
    threads: int = _setting(0, WHOLE, "CPU threads; 0: the cores that this process may use.")
    max_input: int = _setting(10 * 2**20, WHOLE, "Bytes of one file or of standard input.")
    resident: bool = _setting(
        True, SWITCH, "Answer from an engine that stays in the background with the model loaded."
    )
    keep_alive: float = _setting(
        300.0,
        DURATION,
        "How long that engine stays unasked (5m); 0: until the command ends, -1: for ever.",
    )
    snapshot_size: int = _setting(
        2 * 2**30,
        SIZE,
        "Disk space for what models have read, so that they need not read it again; 0: none.",
    )
    history: bool = _setting(
        True, SWITCH, "Keep questions and answers, so that -c goes on and history finds them."
    )
    when_full: WhenFull = _setting(  # noqa: RUF009 # it gives a field, not a default
        WhenFull.COMPACT,
        WHEN_FULL,
        "When a conversation fills the window its older half becomes a summary, is left out, or "
        "the question is refused.",
    )
    device: str = _setting("", _one_of(DEVICES), "Where an hf: model runs.")
    dtype: str = _setting("", _one_of(DTYPES), "The numbers that an hf: model computes with.")
    int8: bool = _setting(
        False, SWITCH, "Compute an hf: model's linear layers in 8 bits, on the CPU."
    )
    temperature: float | None = _sampling("temperature", "How much chance there is; 0: none.")
    top_k: int | None = _sampling("top_k", "Draw from so many of the likeliest tokens; 0: all.")
    top_p: float | None = _sampling(
        "top_p", "Draw from the likeliest tokens that have this probability together."
    )
    min_p: float | None = _sampling(
        "min_p", "Draw only tokens that are so probable, compared with the likeliest."
    )
    repeat_penalty: float | None = _sampling(
        "repeat_penalty", "Above 1: tokens that came lately become less likely."
    )
    max_tokens: int | None = _sampling("max_new_tokens", "The longest answer, in tokens.")
    seed: int | None = _sampling("seed", "The same seed and prompt give the same answer.")
    system: str = _setting(
        "", _text("text"), "Replaces the prompt's system message.", is_for_projects=True
    )
    lang: str = _setting(
        "",
        LANGUAGE,
        "The language of answers; empty: that of the locale.",
        is_for_projects=True,
    )
    reasoning: str = _setting(
        "",
        _one_of(REASONING),
        "What a model thinks before it answers; empty: show on a terminal, hide in a pipe.",
    )
    output: OutputForm = _setting(  # noqa: RUF009 # as above
        OutputForm.TEXT, OUTPUTS, "The form of what is written."
    )
    theme: str = _setting(
        "", _text("the name of a theme"), "The colours of the chat; empty: the terminal's own."
    )
    mouse: bool = _setting(
        True,
        SWITCH,
        "Click and scroll in the chat; false leaves the mouse to the terminal, to select text.",
    )
    keys: str = _setting(
        "",
        _text("ACTION=KEY, …"),
        "Other keys for the chat: sidebar=f2, stop=ctrl+s; F1 there shows all.",
    )
    timeout: float = _setting(
        0.0,
        _in_range(float, 0, 1_000_000),
        "Seconds after which an answer is stopped; 0: never.",
    )

    @property
    def sampling(self) -> SamplingChoices:
        return SamplingChoices(
            self.temperature,
            self.top_k,
            self.top_p,
            self.min_p,
            self.repeat_penalty,
            self.max_tokens,
            self.seed,
        )


SETTINGS: dict[str, Setting] = {spec.name: spec.metadata["setting"] for spec in fields(Settings)}
FOR_PROJECTS = tuple(name for name, setting in SETTINGS.items() if setting.is_for_projects)


def setting_text(name: str, value: object) -> str:
    """What one types to get this value; empty for no opinion."""
    match value:
        case None | "":
            return SETTINGS[name].takes.empty
        case bool():
            return str(value).lower()
        case float():
            return str(value).removesuffix(".0")
        case _:
            return str(value)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"LLMCHAT_{name.upper()}"


def check_setting(name: str, text: str, given_as: str, hint: str = "") -> Any:
    """The value in its type. Raises `UsageError` that says it was `given_as`."""
    takes = SETTINGS[name].takes
    try:
        return takes.read(text)
    except (ValueError, KeyError) as err:
        raise UsageError(f"{given_as}: it {takes.words}", hint) from err


def check_sampling(name: str, value: object) -> float | int:
    """A choice of `SamplingChoices` in its type and range. Raises `UsageError` that names it."""
    kind = _in_range(*SAMPLING_RANGES[name])
    try:
        if type(value) in kind.types:
            return kind.read(str(value))  # type: ignore[return-value]  # a range gives numbers
    except ValueError:
        pass
    raise UsageError(f"{name}: it {kind.words}")


def nearest(name: str, known: Collection[str]) -> str:
    """A hint: the known name that was probably meant, or all of them."""
    from difflib import get_close_matches  # takes 2 ms

    near = [word for word in known if name and word.startswith(name)]
    near = near or get_close_matches(name[:80], known, 1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"
