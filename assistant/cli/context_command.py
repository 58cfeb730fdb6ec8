"""`llmchat context`: what a question would send, before anything is sent."""

from dataclasses import replace
from typing import Annotated

import typer

from assistant.cli.options import Options, as_text

Words = Annotated[list[str] | None, typer.Argument(metavar="QUESTION", hidden=True)]


def context(_ctx: typer.Context, words: Words = None, *, options: Options) -> None:
    """Say what a question would send, in exact tokens, and how long reading it takes.

    \b
    llmchat context -f src/app.py
    llmchat context -c "and in Rust?"
    """
    from assistant.cli.asked import Asked  # engines: nothing for --help
    from assistant.cli.command_of_prompt import answer

    asked = Asked("ask", as_text(" ".join(words or [])), is_draft=True)
    answer(asked, replace(options, dry_run=True))
