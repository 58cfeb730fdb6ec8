"""`llmchat undo`: takes back what llmchat wrote, or shows what can be taken back."""

import sys
import time
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.color import has_color
from assistant.cli.options import Options
from assistant.cli.report import Report

if TYPE_CHECKING:
    from assistant.edits.undo import Undone
    from assistant.edits.undo_journal import DamagedEntry, UndoEntry

List = Annotated[
    bool,
    typer.Option("--list", "-l", help="Show what can be undone, newest first; change nothing."),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Also when the file has changed since; these changes are lost."),
]


def undo(
    _ctx: typer.Context, wants_list: List = False, is_forced: Force = False, *, options: Options
) -> None:
    """Take back the last file that llmchat wrote.

    \b
    llmchat undo
    llmchat undo --list
    """
    if wants_list:
        show_writes(as_json=options.wants_json)
    elif options.dry_run:
        color = has_color(options.load_settings().color, sys.stdout)
        show_undo(is_forced=is_forced, has_color=color)
    else:
        take_back(Report(sys.stderr, is_quiet=bool(options.quiet)), is_forced=is_forced)


def take_back(report: Report, *, is_forced: bool) -> None:
    """Undoes the newest write and says what that did. Raises `AssistantError`."""
    from assistant.edits.undo import undo_last  # hashlib and difflib: nothing for --help

    undone = undo_last(is_forced=is_forced)
    if not report.is_quiet:
        report.warning(_what_it_did(undone))


def show_undo(*, is_forced: bool, has_color: bool) -> None:
    """The diff that undoing would make, on standard output. Raises `AssistantError`."""
    from assistant.edits.undo import diff_of_undo  # as above
    from assistant.rendering.diff_lines import diff_text

    diff = diff_of_undo(is_forced=is_forced)
    sys.stdout.write(diff_text(diff, is_terminal=sys.stdout.isatty(), has_color=has_color))


def show_writes(*, as_json: bool) -> None:
    """What can be undone, newest first, on standard output. Raises `AssistantError`."""
    from assistant.edits.undo import list_journal  # as above
    from assistant.rendering.tables import write_table

    entries = list_journal()
    if as_json:
        from assistant.rendering.json_lines import write_object  # few want it

        write_object([_as_json(entry) for entry in entries], sys.stdout)
    else:
        write_table([_row(entry) for entry in entries], sys.stdout, right=(1, 2))


def _what_it_did(undone: "Undone") -> str:
    entry = undone.entry
    match undone.outcome:
        case "removed":
            return f"{entry.shown} is gone again: it was new on {_time(entry)}"
        case "already":
            return f"{entry.shown} already was as before {_time(entry)}"
        case _:
            return f"{entry.shown} is as it was before {_time(entry)}"


def _as_json(entry: "UndoEntry | DamagedEntry") -> dict[str, str | int | float | bool | None]:
    """A damaged one has no file, only the journal's own, in `damaged`."""
    from assistant.edits.undo_journal import UndoEntry  # as above

    if not isinstance(entry, UndoEntry):
        nothing = dict.fromkeys(("file", "seconds", "was_new", "added", "removed"))
        return {**nothing, "damaged": str(entry.file)}
    return {
        "file": str(entry.path),
        "seconds": entry.seconds,
        "was_new": entry.was_new,
        "added": entry.added,
        "removed": entry.removed,
        "damaged": None,
    }


def _row(entry: "UndoEntry | DamagedEntry") -> tuple[str, str, str, str]:
    from assistant.edits.undo_journal import UndoEntry  # as above

    if not isinstance(entry, UndoEntry):
        return "damaged", "", "", f"cannot be undone: rm {quote(str(entry.file))}"
    name = f"{entry.shown} (new)" if entry.was_new else entry.shown
    return _time(entry), f"+{entry.added}", f"-{entry.removed}", name


def _time(entry: "UndoEntry") -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.seconds))
