"""`llmchat trust`, and the question about a project that was not looked at yet."""

import os
import sys
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from assistant.cli.asking import can_ask, is_approved, require_approval
from assistant.cli.options import Options
from assistant.cli.report import Report
from assistant.config import setting_text
from assistant.config_sources import read_file
from assistant.errors import AssistantError, InputError, UsageError
from assistant.trust import (
    Project,
    decision,
    decisions_problem,
    find_project,
    remember,
    trust_file,
)

SHOWN_CHARACTERS = 200  # of a setting or a system message that is shown before the question
MAX_NAMED = 5  # files; of more the folder is named
QUOTE = '"'

Folder = Annotated[str | None, typer.Argument(metavar="FOLDER", hidden=True)]
No = Annotated[bool | None, typer.Option("--no", help="Leave out what the project brings.")]


def trust(_ctx: typer.Context, folder: Folder = None, no: No = None, *, options: Options) -> None:
    """Use what a project brings: .llmchat.toml and .llmchat/prompts.

    \b
    llmchat trust
    llmchat trust --no ~/downloads/something
    """
    change_trust(
        folder,
        Report(sys.stderr, is_quiet=bool(options.quiet)),
        is_trusted=not no,
        is_approved=bool(options.yes),
        is_dry_run=bool(options.dry_run),
    )


def change_trust(
    folder: str | None,
    report: Report,
    *,
    is_trusted: bool,
    is_approved: bool,
    is_dry_run: bool = False,
) -> None:
    """Shows what the project of `folder` (None: the current one) brings, asks unless it
    `is_approved`, and keeps the answer. Raises `AssistantError`."""
    project = _project_of(folder)
    if is_trusted:
        for line in _contents(project):
            report.warning(line)
    if is_dry_run:
        end = "trusted" if is_trusted else "left out"
        report.warning(f"would write to {trust_file()} that {project.folder} is {end}")
        return
    if is_trusted:
        question = f"use this in {project.folder} until it changes?"
        require_approval(question, is_given=is_approved, hint="llmchat trust --yes")
    if problem := decisions_problem():
        report.warning(f"{problem}: all other answers are lost")
    remember(project, is_trusted=is_trusted)
    report.note([f"{project.folder} is {'trusted' if is_trusted else 'left out'} now"])


def settle_trust(report: Report) -> None:
    """Asks once about a project that was not looked at yet, or says that it is left out."""
    project = find_project()
    if project is None or (not project.problem and decision(project) is not None):
        return
    if problem := decisions_problem():
        report.warning(problem)
    if project.problem or not can_ask():
        report.warning(left_out(project))
        return
    try:
        for line in _contents(project):
            report.warning(line)
        question = f"use this in {project.folder} until it changes?"
        remember(project, is_trusted=is_approved(question))
    except AssistantError as err:
        report.warning(err.message)


def left_out(project: Project) -> str:
    """Why a project counts for nothing now; empty when it is trusted."""
    if project.problem:
        return f"{project.folder}: its settings and prompts are left out: {project.problem}"
    name = project.settings_file or project.prompts_folder
    match decision(project):
        case True:
            return ""
        case False:
            return f"{name} is left out because you said so (llmchat trust)"
        case None:
            return f"{name} is left out until you trust it (llmchat trust)"


def _project_of(folder: str | None) -> Project:
    if folder is not None and not os.path.isdir(folder):  # noqa: PTH112 # a Path raises when the name is too long
        raise InputError(f"there is no folder {folder}", "llmchat trust FOLDER")
    project = find_project(Path(folder) if folder is not None else None)
    if project is None:
        raise InputError(
            f"{folder or 'this folder'} has no settings or prompts to trust",
            "a project brings .llmchat.toml or .llmchat/prompts/NAME.md",
        )
    if project.problem:
        raise InputError(project.problem, "what cannot be read cannot be trusted")
    return project


def _contents(project: Project) -> list[str]:
    """A line for each file, and how to read them. Raises `UsageError` for wrong settings."""
    lines = [f"{project.folder} brings"]
    for file in project.files:
        holds = _values(file) if file == project.settings_file else _instructions(file)
        lines.append(f"- {file.relative_to(project.folder)}, {_size(file)}: {holds}")
    names = [quote(str(file)) for file in project.files]
    if len(names) > MAX_NAMED:
        names = [*names[:1], f"{quote(str(project.prompts_folder))}/*.md"]
    return [*lines, f"read all of it: less {' '.join(names)}"]


def _size(file: Path) -> str:
    try:
        return f"{file.stat().st_size:,} bytes"
    except OSError:
        return "just gone"


def _values(file: Path) -> str:
    shown = []
    for name, value in read_file(file, is_project=True).items():
        text = setting_text(name, value)
        quotes = QUOTE if isinstance(value, str) else ""
        shown.append(f"{name} = {_beginning(text, quotes)}")
    return ", ".join(shown) or "it sets nothing"


def _instructions(file: Path) -> str:
    """How the system message of a prompt begins."""
    from assistant.prompts.front_matter import read_prompt  # YAML: only for this question

    try:
        system = read_prompt(file).system
    except UsageError as err:
        return f"no prompt: {err.message.removeprefix(f'{file}, ')}"
    return f"system {_beginning(system, QUOTE, most_lines=1)}" if system else "no system message"


def _beginning(text: str, quotes: str, most_lines: int | None = None) -> str:
    """A text in quotes; when it is long, as much as has room, and how much more there is."""
    lines = text.split("\n")
    shown = "\n".join(lines[:most_lines])[:SHOWN_CHARACTERS]
    more = len(text) - len(shown)
    return f"{quotes}{shown}{quotes}" + (f" … {more:,} more characters" if more else "")
