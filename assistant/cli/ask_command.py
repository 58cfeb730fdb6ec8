"""The question that needs no command: `llmchat "…"`, `llmchat -`, `llmchat -e`, `… | llmchat`."""

from typing import Annotated

import typer

from assistant.cli.chat_command import open_chat
from assistant.cli.groups import IS_MEANT
from assistant.cli.options import Options, as_text

# Hidden: the usage line names them already, and Typer would add Python's type.
Words = Annotated[list[str] | None, typer.Argument(metavar="QUESTION", hidden=True)]


def ask(ctx: typer.Context, words: Words = None, *, options: Options) -> None:
    """Answer a question. Standard input comes before it, or is the question.

    \b
    llmchat "how do I reverse a list in place?"
    cat traceback.txt | llmchat "what went wrong?"
    """
    from assistant.cli.asked import NO_QUESTION, Asked, is_piped  # engines: nothing for --help
    from assistant.cli.command_of_prompt import answer
    from assistant.cli.words import refuse_mistyped
    from assistant.errors import UsageError

    words = words or []
    if words and ctx.parent is not None and not ctx.meta[IS_MEANT]:
        refuse_mistyped(words, ctx.parent.command.list_commands(ctx.parent))  # type: ignore[attr-defined]  # a group
    text = as_text(" ".join(words))
    if options.chat or options.linear or options.resume:
        open_chat(text, options)
    if not (text.strip() or options.edit or is_piped()):
        raise UsageError(*NO_QUESTION)
    answer(Asked("ask", text), options)
