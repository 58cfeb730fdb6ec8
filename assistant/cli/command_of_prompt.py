"""Each prompt file is a command: its words, its options and its help come from the file."""

import inspect
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from assistant.chat_commands.prompt_words import (
    check_something_given,
    check_variables,
    example,
    sort_words,
    takes_file_words,
)
from assistant.cli.asked import Asked, Target, is_piped
from assistant.cli.options import Options, as_text
from assistant.cli.parsing import PlainCommand, make_command
from assistant.errors import UsageError
from assistant.prompts.prompt_file import Gives, PromptFile, Takes, Variable
from assistant.visible_text import visible

AFTER_DASHES = "llmchat.after_dashes"  # in a context's meta: the words after a --

FILE_OPTIONS = {
    "diff": Annotated[bool | None, typer.Option("--diff", help="Show the change as a diff.")],
    "write": Annotated[
        bool | None,
        typer.Option("--write", "-w", help="Write the change into the file, after asking."),
    ],
}
CODE_OPTIONS = {
    "write": Annotated[
        str | None,
        typer.Option("--write", "-w", metavar="FILE", help="Write the code, and only it, to FILE."),
    ],
}


class PromptCommand(PlainCommand):
    """Keeps what stands after `--` apart: it is always a question."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[AFTER_DASHES] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])


def prompt_command(prompt: PromptFile) -> TyperCommand:
    """The command `llmchat NAME` of a prompt file.

    Raises `UsageError` when one of its variables is called like an option that all have.
    """
    takes_files = takes_file_words(prompt)
    metavar = "FILE" if takes_files else "QUESTION" if Takes.QUESTION in prompt.takes else "-"
    own = {
        # Hidden: the usage line names it already, and Typer would add Python's type.
        "words": Annotated[list[str] | None, typer.Argument(metavar=metavar, hidden=True)],
        **{name: _variable_option(variable) for name, variable in prompt.variables.items()},
        **_own_options(prompt.gives),
    }
    check_variable_names(prompt)

    def run(ctx: typer.Context, *, options: Options, **given: Any) -> None:
        _answer(prompt, given, ctx.meta[AFTER_DASHES], options)

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in own.items()
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__doc__ = _help(prompt)
    run.__name__ = prompt.name
    command: TyperCommand = make_command(prompt.name, run, is_for_answers=True, kind=PromptCommand)
    return command


def _answer(
    prompt: PromptFile, given: dict[str, Any], after: Sequence[str], options: Options
) -> None:
    chosen = {name: as_text(given[name]) for name in prompt.variables if given[name] is not None}
    check_variables(prompt, chosen)
    takes_stdin = Takes.STDIN in prompt.takes and is_piped()
    has_more = bool(options.file or takes_stdin)
    words = sort_words(prompt, given["words"] or [], after, chosen, has_more=has_more)
    if options.edit and Takes.QUESTION not in prompt.takes:
        raise UsageError(f"{prompt.name} takes no question", example(prompt))
    if options.lang and prompt.own_language:
        raise UsageError(f"{prompt.name} decides its language", f"llmchat {prompt.name} --help")
    check_something_given(prompt, words, has_more=has_more or bool(options.edit))
    answer(Asked(prompt.name, words.text, words.files, chosen, _target(prompt, given)), options)


def answer(asked: Asked, options: Options) -> None:
    """Ends the command with the exit code of its answer."""
    from assistant.cli.starting import answer  # engines and renderers: nothing for --help

    raise typer.Exit(answer(asked, options))


def _target(prompt: PromptFile, given: dict[str, Any]) -> Target:
    match prompt.gives:
        case Gives.FILE:
            return Target(shows_diff=bool(given["diff"]), changes_file=bool(given["write"]))
        case Gives.CODE:
            return Target(file=given["write"])
        case Gives.MARKDOWN:
            return Target()


def _own_options(gives: Gives) -> dict[str, Any]:
    match gives:
        case Gives.FILE:
            return FILE_OPTIONS
        case Gives.CODE:
            return CODE_OPTIONS
        case Gives.MARKDOWN:
            return {}


def _variable_option(variable: Variable) -> Any:
    default = f" [{visible(variable.default)}]" if variable.default else ""
    option = typer.Option(
        variable.option,
        metavar=visible(variable.metavar),
        help=visible(variable.help) + default,
    )
    return Annotated[str | None, option]


def check_variable_names(prompt: PromptFile) -> None:
    """Raises `UsageError` when a variable is called like an option that all commands have."""
    taken = {
        *inspect.signature(Options).parameters,
        *_own_options(prompt.gives),
        "help",
        "words",
        "options",
        "ctx",
    }
    for name, variable in prompt.variables.items():
        if name in taken or variable.option in ("--no-extract", "--json", "--version"):
            raise UsageError(
                f"{prompt.path}: the variable {name} is called like an option of every command",
                "give it another name",
            )


def _help(prompt: PromptFile) -> str:
    """`\\b` keeps Typer from wrapping the examples into one paragraph."""
    examples = "\n".join(visible(example) for example in prompt.examples)
    description = visible(" ".join(prompt.description.split()))
    return f"{description}.\n\n\b\n{examples}" if examples else f"{description}."
