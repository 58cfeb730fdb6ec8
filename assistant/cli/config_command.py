"""`llmchat config`: what is set and by whom, where files are, and changing the user's own."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from assistant import paths
from assistant.cli.completions import complete_settings
from assistant.cli.options import Options
from assistant.cli.report import Report
from assistant.cli.trust_command import left_out
from assistant.config import SETTINGS, setting_text
from assistant.config_sources import (
    Loaded,
    find_user_file,
    read_settings,
    remove_setting,
    save_setting,
)
from assistant.errors import UsageError
from assistant.model_store.local_models import TORCH_PREFIX
from assistant.rendering.tables import write_table
from assistant.trust import find_project, trust_file, trusted_project

Key = Annotated[
    str | None, typer.Argument(metavar="KEY", hidden=True, autocompletion=complete_settings)
]
Value = Annotated[str | None, typer.Argument(metavar="VALUE", hidden=True)]


def show(_ctx: typer.Context, *, options: Options) -> None:
    """Show every setting, its value, and where that comes from.

    \b
    llmchat config show
    """
    as_json = options.wants_json
    has_sentences = bool(options.verbose)
    show_settings(options.load(), _report(options), as_json=as_json, has_sentences=has_sentences)


def path(_ctx: typer.Context, *, options: Options) -> None:
    """Show where llmchat keeps its files.

    \b
    llmchat config path
    """
    show_paths(as_json=options.wants_json)


def set_(_ctx: typer.Context, key: Key = None, value: Value = None, *, options: Options) -> None:
    """Set a default in your own config.toml; its comments stay.

    \b
    llmchat config set temperature 0.2
    llmchat config set model ~/models/qwen2.5-coder-7b-instruct-q4_k_m.gguf
    """
    file, is_dry_run = find_user_file(options.config), bool(options.dry_run)
    change_setting(file, key, value, _report(options), is_dry_run=is_dry_run)


def unset(_ctx: typer.Context, key: Key = None, *, options: Options) -> None:
    """Remove a setting from your own config.toml.

    \b
    llmchat config unset temperature
    """
    file, is_dry_run = find_user_file(options.config), bool(options.dry_run)
    clear_setting(file, key, _report(options), is_dry_run=is_dry_run)


def show_settings(
    loaded: Loaded, report: Report, *, as_json: bool, has_sentences: bool = False
) -> None:
    """On standard output; a project that is left out is named on standard error."""
    values = {name: getattr(loaded.settings, name) for name in SETTINGS}
    if as_json:
        origins = loaded.origins
        rows = {n: {"value": v, "origin": origins[n]} for n, v in values.items()}
        _write_json(rows)
    else:
        sentences = {name: [SETTINGS[name].sentence] if has_sentences else [] for name in SETTINGS}
        table = [
            [name, setting_text(name, value) or "-", loaded.origins[name], *sentences[name]]
            for name, value in values.items()
        ]
        write_table(table, sys.stdout)
    project = find_project()
    if project is not None and (reason := left_out(project)):
        report.warning(reason)


def show_paths(*, as_json: bool) -> None:
    """On standard output, whether they exist or not."""
    state = paths.state_folder()
    places = {
        "config": paths.config_folder(),
        "settings": find_user_file(),
        "prompts": paths.config_folder() / "prompts",
        "data": paths.data_folder(),
        "cache": paths.cache_folder(),
        "state": state,
        "trust": trust_file(),
        "log": state / "llamacpp.log",
        "undo": state / "undo",
        "runtime": paths.runtime_folder(),
    }
    if as_json:
        _write_json({name: str(place) for name, place in places.items()})
    else:
        write_table([[name, str(place)] for name, place in places.items()], sys.stdout)


def _from_everywhere(model: str) -> str:
    """A model's path that holds in every folder; names, and what is not there, stay."""
    prefix = TORCH_PREFIX if model.startswith(TORCH_PREFIX) else ""
    name = model.removeprefix(prefix)
    path = os.path.expanduser(name)  # noqa: PTH111 # without a home folder, Path raises
    return f"{prefix}{os.path.abspath(path)}" if os.path.exists(path) else model  # noqa: PTH100, PTH110 # as above


def change_setting(
    file: Path, key: str | None, value: str | None, report: Report, *, is_dry_run: bool = False
) -> None:
    """Saves it, and says who overrides it. Raises `AssistantError`."""
    if key is None or value is None:
        raise UsageError("config set needs a key and a value", "llmchat config set KEY VALUE")
    if key == "model":
        value = _from_everywhere(value)
    save_setting(file, key, value, is_dry_run=is_dry_run)
    if is_dry_run:
        report.warning(f"would write {key} = {value} to {file}")
        return
    report.note([f"{key} = {value}", str(file)])
    try:
        loaded = read_settings({}, user_file=file, project_file=_project_file())
    except UsageError as err:
        report.warning(f"saved; but {err.message}")
        return
    if loaded.origins[key] != str(file):
        now = setting_text(key, getattr(loaded.settings, key)) or "empty"
        report.warning(f"saved; here {loaded.origins[key]} wins: {key} is {now}")


def clear_setting(file: Path, key: str | None, report: Report, *, is_dry_run: bool = False) -> None:
    """Removes it, also a key that is no setting. Raises `AssistantError`."""
    if key is None:
        raise UsageError("config unset needs a key", "llmchat config unset KEY")
    if not remove_setting(file, key, is_dry_run=is_dry_run):
        report.warning(f"{key} is not set in {file}")
    elif is_dry_run:
        report.warning(f"would remove {key} from {file}")


def _project_file() -> Path | None:
    project = trusted_project()
    return project.settings_file if project is not None else None


def _report(options: Options) -> Report:
    return Report(sys.stderr, is_quiet=bool(options.quiet))


def _write_json(value: object) -> None:
    from assistant.rendering.json_lines import write_object  # engines' events: not for --help

    write_object(value, sys.stdout)
