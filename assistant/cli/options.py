"""The options that every command shares, declared once; they hold before and after it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

import typer

from assistant.config import Color, SamplingChoices, Settings, load_settings, parse_sampling
from assistant.errors import UsageError
from assistant.rendering.base import ReasoningMode

MODEL = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", metavar="MODEL", help="A .gguf file, a folder with one, or starter."
    ),
]
OPTION = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="KEY VALUE",
        help="Sampling: temperature top_k top_p min_p repeat_penalty seed max_tokens.",
    ),
]
EXTRACT = Annotated[
    bool | None, typer.Option("--extract/--no-extract", "-x", help="Write only the code.")
]
SHOW_PROMPT = Annotated[
    bool | None,
    typer.Option("--show-prompt", help="Show the exact prompt and its tokens; run nothing."),
]
REASONING = Annotated[
    ReasoningMode | None, typer.Option("--reasoning", help="What a model thinks before it answers.")
]
COLOR = Annotated[Color | None, typer.Option("--color", help="When to use colour.")]
QUIET = Annotated[
    bool | None, typer.Option("--quiet", "-q", help="No progress, no last line on standard error.")
]
DEBUG = Annotated[bool | None, typer.Option("--debug", help="Show where an error came from.")]


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed; None: not typed here."""

    model: MODEL = None
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
        settings = load_settings()
        typed = {name: value for name in ("model", "color") if (value := getattr(self, name))}
        return replace(settings, **typed, sampling=self.sampling())

    def sampling(self) -> SamplingChoices:
        pairs = {}
        for pair in self.option or []:
            key, separator, value = pair.partition("=")
            if not separator:
                raise UsageError(f"-o {key} needs a value", f"-o {key} VALUE")
            pairs[key] = value
        return parse_sampling(pairs)


def shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command all of `Options`; it receives them merged, as `options`, and its context."""
    given = inspect.signature(command).parameters.values()
    own = [parameter for parameter in given if parameter.name not in ("options", "ctx", "_ctx")]
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

    run.__signature__ = inspect.Signature([context, *own, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [context, *own, *shared]}
    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    return run


def join_pairs(arguments: list[str]) -> list[str]:
    """`-o KEY VALUE` → `-o KEY=VALUE`, up to a `--`: Typer takes no repeated pairs."""
    joined: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        joined.append(argument)
        if argument == "--":
            break
        if argument in ("-o", "--option"):
            key = next(rest, None)
            if key is None:
                break
            value = None if "=" in key else next(rest, None)
            joined.append(key if value is None else f"{key}={value}")
    return [*joined, *rest]
