"""The commands: each turns its words into one call."""

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated

import typer

from assistant.cli.options import Options, shared_options
from assistant.errors import InputError, UsageError

IS_MEANT = "llmchat.is_meant"  # in a context's meta: the command was typed, or a -- before it
SPELT_ALIKE = 0.75  # difflib's ratio; explian and explain have 0.86

# Hidden: the usage line names them already, and Typer would add Python's type.
Words = Annotated[list[str] | None, typer.Argument(metavar="QUESTION", hidden=True)]
Description = Annotated[list[str] | None, typer.Argument(metavar="DESCRIPTION", hidden=True)]
Files = Annotated[list[str] | None, typer.Argument(metavar="FILE", hidden=True)]
Language = Annotated[
    str | None,
    typer.Option("--to", metavar="LANGUAGE", help="Of people or of programs: German, Rust."),
]


@shared_options
def ask(ctx: typer.Context, words: Words = None, *, options: Options) -> None:
    """Answer a question. Standard input comes before it, or is the question.

    \b
    llmchat "how do I reverse a list in place?"
    cat traceback.txt | llmchat "what went wrong?"
    """
    words = words or []
    if words and ctx.parent is not None and not ctx.meta[IS_MEANT]:
        _refuse_mistyped(words, ctx.parent.command.list_commands(ctx.parent))  # type: ignore[attr-defined]  # a group
    _answer("ask", options, text="" if words == ["-"] else _text(words))


@shared_options
def explain(_ctx: typer.Context, files: Files = None, *, options: Options) -> None:
    """Explain code in plain words. A file named - is standard input.

    \b
    llmchat explain src/app.py
    git diff | llmchat explain
    """
    _answer("explain", options, files=_files("explain", files))


@shared_options
def summarize(_ctx: typer.Context, files: Files = None, *, options: Options) -> None:
    """Say in a few sentences what a text or code is about. A file named - is standard input.

    \b
    llmchat summarize notes.md
    git log -20 | llmchat summarize
    """
    _answer("summarize", options, files=_files("summarize", files))


@shared_options
def translate(
    _ctx: typer.Context, files: Files = None, to: Language = None, *, options: Options
) -> None:
    """Translate text or code. A file named - is standard input; -x leaves only the code.

    \b
    llmchat translate --to German notes.md
    llmchat translate --to Rust -x sort.py > sort.rs
    """
    language = _text([to or ""]).strip()
    if not language:
        raise UsageError("translate needs a language", "llmchat translate --to LANGUAGE FILE")
    names = _files("translate", files, f"to {language}")
    _answer("translate", options, files=names, variables={"language": language})


@shared_options
def generate(_ctx: typer.Context, description: Description = None, *, options: Options) -> None:
    """Write code from a description. A pipe gets only the code.

    \b
    llmchat generate "a function that merges two sorted lists"
    llmchat generate "binary search in Go" > search.go
    """
    _answer("generate", options, text=_text(description or []))


@shared_options
def complete(_ctx: typer.Context, *, options: Options) -> None:
    """Continue the code on standard input. A pipe gets only the code.

    \b
    llmchat complete < unfinished.py
    """
    _answer("complete", options)


def answer_standard_input(options: Options) -> None:
    """No word was typed: what comes on standard input is the question."""
    _answer("ask", options)


def _answer(
    prompt: str,
    options: Options,
    text: str = "",
    files: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> None:
    from assistant.cli.answering import Asked, answer  # engines and prompts: nothing for --help

    raise typer.Exit(answer(Asked(prompt, text, files, variables or {}), options))


def _files(command: str, names: list[str] | None, ending: str = "") -> list[str]:
    """The names; several words of which none is a file were meant as a question."""
    names = names or []
    if len(names) > 1 and not any(_is_there(name) for name in names):
        question = _text([command, *names, *ending.split()]).replace('"', "'")
        raise InputError(f"there is no file {names[0]}", f'a question: llmchat "{question}"')
    return names


def _text(words: Sequence[str]) -> str:
    """Words as text: bytes that the locale could not decode are UTF-8 after all, or replaced."""
    return " ".join(words).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _refuse_mistyped(words: Sequence[str], commands: Sequence[str]) -> None:
    """`explian app.py` is a mistake and not a question."""
    close = get_close_matches(words[0], commands, 1, SPELT_ALIKE)
    if close and all(_is_there(name) for name in words[1:]):
        raise UsageError(
            f"there is no command {words[0]}", f"did you mean {close[0]}? a question goes after --"
        )


def _is_there(name: str) -> bool:
    return name == "-" or os.path.exists(os.path.expanduser(name))  # noqa: PTH110, PTH111 # a Path raises when the name is too long or there is no such user
