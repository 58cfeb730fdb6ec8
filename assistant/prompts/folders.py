"""Where prompt files are, and which of several with one name wins: no file is opened.

Built-in ones win over the user's, and the user's over those of a project that the user trusts:
no file of anybody else changes what `llmchat ask` means.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from assistant import paths
from assistant.trust import trusted_project

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class Origin(StrEnum):
    """Who wrote a prompt file."""

    BUILT_IN = "built-in"
    USER = "user"
    PROJECT = "project"


def built_in_folder() -> Path:
    """In a checkout prompts/ stands beside the package; a wheel has it inside."""
    package = Path(__file__).parent.parent
    # Beside an installed package a folder named prompts is somebody else's.
    installed = package / "prompt_files"
    return installed if installed.is_dir() else package.parent / "prompts"


def user_folder() -> Path:
    """The user's own prompts; it need not exist."""
    return paths.config_folder() / "prompts"


def prompt_folders() -> Iterator[tuple[Origin, Path]]:
    """The one that wins comes first."""
    yield Origin.BUILT_IN, built_in_folder()
    yield Origin.USER, user_folder()
    project = trusted_project()
    if project is not None:
        yield Origin.PROJECT, project.prompts_folder


def prompt_paths() -> Iterator[tuple[Origin, Path]]:
    """All prompt files; of several with one name the one that wins comes first."""
    for origin, folder in prompt_folders():
        for path in sorted(folder.glob("*.md")):
            if NAME.fullmatch(path.stem) and is_file(path):
                yield origin, path


def prompt_names() -> tuple[str, ...]:
    """Sorted, each of them once."""
    return tuple(sorted({path.stem for _, path in prompt_paths()}))


def is_file(path: Path) -> bool:
    """False as well where nobody may look."""
    try:
        return path.is_file()
    except OSError:
        return False
