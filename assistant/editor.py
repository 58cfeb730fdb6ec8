"""Opens the user's editor on a file, or on a text that is only written there."""

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.errors import AssistantError, UsageError

VARIABLES = ("VISUAL", "EDITOR")
EDITORS = ("nano", "vim", "vi")  # when no variable says
TERMINAL = "/dev/tty"


def edit_file(path: Path) -> None:
    """Returns when the editor ends. Raises `AssistantError` when there is none, or it fails."""
    import subprocess  # takes 5 ms

    command = _editor()
    with _terminal() as (stdin, stdout), _interrupts_are_the_editors():
        try:
            ended = subprocess.run(  # noqa: S603 # what the user chose
                [*command, str(path)], stdin=stdin, stdout=stdout, check=False
            )
        except OSError as err:
            raise AssistantError(
                f"the editor {command[0]} cannot be started: {err.strerror or err}",
                "name another one: export VISUAL=nano",
            ) from err
    if ended.returncode != 0:
        raise AssistantError(
            f"the editor {command[0]} ended with {ended.returncode}",
            "try again, or name another one: export VISUAL=nano",
        )


def compose(start: str = "") -> str:
    """What the user makes of `start` in the editor; nothing of it stays on disk."""
    import tempfile  # takes 8 ms

    try:
        descriptor, name = tempfile.mkstemp(prefix="llmchat-", suffix=".md")  # mode 0600
    except OSError as err:
        reason = f"nothing can be written to the temporary folder: {err.strerror}"
        raise AssistantError(reason, "set TMPDIR to a folder that you may write") from err
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(start.encode("utf-8", "replace"))
        edit_file(path)
        return path.read_text("utf-8", "replace") if path.exists() else ""
    finally:
        path.unlink(missing_ok=True)


def _editor() -> list[str]:
    import shutil  # takes 8 ms

    for variable in VARIABLES:
        value = os.environ.get(variable, "")
        try:
            words = shlex.split(value)
        except ValueError as err:
            raise UsageError(f"{variable}={value}: {err}", f"export {variable}=nano") from err
        if words:
            return words
    for name in EDITORS:
        if shutil.which(name):
            return [name]
    raise AssistantError("there is no editor", "name one: export VISUAL=/path/to/editor")


@contextmanager
def _terminal() -> Iterator[tuple[int | None, int | None]]:
    """Standard input and output for an editor: the terminal, also where ours are pipes."""
    if os.isatty(0) and os.isatty(1):
        yield None, None
        return
    try:
        opened = os.open(TERMINAL, os.O_RDWR)
    except OSError:  # there is none: an editor with windows of its own needs none
        opened = os.open(os.devnull, os.O_RDWR)
    try:
        yield (None if os.isatty(0) else opened), (None if os.isatty(1) else opened)
    finally:
        os.close(opened)


@contextmanager
def _interrupts_are_the_editors() -> Iterator[None]:
    """Ctrl-C reaches both of us. A handler, unlike SIG_IGN, is not passed on to the editor."""
    previous = signal.signal(signal.SIGINT, lambda _signal, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
