"""Takes the newest write back, and then the one before it."""

from dataclasses import dataclass
from enum import StrEnum
from shlex import quote

from assistant.edits.file_replacement import (
    check_unchanged,
    read_current,
    replace_file,
    writing_reasons,
)
from assistant.edits.held_signals import hold_signals
from assistant.edits.undo_journal import (
    DamagedEntry,
    UndoEntry,
    UndoJournal,
    open_journal,
    sha256,
)
from assistant.edits.unified_diff import diff_files
from assistant.errors import InputError
from assistant.safe_files import sync_folder


class Outcome(StrEnum):
    RESTORED = "restored"
    REMOVED = "removed"
    ALREADY = "already"  # the file was as before: the write was cut off, or undone by hand


@dataclass(frozen=True, slots=True)
class Undone:
    """The write that was taken back, and what that did to the file."""

    entry: UndoEntry
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Step:
    """The newest write, what stands in its file now, and what stood there (None: no file)."""

    entry: UndoEntry
    current: bytes | None
    old: bytes | None

    @property
    def is_as_written(self) -> bool:
        return self.current is not None and sha256(self.current) == self.entry.written_sha256


def list_journal() -> list[UndoEntry | DamagedEntry]:
    """What was written, newest first, whether it can be undone or not."""
    with open_journal() as journal:
        return list(journal.entries())


def list_writes() -> list[UndoEntry]:
    """What can be undone, newest first."""
    return [entry for entry in list_journal() if isinstance(entry, UndoEntry)]


def undo_last(*, is_forced: bool = False) -> Undone:
    """The file of the newest write becomes what it was, or goes if it was new.

    Raises `InputError` when there is nothing to undo, or the file has changed since and
    `is_forced` does not say that these changes may be lost.
    """
    with open_journal() as journal, hold_signals():
        step = _next_step(journal, is_forced=is_forced)
        outcome = _take_back(step)
        journal.forget(step.entry)
        return Undone(step.entry, outcome)


def diff_of_undo(*, is_forced: bool = False) -> str:
    """The diff that `undo_last` would make; raises what it would raise."""
    with open_journal() as journal:
        step = _next_step(journal, is_forced=is_forced)
        return diff_files(step.entry.path, step.current, step.old, step.entry.encoding)


def _next_step(journal: UndoJournal, *, is_forced: bool) -> _Step:
    entry = next(journal.entries(), None)
    if entry is None:
        raise InputError("there is nothing to undo", "only what llmchat wrote can be undone")
    if isinstance(entry, DamagedEntry):
        file = entry.file
        raise InputError(f"{file} is damaged and cannot be undone", f"rm {quote(str(file))}")
    current = read_current(entry.path, entry.shown)
    old = None if entry.was_new else journal.old_bytes(entry)
    step = _Step(entry, current, old)
    if not (is_forced or step.is_as_written or current == old):
        what = "is gone" if current is None else "has changed"
        raise InputError(
            f"{entry.shown} {what} since llmchat wrote it; it was left alone",
            "llmchat undo --force takes back that, too; with --dry-run it shows what would go",
        )
    return step


def _take_back(step: _Step) -> Outcome:
    entry = step.entry
    if step.current == step.old:
        return Outcome.ALREADY
    if step.old is None:
        check_unchanged(entry.path, step.current, entry.shown)
        with writing_reasons(entry.path, entry.shown):
            entry.path.unlink()
        sync_folder(entry.path.parent)
        return Outcome.REMOVED
    mode = 0o600 if entry.mode is None else entry.mode
    replace_file(entry.path, step.old, step.current, entry.shown, mode)
    return Outcome.RESTORED
