"""The commands: each turns its words into one call."""

from typing import Annotated

import typer

from assistant.cli.options import Options, shared_options

Words = Annotated[list[str] | None, typer.Argument(metavar="QUESTION…", show_default=False)]
Description = Annotated[list[str], typer.Argument(metavar="DESCRIPTION…", show_default=False)]
Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE…", show_default=False, help="Files, or - for standard input."),
]


@shared_options
def ask(_ctx: typer.Context, words: Words = None, *, options: Options) -> None:
    """Answer a question; standard input comes before it."""
    _answer("ask", options, text=" ".join(words or []))


@shared_options
def explain(_ctx: typer.Context, files: Files = None, *, options: Options) -> None:
    """Explain code in plain words."""
    _answer("explain", options, files=files or [])


@shared_options
def generate(_ctx: typer.Context, description: Description, *, options: Options) -> None:
    """Write code from a description. A pipe gets only the code."""
    _answer("generate", options, text=" ".join(description))


@shared_options
def complete(_ctx: typer.Context, *, options: Options) -> None:
    """Continue the code on standard input. A pipe gets only the code."""
    _answer("complete", options)


def answer_standard_input(options: Options) -> None:
    """No word was typed: what comes on standard input is the question."""
    _answer("ask", options)


def _answer(prompt: str, options: Options, text: str = "", files: list[str] | None = None) -> None:
    from assistant.cli.answering import Asked, answer  # engines and prompts: nothing for --help

    raise typer.Exit(answer(Asked(prompt, text, files or []), options))
