"""`llmchat doctor`: whether all that llmchat needs is there and works; --disk: what takes room."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.exit_codes import GENERAL, OK
from assistant.cli.options import Options
from assistant.errors import AssistantError, UsageError

if TYPE_CHECKING:
    from assistant.config import Settings
    from assistant.doctor.examine import Subject
    from assistant.doctor.settings import PromptState

DISK = Annotated[bool, typer.Option("--disk", help="Show where the gigabytes are instead.")]


def doctor(_ctx: typer.Context, disk: DISK = False, *, options: Options) -> None:
    """Check that everything works here, or say what to do.

    \b
    llmchat doctor
    llmchat doctor --disk
    """
    wants_json = _wants_json(options)
    if disk:
        show_disk_use(wants_json=wants_json)
        raise typer.Exit(OK)
    color = _has_color(options.load_settings)
    code = run_checks(options.load_settings, has_color=color, wants_json=wants_json)
    raise typer.Exit(code)


def run_checks(load: "Callable[[], Settings]", *, has_color: bool, wants_json: bool) -> int:
    """Writes every check on standard output; the exit code is 1 when one failed.

    `load` reads the settings and raises `UsageError`.
    """
    from assistant.doctor.examine import examine  # with model files and templates: 60 ms
    from assistant.doctor.showing import CheckLines, write_checks_json

    checks = examine(_subject(load, has_color=has_color))
    if wants_json:
        return OK if write_checks_json(checks, sys.stdout) else GENERAL
    is_terminal = sys.stdout.isatty()
    lines = CheckLines(sys.stdout, is_terminal=is_terminal, has_color=has_color)
    return OK if lines.write(checks) else GENERAL


def show_disk_use(*, wants_json: bool) -> None:
    from assistant.doctor.disk import disk_use  # only for those who ask
    from assistant.doctor.showing import write_disk_use, write_disk_use_json
    from assistant.rendering.tables import terminal_columns

    use = disk_use(os.environ)
    if wants_json:
        write_disk_use_json(use, sys.stdout)
    else:
        write_disk_use(use, sys.stdout, terminal_columns(sys.stdout))


def _wants_json(options: Options) -> bool:
    """A wrong setting is for the checks to say; only --output is refused at once."""
    try:
        return options.wants_json
    except UsageError:
        if options.output is None:
            return False
        from assistant.config import check_setting

        return bool(check_setting("output", options.output, f"--output {options.output}") != "text")


def _subject(load: "Callable[[], Settings]", *, has_color: bool) -> "Subject":
    from dataclasses import fields

    from assistant.config import Settings
    from assistant.doctor.examine import Subject
    from assistant.doctor.model import Model, read_model
    from assistant.doctor.terminal import this_terminal
    from assistant.engine.remote_spec import RemoteSpec
    from assistant.startup import choose_model

    def find_model() -> Model | RemoteSpec | AssistantError:
        settings = load()
        return read_model(settings.model, lambda: choose_model(settings))

    return Subject(
        load=load,
        settings=[spec.name for spec in fields(Settings)],
        find_model=find_model,
        prompts=_prompts,
        terminal=this_terminal(os.environ, has_color=has_color),
        environment=os.environ,
    )


def _has_color(load: "Callable[[], Settings]") -> bool:
    from assistant.cli.color import has_color
    from assistant.config import Color

    try:
        return has_color(load().color, sys.stdout)
    except AssistantError:  # a check says it
        return has_color(Color.AUTO, sys.stdout)


def _prompts() -> "Iterator[PromptState]":
    from assistant.cli.command_of_prompt import check_variable_names
    from assistant.doctor.settings import PromptState
    from assistant.prompts.finding import list_prompts  # YAML and templates: 60 ms

    for prompt in list_prompts(check=check_variable_names):
        yield PromptState(prompt.path, prompt.error)
