"""The user's prompt files: lists all, shows one, begins a new one, edits and checks it."""

import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TextIO

from assistant import paths
from assistant.cli.report import Report
from assistant.editor import edit_file
from assistant.errors import AssistantError, UsageError
from assistant.prompts.finding import Listed, find_prompt_path, list_prompts
from assistant.prompts.folders import NAME, Origin, built_in_folder, prompt_names, user_folder
from assistant.prompts.front_matter import read_prompt, read_text
from assistant.rendering.json_lines import write_object
from assistant.rendering.tables import write_table
from assistant.visible_text import visible

START = "_new.md"  # beside the built-in prompts


def write_list(commands: Collection[str], out: TextIO, *, as_json: bool) -> None:
    """A line for each prompt; what is wrong with one, or wins over it, stands in its line.

    `commands` are names that mean something else than a prompt.
    """
    from assistant.cli.command_of_prompt import check_variable_names  # Typer: only for commands

    listed = list_prompts(commands, check_variable_names)
    if as_json:
        rows = [
            {
                "name": prompt.name,
                "path": str(prompt.path),
                "origin": prompt.origin.value,
                "description": prompt.description,
                "error": prompt.error.message if prompt.error is not None else None,
                "hidden_by": prompt.hidden_by or None,
            }
            for prompt in listed
        ]
        write_object(rows, out)
        return
    table = [(prompt.name, prompt.origin.value, _about(prompt)) for prompt in listed]
    write_table(table, out)


def show_prompt(name: str, report: Report) -> None:
    """The exact bytes to a pipe; a terminal gets them visible. Raises `AssistantError`."""
    path = find_prompt_path(name)[1]
    try:
        data = path.read_bytes()
    except OSError as err:
        raise AssistantError(f"{path} cannot be read: {err.strerror}", f"ls -l {path}") from err
    if not report.is_quiet:
        report.warning(str(path))
    if sys.stdout.isatty():
        text = visible(data.decode("utf-8", "replace"))
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def edit_prompt(name: str, report: Report, *, is_dry_run: bool = False) -> None:
    """Edits the user's file and checks it. Raises `UsageError`; what was written is kept."""
    from assistant.cli.command_of_prompt import check_variable_names  # as above

    path = user_folder() / f"{name}.md"
    if not (NAME.fullmatch(name) and path.is_file()):
        raise _not_the_users(name)
    if is_dry_run:
        report.warning(f"would open {path} in your editor")
        return
    edit_file(path)
    try:
        prompt = read_prompt(path)
        prompt.check_templates()
        check_variable_names(prompt)
    except UsageError as err:
        raise UsageError(err.message, f"{err.hint}; llmchat prompts edit {name}") from err
    report.note([f"llmchat {name}", str(path)])


def create_prompt(
    name: str, source: str | None, commands: Collection[str], *, is_dry_run: bool = False
) -> Path:
    """Writes the user's file `name`: the commented start, or a copy of the prompt `source`.

    A dry run only says where. Raises `UsageError` when the name is taken or cannot be one.
    """
    _check_free(name, commands)
    if source is None:
        text = (built_in_folder() / START).read_text("utf-8").replace("NAME", name)
    else:
        text = _renamed(read_text(find_prompt_path(source)[1]), source, name)
    if is_dry_run:
        return user_folder() / f"{name}.md"
    folder = paths.writable(user_folder())
    if folder != user_folder():
        raise AssistantError(
            f"{user_folder()} cannot be written", "set LLMCHAT_HOME to a folder that you may write"
        )
    path = folder / f"{name}.md"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as err:
        raise AssistantError(f"{path} cannot be written: {err.strerror or err}") from err
    return path


def _check_free(name: str, commands: Collection[str]) -> None:
    if NAME.fullmatch(name) is None:
        raise UsageError(
            f"a prompt cannot be named {name[:80]!r}",
            "a name begins with a to z; digits, - and _ may follow",
        )
    if (built_in_folder() / f"{name}.md").is_file():
        raise UsageError(f"{name} is a built-in prompt", _copy_hint(name))
    if name in commands:
        raise UsageError(f"{name} is a command", f"llmchat prompts new my-{name}")
    if (user_folder() / f"{name}.md").is_file():
        raise UsageError(f"you have a prompt {name}", f"llmchat prompts edit {name}")


def _not_the_users(name: str) -> UsageError:
    if name not in prompt_names():
        return UsageError(f"there is no prompt {name[:80]!r}", "llmchat prompts new NAME")
    origin, path = find_prompt_path(name)
    if origin is Origin.BUILT_IN:
        return UsageError(f"{name} is built in and cannot be changed", _copy_hint(name))
    return UsageError(f"{name} belongs to the project", f"edit {path}, or {_copy_hint(name)}")


def _copy_hint(name: str) -> str:
    return f"llmchat prompts new my-{name} --from {name}"


def _renamed(text: str, source: str, name: str) -> str:
    """The copy of a prompt under its own name, also in its examples."""
    text = re.sub(r"^name:.*$", f"name: {name}", text, count=1, flags=re.MULTILINE)
    head, rule, body = text.removeprefix("---\n").partition("\n---")
    examples = re.compile(rf"\bllmchat {re.escape(source)}(?![\w-])")
    return f"---\n{examples.sub(f'llmchat {name}', head)}{rule}{body}"


def _about(prompt: Listed) -> str:
    about = prompt.description
    if prompt.error is not None:
        reason = prompt.error.message.removeprefix(f"{prompt.path}, ")
        about = f"broken: {reason} ({prompt.error.hint})"
    return f"hidden by {prompt.hidden_by}: {about}" if prompt.hidden_by else about
