"""The console script: puts the standard streams in order, and every way out is an exit code."""

import gc
import io
import os
import sys
from contextlib import suppress
from typing import NoReturn

from assistant.cli.completions import VARIABLE
from assistant.cli.exit_codes import GENERAL, INTERRUPTED
from assistant.cli.interrupts import leave_at_once
from assistant.cli.own_commands import OWN_COMMANDS


def main() -> NoReturn:
    """Everything is closed and written by now: taking the interpreter apart takes 50 ms more."""
    code = run_command()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def run_command() -> int:
    """The exit code of what was typed."""
    gc.disable()  # imports make no garbage, and looking for it takes 10 ms of them
    try:
        open_closed_streams()
        if will_ask(sys.argv[1:]):
            from assistant.engine.spawn import prepare

            prepare()  # an engine starts while the rest is imported
        # Typer takes 50 ms; Ctrl-C in that time must not show a traceback.
        from assistant.cli.app import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        leave_at_once(INTERRUPTED, is_answering=False)
    except SystemExit as end:  # a signal that came while a person was at work
        return end.code if isinstance(end.code, int) else GENERAL


def will_ask(words: list[str]) -> bool:
    """Whether a model is going to be asked, as far as a first look tells."""
    if "LLMCHAT_RESIDENT" in os.environ or VARIABLE in os.environ or not hasattr(os, "posix_spawn"):
        return False
    first = next((word for word in words if not word.startswith("-")), "")
    asks = first in ("chat", "context") or (first != "help" and first not in OWN_COMMANDS)
    return asks and not {"-h", "--help", "--version", "--no-resident"}.intersection(words)


def open_closed_streams() -> None:
    """Whoever closed a standard stream (`2>&-`) gets /dev/null in its place.

    Otherwise the next file to be opened takes its number, and is written into. Standard output
    alone stays None for Python: nobody could read the answer, and `run` says so.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115 # lives as long as we do
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = None if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
