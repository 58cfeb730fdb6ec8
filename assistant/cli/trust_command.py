"""`llmchat trust`, and the question about a project that was not looked at yet."""

import os
import sys
from collections.abc import Sequence
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
    Note,
    Project,
    decision,
    decisions_problem,
    find_projects,
    is_answered,
    remember,
    trust_file,
)
from assistant.visible_text import visible

SHOWN_CHARACTERS = 200  # of a setting or a system message that is shown before the question
MAX_NAMED = 5  # files; of more the folder is named
QUOTE = '"'

Folder = Annotated[str | None, typer.Argument(metavar="FOLDER", hidden=True)]
No = Annotated[bool | None, typer.Option("--no", help="Leave out what the project brings.")]


def trust(_ctx: typer.Context, folder: Folder = None, no: No = None, *, options: Options) -> None:
    """Use what a project brings: settings, prompts and AGENTS.md.

    They are .llmchat.toml, .llmchat/prompts/NAME.md, AGENTS.md and LLMCHAT.md.

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
    """Shows what `folder` brings, or all that counts in the current one (None), asks unless it
    `is_approved`, and keeps the answer. Raises `AssistantError`."""
    projects = _projects_of(folder)
    if is_trusted:
        projects = _readable(projects, report)
        for line in (line for project in projects for line in _contents(project)):
            report.warning(line)
    end = "trusted" if is_trusted else "left out"
    if is_dry_run:
        for project in projects:
            report.warning(f"would write to {trust_file()} that {project.folder} is {end}")
        return
    if is_trusted:
        require_approval(_question(projects), is_given=is_approved, hint="llmchat trust --yes")
    if problem := decisions_problem():
        report.warning(f"{problem}: all other answers are lost")
    for project in projects:
        remember(project, is_trusted=is_trusted)
        report.note([f"{project.folder} is {end} now"])


def settle_trust(report: Report) -> None:
    """Asks once about each folder that was not looked at yet, or says that it is left out."""
    projects = [project for project in find_projects() if not is_answered(project)]
    if projects and (problem := decisions_problem()):
        report.warning(problem)
    for project in projects:
        if project.problem or not can_ask():
            report.warning(left_out(project))
        else:
            _ask(project, report)


def _ask(project: Project, report: Report) -> None:
    try:
        for line in _contents(project):
            report.warning(line)
        remember(project, is_trusted=is_approved(_question([project])))
    except AssistantError as err:
        report.warning(err.message)


def _question(projects: Sequence[Project]) -> str:
    folders = " and ".join(str(project.folder) for project in projects)
    return f"use this in {folders} until it changes?"


def left_out(project: Project) -> str:
    """Why what a project brings counts for nothing now; empty when it is trusted."""
    names = [str(path.relative_to(project.folder)) for path in _brought(project)]
    shown = f"{project.folder}/{_listed(names)}"
    are, them = ("is", "it") if len(names) == 1 else ("are", "them")
    if project.problem:
        return f"{shown} {are} left out: {project.problem}"
    match decision(project):
        case True:
            return ""
        case False:
            return f"{shown} {are} left out because you said so (llmchat trust)"
        case None:
            return f"{shown} {are} left out until you trust {them} (llmchat trust)"


def _brought(project: Project) -> list[Path]:
    """The files of a project; its prompts are their folder."""
    prompts = project.prompt_files
    others = [file for file in project.files if file not in prompts]
    if prompts:
        others.insert(1 if project.settings_file else 0, project.prompts_folder)
    return others


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _projects_of(folder: str | None) -> Sequence[Project]:
    """All that count in the current folder, or the one that is nearest to the folder named."""
    if folder is not None and not os.path.isdir(folder):  # noqa: PTH112 # a Path raises when the name is too long
        raise InputError(f"there is no folder {folder}", "llmchat trust FOLDER")
    projects = find_projects() if folder is None else find_projects(Path(folder))[-1:]
    if not projects:
        raise InputError(
            f"{folder or 'this folder'} has no settings, prompts or notes to trust",
            "a project brings .llmchat.toml, .llmchat/prompts/NAME.md or AGENTS.md",
        )
    return projects


def _readable(projects: Sequence[Project], report: Report) -> Sequence[Project]:
    """Those that can be trusted; the others are named. Raises `InputError` when none can."""
    readable = [project for project in projects if not project.problem]
    if not readable:
        raise InputError(projects[0].problem, "what cannot be read cannot be trusted")
    for project in projects:
        if project.problem:
            report.warning(left_out(project))
    return readable


def _contents(project: Project) -> list[str]:
    """A line for each file, and how to read them. Raises `UsageError` for wrong settings."""
    lines = [f"{project.folder} brings"]
    notes = {project.folder / note.name: note for note in project.notes}
    for file in project.files:
        if file == project.settings_file:
            holds = _values(file)
        else:
            holds = _saying(notes[file]) if file in notes else _instructions(file)
        lines.append(f"- {file.relative_to(project.folder)}, {_size(file)}: {holds}")
    names = [quote(str(file)) for file in project.files]
    if len(names) > MAX_NAMED:
        names = [
            f"{quote(str(path))}/*.md" if path == project.prompts_folder else quote(str(path))
            for path in _brought(project)
        ]
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


def _saying(note: Note) -> str:
    """How a note begins. What hides in it would be missed by whoever reads it."""
    text = note.text.replace("\r\n", "\n").strip()
    hidden = sum(text.count(character) for character in {*text} if visible(character) != character)
    return _beginning(text, QUOTE) + (f", {hidden:,} hidden characters" if hidden else "")


def _beginning(text: str, quotes: str, most_lines: int | None = None) -> str:
    """A text in quotes; when it is long, as much as has room, and how much more there is."""
    lines = text.split("\n")
    shown = "\n".join(lines[:most_lines])[:SHOWN_CHARACTERS]
    more = len(text) - len(shown)
    return f"{quotes}{shown}{quotes}" + (f" … {more:,} more characters" if more else "")
