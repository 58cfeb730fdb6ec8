"""Programs that llmchat starts: git and the user's editor."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping

from assistant.doctor.check import Check, check, ok, warning

GIT_SECONDS = 3
EDITORS = ("nano", "vim", "vi")  # taken when no variable names one


@check("git")
def check_git(environment: Mapping[str, str]) -> Check:
    found = shutil.which("git", path=environment.get("PATH"))
    if found is None:
        return warning("there is no git: nothing can be said about changes", "install git")
    try:
        done = subprocess.run(  # noqa: S603 # found on the user's own path
            [found, "--version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as err:
        return warning(f"{found} does not work: {err}", "install git again")
    version = done.stdout.decode("utf-8", "replace").strip().removeprefix("git version ")
    return ok(f"{version}, {found}")


@check("editor")
def check_editor(environment: Mapping[str, str]) -> Check:
    """$VISUAL, else $EDITOR, else one of the usual ones."""
    path = environment.get("PATH")
    for variable in ("VISUAL", "EDITOR"):
        value = environment.get(variable, "")
        if value.strip():
            return _named(variable, value, path)
    there = next((name for name in EDITORS if shutil.which(name, path=path)), None)
    if there is None:
        return warning("none is set, and there is neither nano nor vim", "export EDITOR=PROGRAM")
    return ok(f"{there}, as neither VISUAL nor EDITOR is set")


def _named(variable: str, value: str, path: str | None) -> Check:
    try:
        program = shlex.split(value)[0]
    except ValueError as err:  # a quote that nobody closes
        return warning(f"{variable}={value}: {err}", f"export {variable}=nano")
    if shutil.which(program, path=path) is None:
        return warning(
            f"{variable}={value}: there is no program {program}", f"export {variable}=nano"
        )
    return ok(f"{value} ({variable})")
