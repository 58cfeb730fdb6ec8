"""Where settings come from, and which source wins; saves what the user sets.

A flag wins over LLMCHAT_*, that over the file of a trusted project, that over the user's file,
and that over the default. A value is checked in the same way wherever it comes from.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from assistant import paths
from assistant.config import (
    FOR_PROJECTS,
    SETTINGS,
    Settings,
    check_setting,
    nearest,
    variable,
)
from assistant.errors import UsageError
from assistant.toml_files import read_toml, remove_key, set_key

DEFAULT = "default"  # the origin of what nobody set
SHOWN_CHARACTERS = 80  # of a wrong value


class Given(Struct, frozen=True):
    """A flag as it was typed: Given("0", "-o temperature")."""

    text: str
    shown: str


class Loaded(Struct, frozen=True):
    """`origins`: for every setting "default", a file, LLMCHAT_NAME, or a flag."""

    settings: Settings
    origins: Mapping[str, str]


def find_user_file(named: str | None = None) -> Path:
    """The user's own file, or the one named instead. Raises `UsageError` when that is missing."""
    if named is None:
        return paths.config_folder() / "config.toml"
    try:
        file = Path(os.path.abspath(os.path.expanduser(named)))  # noqa: PTH100, PTH111 # without a home folder, Path raises
    except OSError as err:
        raise UsageError("the current folder is gone", "cd somewhere else") from err
    if not os.path.exists(file):  # noqa: PTH110 # a Path raises when the name is too long
        raise UsageError(f"there is no file {named}", "--no-config reads none")
    return file


def read_settings(
    flags: Mapping[str, Given],
    *,
    user_file: Path | None,
    project_file: Path | None,
    environment: Mapping[str, str] = os.environ,
) -> Loaded:
    """Every source is checked, also where a stronger one wins. Raises `UsageError`."""
    values: dict[str, Any] = {}
    origins = dict.fromkeys(SETTINGS, DEFAULT)
    for file in (user_file, project_file):
        if file is not None:
            found = read_file(file, is_project=file is project_file)
            values |= found
            origins |= dict.fromkeys(found, str(file))
    for name in SETTINGS:
        if text := environment.get(variable(name)):
            shown = f"{variable(name)}={text}"
            values[name] = check_setting(name, text, shown, f"unset {variable(name)}")
            origins[name] = variable(name)
    for name, given in flags.items():
        if name not in SETTINGS:
            raise UsageError(f"unknown option {given.shown}", nearest(name, tuple(SETTINGS)))
        values[name] = check_setting(name, given.text, f"{given.shown} {given.text}")
        origins[name] = given.shown
    return Loaded(Settings(**values), origins)


def read_file(path: Path, *, is_project: bool = False) -> dict[str, object]:
    """What one file sets; nothing when there is none. Raises `UsageError` with the line."""
    file = read_toml(path)
    if file is None:
        return {}
    found: dict[str, object] = {}
    for key, value in file.values.items():
        try:
            found[key] = _check_in_file(key, value, is_project=is_project)
        except UsageError as err:
            raise UsageError(f"{file.place(key)}: {err.message}", err.hint) from err
    return found


def _check_in_file(key: str, value: object, *, is_project: bool) -> object:
    if isinstance(value, dict) or key not in SETTINGS:
        kind = "table" if isinstance(value, dict) else "key"
        raise UsageError(f"unknown {kind} {_short(key)}", nearest(key, tuple(SETTINGS)))
    if is_project and key not in FOR_PROJECTS:
        may = f"it may set {', '.join(FOR_PROJECTS)}"
        raise UsageError(f"a project may not set {key}", may)
    takes, text = SETTINGS[key].takes, _text_of(value)
    written = f"{key} = " + (f'"{_short(text)}"' if isinstance(value, str) else _short(text))
    if type(value) in takes.types:
        return check_setting(key, text, written, "correct the line")
    quotes = ", in quotes" if str in takes.types else ""
    quotes = ", without quotes" if isinstance(value, str) else quotes
    raise UsageError(f"{written}: it {takes.words}{quotes}", "correct the line")


def _text_of(value: object) -> str:
    try:
        text = str(value)
    except ValueError:
        return "a number of too many digits"
    return text.lower() if isinstance(value, bool) else text


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


# ── saving ──────────────────────────────────────────────────────────────────────────────────


def save_setting(file: Path, name: str, text: str, *, is_dry_run: bool = False) -> None:
    """Sets it in a file, which keeps its comments and order; a dry run only checks.

    Raises `UsageError` for a wrong value or file, `AssistantError` when it cannot be written.
    """
    if name not in SETTINGS:
        raise UsageError(f"unknown setting {name}", nearest(name, tuple(SETTINGS)))
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError(f"{name} {text}: it is not UTF-8")
    value: Any = check_setting(name, text, f"{name} {text}")
    typed = text if str in SETTINGS[name].takes.types else value
    set_key(file, name, typed, is_dry_run=is_dry_run)


def remove_setting(file: Path, name: str, *, is_dry_run: bool = False) -> bool:
    """Removes a key from a file, known or not; False: the file does not have it."""
    is_removed = remove_key(file, name, is_dry_run=is_dry_run)
    if not is_removed and name not in SETTINGS:
        raise UsageError(f"unknown setting {name}", nearest(name, tuple(SETTINGS)))
    return is_removed
