"""Writes a proposal: all of it or nothing, never over what nobody has seen, and with a way back."""

import stat
import time
from contextlib import suppress
from pathlib import Path

from assistant.edits.file_replacement import (
    check_unchanged,
    read_current,
    real_path,
    replace_file,
)
from assistant.edits.held_signals import hold_signals
from assistant.edits.proposal import Proposal
from assistant.edits.undo_journal import (
    UndoEntry,
    UndoJournal,
    open_journal,
    sha256,
    warning_if_temporary,
)
from assistant.errors import InputError


def write_proposal(proposal: Proposal) -> str:
    """The file becomes what was proposed, and `undo` can take it back.

    A symbolic link stays, and what it leads to is written. Returns a sentence to warn with when
    undo will not last, "" otherwise. Raises `InputError` when the file is no longer what it was
    when it was read, or when it or its old content cannot be written; then nothing has changed.
    """
    if proposal.is_unchanged:
        return ""
    target = real_path(proposal.path, proposal.shown)
    if proposal.target not in (None, target):
        raise InputError(f"{proposal.shown} leads elsewhere now; it was left alone", "ask again")
    with open_journal() as journal, hold_signals():
        check_unchanged(target, proposal.old, proposal.shown)
        entry = _remember(proposal, target, journal)
        try:
            replace_file(target, proposal.new, proposal.old, proposal.shown)
        except BaseException:
            _forget_if_unwritten(entry, proposal, journal)
            raise
        with suppress(OSError):
            journal.drop_oldest()
    return warning_if_temporary()


def _remember(proposal: Proposal, target: Path, journal: UndoJournal) -> UndoEntry:
    counts = proposal.count()
    try:
        entry = UndoEntry(
            number=journal.next_number(),
            path=target,
            seconds=time.time(),
            mode=None if proposal.old is None else stat.S_IMODE(target.stat().st_mode),
            written_sha256=sha256(proposal.new),
            encoding=proposal.encoding,
            added=counts.added,
            removed=counts.removed,
        )
        journal.remember(entry, proposal.old or b"")
    except OSError as err:
        raise InputError(
            f"{proposal.shown} was not written, because the old one cannot be kept for undo: "
            f"{err.strerror or err}",
            "free some space, or set LLMCHAT_HOME to another disk",
        ) from err
    return entry


def _forget_if_unwritten(entry: UndoEntry, proposal: Proposal, journal: UndoJournal) -> None:
    """An error may come when the file has its new content already: then undo is still wanted."""
    with suppress(OSError, InputError):
        if read_current(entry.path, proposal.shown) != proposal.new:
            journal.forget(entry)
