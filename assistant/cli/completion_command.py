"""`llmchat completion SHELL`: Tab completes commands, prompts, models and settings."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from assistant.cli.completions import SHELLS, VARIABLE, complete_shells
from assistant.cli.options import Options
from assistant.cli.report import Report
from assistant.errors import AssistantError, UsageError

# What installing writes, the script first; PowerShell alone knows its own file.
CHANGED = {
    "bash": ("~/.bash_completions/llmchat.sh", "~/.bashrc"),
    "zsh": ("~/.zfunc/_llmchat", "~/.zshrc"),
    "fish": ("~/.config/fish/completions/llmchat.fish",),
}

Shell = Annotated[
    str | None, typer.Argument(metavar="SHELL", hidden=True, autocompletion=complete_shells)
]
Install = Annotated[bool | None, typer.Option("--install", help="Add it to the shell's own files.")]


def completion(
    _ctx: typer.Context, shell: Shell = None, install: Install = None, *, options: Options
) -> None:
    """Make Tab complete llmchat's words in bash, zsh, fish or PowerShell.

    \b
    llmchat completion bash --install
    eval "$(llmchat completion zsh)"
    """
    if shell not in SHELLS:
        raise UsageError(
            f"there is no completion for {shell}" if shell else "completion needs a shell",
            f"one of {', '.join(SHELLS)}: llmchat completion bash",
        )
    if not install:
        typer.echo(shell_script(shell))
        return
    _check_shell(shell)
    report = Report(sys.stderr, is_quiet=bool(options.quiet))
    places = " and ".join(CHANGED.get(shell, ("$PROFILE",)))
    if options.dry_run:
        report.warning(f"would write {places}")
        return
    path = install_script(shell)
    places = places if shell in CHANGED else str(path)
    report.done(f"wrote {places}; a new terminal completes llmchat")


def complete(command: Any, wanted: str) -> int:
    """Answers the shell's script, which set `VARIABLE`; returns an exit code."""
    from typer._completion_classes import completion_init  # private, and only here
    from typer.completion import shell_complete

    completion_init()
    code: int = shell_complete(command, {}, "llmchat", VARIABLE, wanted)
    return code


def shell_script(shell: str) -> str:
    """What a shell has to read once."""
    from typer._completion_shared import get_completion_script  # private; the public one prints

    return str(get_completion_script(prog_name="llmchat", complete_var=VARIABLE, shell=shell))


def install_script(shell: str) -> Path:
    """Adds it to the shell's own files. Returns that of the script. Raises `AssistantError`."""
    from subprocess import SubprocessError

    from typer._completion_shared import install  # private, too

    try:
        found: tuple[str, Path] = install(shell=shell, prog_name="llmchat", complete_var=VARIABLE)
    except (OSError, RuntimeError, SubprocessError, UnicodeError) as err:  # RuntimeError: no home
        raise AssistantError(
            f"the completion of {shell} cannot be installed: {err}",
            f"llmchat completion {shell} writes it to standard output",
        ) from err
    return found[1]


def _check_shell(shell: str) -> None:
    """PowerShell has to say itself where its file is."""
    import shutil  # takes 8 ms

    if shell not in CHANGED and shutil.which(shell) is None:
        raise AssistantError(f"there is no {shell} on this machine", f"one of {', '.join(CHANGED)}")
