"""The options that every command shares, declared once; they hold before and after it."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from assistant.config import Color, SamplingChoices, Settings, load_settings, parse_sampling
from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.rendering.base import ReasoningMode

MODEL = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A .gguf file, a folder with one, starter, or hf:PATH to run it on PyTorch.",
    ),
]
INT8 = Annotated[
    bool | None,
    typer.Option("--int8", help="Compute an hf: model's linear layers in 8 bits (CPU)."),
]
OPTION = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="KEY VALUE",
        help="temperature (0: no chance), top_k, top_p, min_p, repeat_penalty, seed or max_tokens.",
    ),
]
EXTRACT = Annotated[
    bool | None, typer.Option("--extract/--no-extract", "-x", help="Write only the code.")
]
SHOW_PROMPT = Annotated[
    bool | None,
    typer.Option("--show-prompt", help="Show the prompt and its tokens; run nothing."),
]
REASONING = Annotated[
    str | None,
    typer.Option("--reasoning", metavar="MODE", help="show, hide or only: a model's thoughts."),
]
COLOR = Annotated[
    str | None, typer.Option("--color", metavar="WHEN", help="auto, always or never.")
]
QUIET = Annotated[bool | None, typer.Option("--quiet", "-q", help="No progress and no last line.")]
DEBUG = Annotated[bool | None, typer.Option("--debug", help="Show where an error came from.")]

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed; None: not typed here."""

    model: MODEL = None
    int8: INT8 = None
    option: OPTION = None
    extract: EXTRACT = None
    show_prompt: SHOW_PROMPT = None
    reasoning: REASONING = None
    color: COLOR = None
    quiet: QUIET = None
    debug: DEBUG = None

    def over(self, earlier: "Options") -> "Options":
        """These options, and the earlier ones where these were not typed."""
        missing = {
            spec.name: getattr(earlier, spec.name)
            for spec in fields(self)
            if getattr(self, spec.name) is None
        }
        missing["option"] = [*(earlier.option or []), *(self.option or [])]
        return replace(self, **missing)

    def settings(self) -> Settings:
        """Environment and defaults under what was typed. Raises `UsageError`."""
        settings = replace(load_settings(), sampling=self.sampling())
        if self.color is not None:
            settings = replace(settings, color=_choice("--color", self.color, Color))
        if self.int8 is not None:
            settings = replace(settings, int8=self.int8)
        return replace(settings, model=self.model) if self.model is not None else settings

    def sampling(self) -> SamplingChoices:
        pairs = {}
        for pair in self.option or []:
            key, _, value = pair.partition("=")
            pairs[key] = value  # the later wins
        return parse_sampling(pairs)

    def reasoning_mode(self) -> "ReasoningMode | None":
        if self.reasoning is None:
            return None
        from assistant.rendering.base import ReasoningMode  # with all events, 8 ms

        return _choice("--reasoning", self.reasoning, ReasoningMode)


def _choice(option: str, text: str, kind: type[Choice]) -> Choice:
    if text not in list(kind):
        raise UsageError(f"{option} {text}: it is one of {', '.join(kind)}")
    return kind(text)


class PlainValues:
    """For a command: its values stay the words that were typed.

    Typer would check with pydantic that words are words; importing it takes 0.1 s.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of the command
        for param in params:
            param.process_value = partial(_as_typed, param)
        return params


def _as_typed(param: Any, ctx: Any, value: Any) -> Any:
    return value if param.callback is None else param.callback(ctx, param, value)


class PlainCommand(PlainValues, TyperCommand):
    pass


def shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command all of `Options`; it receives its context, and them merged as `options`."""
    given = inspect.signature(command).parameters.values()
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in given
        if parameter.name not in ("options", "ctx", "_ctx")
    ]
    shared = [
        inspect.Parameter(
            spec.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=spec.type
        )
        for spec in fields(Options)
    ]
    context = inspect.Parameter(
        "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )

    def run(ctx: typer.Context, **given: Any) -> None:
        typed = Options(**{spec.name: given.pop(spec.name) for spec in fields(Options)})
        earlier = ctx.parent.obj if ctx.parent is not None else None
        options = typed.over(earlier) if earlier is not None else typed
        ctx.obj = options
        command(ctx, **given, options=options)

    run.__signature__ = inspect.Signature([context, *shared, *own])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [context, *shared, *own]}
    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    return run


def join_pairs(arguments: list[str]) -> list[str]:
    """`-o KEY VALUE` → `-o KEY=VALUE`, up to a `--`: Typer takes no repeated pairs.

    Also behind flags (`-xo KEY VALUE`) and without a blank (`-oKEY VALUE`). Raises `UsageError`.
    """
    rest = iter(arguments)
    joined: list[str] = []
    for argument in rest:
        option = OPTION_KEY.fullmatch(argument)
        if argument == "--" or option is None:
            joined.append(argument)
        else:
            joined += _join_pair(option["option"], option["key"], rest)
        if argument == "--":
            break
    return [*joined, *rest]


# -o behind flags that take no value, or --option; perhaps with the key at once.
OPTION_KEY = re.compile(r"(?P<option>-[xqh]*o|--option(?==|$))=?(?P<key>.*)", re.DOTALL)
LOOKS_LIKE_OPTION = re.compile(r"-(?![.\d]).+", re.DOTALL)  # not -1: that is a bad value


def _join_pair(option: str, key: str, rest: Iterator[str]) -> list[str]:
    key = key or next(rest, "")
    if not key or LOOKS_LIKE_OPTION.fullmatch(key):
        raise UsageError("-o needs a key and a value", "-o temperature 0")
    if "=" in key:
        return [option, key]
    value = next(rest, "")
    if not value or LOOKS_LIKE_OPTION.fullmatch(value):
        raise UsageError(f"-o {key} needs a value", f"-o {key} VALUE")
    return [option, f"{key}={value}"]
