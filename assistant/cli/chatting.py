"""Starts the interactive chat: what is piped in is read first, then keys come from the terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from assistant.attachments.attached import Attached
from assistant.cli.asked import is_piped
from assistant.cli.chat_command import is_linear
from assistant.cli.options import Options, as_text
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.conversation.message_names import MessageName, split_name
from assistant.errors import UsageError

TERMINAL = "/dev/tty"
ESCAPE_MS = "25"  # until Escape is a key of its own: Textual waits four times as long


def run_chat(text: str, options: Options) -> int:
    """The exit code. Raises `AssistantError`."""
    settings = options.load_settings()
    report = Report(sys.stderr, is_quiet=bool(options.quiet))
    linear = is_linear(options)
    attached = _attached(options, settings, report, reads_pipe=not linear)
    if linear:
        from assistant.cli.linear_chat import run_linear

        resume = resumed(options)
        return run_linear(text, attached.attachments, options, settings, report, resume=resume)
    if not sys.stdin.isatty():
        take_keys_from_terminal()
    with _short_escape():
        from assistant.tui.app import run_screen  # Textual
    from assistant.tui.screens.chat import Start

    start = Start(text, attached.attachments, shows_history=bool(options.resume))
    return run_screen(settings, start, resume=resumed(options), has_notes=not options.no_config)


@contextmanager
def _short_escape() -> Iterator[None]:
    """While Textual is imported, which reads it; commands that it runs later find no trace."""
    if "ESCDELAY" in os.environ:
        yield
        return
    os.environ["ESCDELAY"] = ESCAPE_MS
    try:
        yield
    finally:
        del os.environ["ESCDELAY"]


def resumed(options: Options) -> MessageName | None:
    """The conversation that -c or --conversation means."""
    if not (options.continue_ or options.conversation):
        return None
    return split_name(as_text(options.conversation or ""))


def _attached(
    options: Options, settings: Settings, report: Report, *, reads_pipe: bool
) -> Attached:
    """What -f names and what is piped in; said what was done to it."""
    found = Attached()
    names = options.file or []
    if names:
        from assistant.attachments.reading import attach

        found = attach(names, sys.stdin.buffer, settings.max_input)
    if reads_pipe and is_piped() and "-" not in names:
        from assistant.attachments.stdin import read_stdin

        piped = read_stdin(sys.stdin.buffer, settings.max_input)
        found = Attached((*piped.attachments, *found.attachments), (*piped.notices, *found.notices))
    for notice in found.notices:
        report.warning(notice)
    return found


def take_keys_from_terminal() -> None:
    """Standard input was a pipe, and is the terminal now. Raises `UsageError` without one."""
    try:
        terminal = os.open(TERMINAL, os.O_RDWR)
    except OSError as err:
        raise UsageError(
            f"the chat needs a terminal for its keys: {err.strerror}", 'llmchat "…" < FILE'
        ) from err
    os.dup2(terminal, 0)
    os.close(terminal)
    stdin = open(0, closefd=False)  # noqa: SIM115 # lives as long as we do
    with suppress(OSError, ValueError):
        sys.stdin.close()
    sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]  # Textual reads there
