"""Finds prompt files by name and reads them, also all of them for a list."""

from collections.abc import Callable, Collection
from pathlib import Path

from msgspec import Struct

from assistant.config import nearest
from assistant.errors import UsageError
from assistant.prompts.folders import (
    NAME,
    Origin,
    is_file,
    prompt_folders,
    prompt_names,
    prompt_paths,
)
from assistant.prompts.front_matter import read_prompt
from assistant.prompts.prompt_file import PromptFile
from assistant.prompts.summaries import read_summary

WINNERS = {Origin.BUILT_IN: "built-in prompt", Origin.USER: "user's prompt"}


class Listed(Struct, frozen=True):
    """A prompt file, good or bad. `error`: why it cannot be used; `hidden_by`: what of the
    same name wins over it."""

    name: str
    path: Path
    origin: Origin
    description: str
    error: UsageError | None = None
    hidden_by: str = ""


def find_prompt(name: str) -> PromptFile:
    """Raises `UsageError` when there is none, or it is wrong."""
    origin, path = find_prompt_path(name)
    return read_prompt(path, origin)


def find_prompt_path(name: str) -> tuple[Origin, Path]:
    """The file that wins, whatever is in it. Raises `UsageError` when there is none."""
    if NAME.fullmatch(name):
        for origin, folder in prompt_folders():
            path = folder / f"{name}.md"
            if is_file(path):
                return origin, path
    raise UsageError(f"there is no prompt {name[:80]!r}", nearest(name, prompt_names()))


def list_prompts(
    commands: Collection[str] = (), check: Callable[[PromptFile], None] | None = None
) -> tuple[Listed, ...]:
    """Every prompt file by name, whatever is wrong with it.

    `commands` are names that mean something else on the command line than a prompt; `check`
    raises `UsageError` for a prompt that has no mistake in itself, but cannot be used.
    """
    winners = dict.fromkeys(commands, "command")
    listed = []
    for origin, path in prompt_paths():
        listed.append(_look_at(path, origin, winners.get(path.stem, ""), check))
        winners.setdefault(path.stem, WINNERS.get(origin, ""))
    return tuple(sorted(listed, key=lambda prompt: prompt.name))


def _look_at(
    path: Path, origin: Origin, hidden_by: str, check: Callable[[PromptFile], None] | None
) -> Listed:
    try:
        prompt = read_prompt(path, origin)
        prompt.check_templates()
        if check is not None:
            check(prompt)
    except UsageError as err:
        return Listed(path.stem, path, origin, read_summary(path), err, hidden_by)
    return Listed(path.stem, path, origin, prompt.description, None, hidden_by)
