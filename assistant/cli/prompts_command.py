"""`llmchat prompts …`: commands around prompt files; what they do is in prompt_files.py."""

import sys
from typing import Annotated

import typer

from assistant.cli.completions import complete_prompts
from assistant.cli.options import Options
from assistant.cli.own_commands import OWN_COMMANDS
from assistant.cli.report import Report
from assistant.errors import UsageError
from assistant.visible_text import visible

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", hidden=True, autocompletion=complete_prompts)
]
From = Annotated[
    str | None, typer.Option("--from", metavar="NAME", help="Start with a copy of that prompt.")
]


def list_(_ctx: typer.Context, *, options: Options) -> None:
    """List all prompts: the built-in ones, yours, and those of a project that you trust."""
    from assistant.cli import prompt_files  # reading prompts takes 30 ms that --help has not

    prompt_files.write_list(OWN_COMMANDS, sys.stdout, as_json=options.wants_json)


def show(_ctx: typer.Context, name: Name = None, *, options: Options) -> None:
    """Show the file of a prompt.

    \b
    llmchat prompts show explain
    """
    from assistant.cli import prompt_files  # see list_

    prompt_files.show_prompt(_given(name, "show"), _report(options))


def edit(_ctx: typer.Context, name: Name = None, *, options: Options) -> None:
    """Open a prompt of yours in $VISUAL or $EDITOR, and check it afterwards.

    \b
    llmchat prompts edit shorten
    """
    from assistant.cli import prompt_files  # see list_

    is_dry_run = bool(options.dry_run)
    prompt_files.edit_prompt(_given(name, "edit"), _report(options), is_dry_run=is_dry_run)


def new(_ctx: typer.Context, name: Name = None, source: From = None, *, options: Options) -> None:
    """Begin a prompt of your own; it becomes the command llmchat NAME.

    \b
    llmchat prompts new shorten
    llmchat prompts new review-sql --from review
    """
    from assistant.cli import prompt_files  # see list_

    name = _given(name, "new")
    is_dry_run = bool(options.dry_run)
    path = prompt_files.create_prompt(name, source, OWN_COMMANDS, is_dry_run=is_dry_run)
    if is_dry_run:
        _report(options).warning(f"would write {path}")
        return
    sys.stdout.write(f"{visible(str(path)) if sys.stdout.isatty() else path}\n")
    if sys.stdin.isatty() and sys.stdout.isatty():
        prompt_files.edit_prompt(name, _report(options))


def _report(options: Options) -> Report:
    return Report(sys.stderr, is_quiet=bool(options.quiet))


def _given(name: str | None, command: str) -> str:
    if name is None:
        raise UsageError(f"prompts {command} needs a name", f"llmchat prompts {command} NAME")
    return name
