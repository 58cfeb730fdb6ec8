"""`llmchat`, `llmchat chat`, `… --chat "…"`: the interactive chat, as a screen or as lines."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from assistant.cli.options import Options, as_text
from assistant.errors import UsageError

Words = Annotated[list[str] | None, typer.Argument(metavar="QUESTION", hidden=True)]


def chat(_ctx: typer.Context, words: Words = None, *, options: Options) -> None:
    """Open the chat; a question is asked at once, standard input comes along.

    \b
    llmchat chat
    llmchat chat "how do I reverse a list in place?"
    git diff | llmchat chat "what could go wrong?"
    """
    open_chat(as_text(" ".join(words or [])), options)


def open_chat(text: str, options: Options) -> NoReturn:
    """Ends the command with the chat's exit code."""
    from assistant.cli.chatting import run_chat  # engines: nothing for --help

    raise typer.Exit(run_chat(text, options))


def wants_chat(options: Options) -> bool:
    """Whether a command line without a question opens the chat: a person sits at the terminal."""
    if options.chat or options.linear or options.resume:
        return True
    return not options.edit and sys.stdin.isatty()


def is_linear(options: Options) -> bool:
    """Lines where somebody wants them, and where a terminal cannot move its cursor.

    Raises `UsageError` where there is no terminal for the screen.
    """
    if options.linear or os.environ.get("TERM", "dumb") == "dumb":
        return True
    if not sys.stdout.isatty():
        raise UsageError("the chat needs a terminal", 'llmchat --linear, or llmchat "…"')
    return False
