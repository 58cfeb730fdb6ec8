"""docs/commands.md and docs/settings.md, written from the commands and settings themselves.

`make docs` runs this file; a test keeps the documents true.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from assistant.cli.app import app
from assistant.cli.exit_codes import MEANINGS
from assistant.cli.options import Options
from assistant.cli.own_commands import OWN_COMMANDS
from assistant.cli.reference_settings import settings_markdown
from assistant.prompts.folders import built_in_folder

HEAD = """# Commands

Written by `make docs` from the commands themselves. Settings are in [settings.md](settings.md).

A first word that is no command is a question: `llmchat "how do I …?"`. Words after `--` are always
a question. A file is `FILE`, `FILE:10-40`, `FILE::Class.method`, a folder, or `-` for standard
input.
"""

SHARED = """## Options of every command

They hold before and after the command; the later one wins.
"""

STREAMS = """
Standard output is the answer and nothing else; progress, notices, questions and errors go to
standard error, each error in one line with what to type next.
"""


def commands_markdown() -> str:
    """The reference of all built-in commands, whatever prompts the reader has."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("llmchat", [], resilient_parsing=True)
    names = {*OWN_COMMANDS, *(path.stem for path in built_in_folder().glob("[a-z]*.md"))}
    shared = [param for param in group.get_params(context) if param.name != "words"]
    parts = [HEAD, SHARED, _table(param.get_help_record(context) for param in shared)]
    for name in sorted(names - {"ask"}):
        parts += _command(group.get_command(context, name), context, name)
    return "\n".join([*parts, _exit_codes(), STREAMS])


def _command(command: Any, parent: Any, name: str, depth: int = 2) -> Iterator[str]:
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        words = [param.metavar for param in command.params if param.param_type_name == "argument"]
        usage = " ".join([context.command_path, *(f"[{word}]…" for word in words)])
        yield f"{'#' * depth} `{usage}`\n"
        yield _text(command.help or "") + "\n"
        own = [param for param in command.params if param.name not in Options.__dataclass_fields__]
        rows = [row for param in own if (row := param.get_help_record(context))]
        if rows:
            yield _table(rows)
        for sub_name, sub in sorted(getattr(command, "commands", {}).items()):
            yield from _command(sub, context, sub_name, depth + 1)


def _exit_codes() -> str:
    rows = (f"| {code} | {meaning} |" for code, meaning in MEANINGS.items())
    return "\n".join(["## Exit codes\n", "| code | meaning |", "| --- | --- |", *rows])


def _text(help_text: str) -> str:
    """`\\b` begins lines that belong together: examples."""
    text, _, examples = help_text.partition("\b\n")
    lines = [line.strip() for line in examples.strip().splitlines()]
    shown = "\n".join(["", "```console", *(f"$ {line}" for line in lines), "```"]) if lines else ""
    return " ".join(text.split()) + ("\n" + shown if shown else "")


def _table(rows: Any) -> str:
    lines = ["| option | meaning |", "| --- | --- |"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in rows]
    return "\n".join(lines) + "\n"


def main(folder: Path) -> None:
    (folder / "commands.md").write_text(commands_markdown())
    (folder / "settings.md").write_text(settings_markdown())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
