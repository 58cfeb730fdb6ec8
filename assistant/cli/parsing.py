"""What Typer lacks: options shared by all commands, repeated pairs, words left as they are."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import partial
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from assistant.cli.options import FLAGS, FOR_ANSWERS, SWITCHES, Options
from assistant.errors import UsageError


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


class PlainGroup(PlainValues, TyperGroup):
    pass


class OwnGroup(PlainGroup):
    """Says in our words that it has no such command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            near = get_close_matches(args[0], self.commands, 1)
            hint = f"did you mean {near[0]}?" if near else f"{', '.join(self.commands)}"
            if len(args) > 1 and not near:
                hint = f'a question: llmchat "{" ".join([ctx.info_name, *args])}"'
            raise UsageError(f"{ctx.command_path} has no command {args[0]}", hint)
        return super().resolve_command(ctx, args)


# Rich's help takes longer to import than all of --help.
FORM: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def make_command(
    name: str,
    function: Callable[..., None],
    *,
    is_for_answers: bool,
    kind: type[TyperCommand] = PlainCommand,
) -> Any:
    """Typer's command; the function gets all shared options as `options`."""
    maker = typer.Typer(**FORM)
    command = shared_options(function, is_for_answers=is_for_answers)
    maker.command(name, cls=kind, context_settings=FORM["context_settings"])(command)
    return typer.main.get_command(maker)


def make_group(name: str, summary: str, functions: Mapping[str, Callable[..., None]]) -> Any:
    """Typer's group of commands that ask no model; its own name runs the first of them."""
    maker = typer.Typer(**FORM, name=name, cls=OwnGroup)
    first = next(iter(functions.values()))

    def run_first(ctx: typer.Context, *, options: Options) -> None:
        if ctx.invoked_subcommand is None:
            first(ctx, options=options)

    run_first.__doc__ = summary
    maker.callback(invoke_without_command=True)(shared_options(run_first, is_for_answers=False))
    for word, function in functions.items():
        command = shared_options(function, is_for_answers=False)
        maker.command(word, cls=PlainCommand, context_settings=FORM["context_settings"])(command)
    return typer.main.get_command(maker)


def shared_options(
    command: Callable[..., None], *, is_for_answers: bool = True
) -> Callable[..., None]:
    """Gives a command all of `Options`; it receives its context, and them merged as `options`.

    A command that asks no model takes them all, too; its help names those that it heeds.
    """
    given = inspect.signature(command).parameters.values()
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in given
        if parameter.name not in ("options", "ctx", "_ctx")
    ]
    shared = [
        inspect.Parameter(
            spec.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=spec.type
            if is_for_answers or spec.name not in FOR_ANSWERS
            else _hidden(spec.type),
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


def _hidden(annotation: Any) -> Any:
    kind, option = get_args(annotation)
    names = option.param_decls
    return Annotated[kind, typer.Option(*names, metavar=option.metavar, hidden=True)]


# ── words that Typer does not take as they are typed ────────────────────────────────────────


def prepare(arguments: list[str]) -> list[str]:
    """`-o KEY VALUE` → `-o KEY=VALUE`, `--json` → `--output=json`, up to a `--`.

    Typer takes no repeated pairs, and of two options that choose the same it cannot tell the
    later: a pair whose key has an option of its own becomes that. Pairs are joined behind flags
    (`-xo KEY VALUE`) and without a blank (`-oKEY VALUE`), too. Raises `UsageError`.
    """
    rest = iter(arguments)
    prepared: list[str] = []
    for argument in rest:
        pair = PAIR.fullmatch(argument)
        if argument == "--":
            return [*prepared, argument, *rest]
        if pair is not None:
            prepared += _join_pair(pair["option"], pair["key"], rest)
        elif argument == "--json":
            prepared.append("--output=json")
        else:
            prepared.append(argument)
    return prepared


# -o behind flags that take no value, or --option; perhaps with the key at once.
PAIR = re.compile(r"(?P<option>-[cexqvyh]*o|--option(?==|$))=?(?P<key>.*)", re.DOTALL)
LOOKS_LIKE_OPTION = re.compile(r"-(?![.\d])\S+")  # not -1, which is a bad value, nor "- a text"


def _join_pair(option: str, key: str, rest: Iterator[str]) -> list[str]:
    key = key or next(rest, "")
    if not key or LOOKS_LIKE_OPTION.fullmatch(key):
        raise UsageError("-o needs a key and a value", "-o temperature 0")
    if "=" in key:
        key, _, value = key.partition("=")
    else:
        value = next(rest, "")
        if not value or LOOKS_LIKE_OPTION.fullmatch(value):
            raise UsageError(f"-o {key} needs a value", f"-o {key} VALUE")
    if key not in FLAGS or key in SWITCHES:
        return [option, f"{key}={value}"]
    flags = [option[:-1]] if option not in ("-o", "--option") else []
    return [*flags, f"--{key}={value}"]
