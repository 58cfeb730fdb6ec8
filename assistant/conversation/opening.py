"""Opens the file of the history wherever it can be used, and says what became of one that cannot.

A damaged file is put aside for the user and a new one begun. One that a newer llmchat wrote, or
that may not be written, is read only. Without a place there is no file. Nothing here raises.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from assistant import paths, safe_files
from assistant.conversation import schema, search_index, writers
from assistant.conversation.database import PATIENCE_SECONDS, Database
from assistant.conversation.storage_fault import StorageFault
from assistant.conversation.tables import Tables
from assistant.errors import UsageError

JOURNALS = ("-journal", "-wal", "-shm")
OF_AN_INDEX = "fts5"  # in lines that newer SQLites say about the tables of a search
KEPT_IN_MEMORY = "new messages are kept in memory only"


class OpenedFile:
    """`database` is None where there is no file that can be read, `may_write` False where new
    things have to be kept elsewhere; `is_newer`: because a newer llmchat wrote it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database: Database | None = None
        self.may_write = False
        self.is_newer = False
        self.notices: list[str] = []


def open_file(path: Path) -> OpenedFile:
    """The history in `path`, made if it is not there."""
    opened = OpenedFile(path)
    if reason := _reason_against(path.parent):
        _open_to_read(opened, reason)
        return opened
    try:
        _open_sound(opened)
    except StorageFault as fault:
        if fault.is_damage:
            _begin_anew(opened)
        else:
            _open_to_read(opened, fault.reason)
    return opened


def note_damage(path: Path) -> None:
    """The next one who opens the file looks at all of it."""
    with suppress(OSError):
        _damage_mark(path).touch(mode=0o600)


def size_bytes(path: Path, endings: Sequence[str] = ("", *JOURNALS)) -> int:
    """Of the file and its journals."""
    sizes = 0
    for ending in endings:
        with suppress(OSError):
            sizes += path.with_name(path.name + ending).stat().st_size
    return sizes


def remove_backups(opened: OpenedFile) -> None:
    """They hold what was deleted. Files that were put aside are the user's to remove."""
    for backup in schema.backups_of(opened.path):
        try:
            backup.unlink(missing_ok=True)
        except OSError as err:
            raise StorageFault(f"{backup} is still there: {err.strerror or err}") from err
    for damaged in sorted(opened.path.parent.glob(f"{opened.path.name}.corrupt-*")):
        opened.notices.append(f"{damaged} may still hold what was deleted: remove it yourself")


# ── a file that can be written ──────────────────────────────────────────────────────────────


def _reason_against(folder: Path) -> str:
    """Why nothing can be kept there; "" if it can."""
    try:
        usable = paths.writable(folder)
    except UsageError as err:
        return err.message
    if usable != folder:
        return f"{folder} cannot be written"
    return "there is no home folder" if paths.is_temporary(usable) else ""


def _open_sound(opened: OpenedFile) -> None:
    """Raises `StorageFault`."""
    is_old = _has_old_journal(opened.path)  # which SQLite plays back at the first look
    database = Database.at(opened.path)
    try:
        if _is_newer(database):
            database.close()
            _open_newer(opened)
            return
        database.choose_journal()
        with database.reading() as connection:
            schema.bring_up_to_date(connection, opened.path)
        _examine_if_suspicious(database, opened.path, is_old=is_old)
        _end_what_nobody_writes(database)
    except BaseException:
        database.close()
        raise
    opened.database, opened.may_write = database, True


def _is_newer(database: Database) -> bool:
    with database.reading() as connection:
        return schema.version_of(connection) > len(schema.MIGRATIONS)


def _examine_if_suspicious(database: Database, path: Path, *, is_old: bool) -> None:
    """All of the file is read only after it may have been damaged: that takes its time.

    A process that is killed damages nothing, the machine keeps what it wrote; a power cut may.
    """
    is_noted = _damage_mark(path).exists()
    if not (is_noted or is_old or _was_cut_off(database)):
        return
    with database.reading() as connection:
        found = [row[0] for row in connection.execute("PRAGMA quick_check")]
    is_sound = found == ["ok"]
    if not is_sound and not all(OF_AN_INDEX in line.lower() for line in found):
        raise StorageFault(found[0], is_damage=True)
    if is_noted or not is_sound:
        _mend_indexes(database)
        with suppress(OSError):
            _damage_mark(path).unlink()


def _has_old_journal(path: Path) -> bool:
    """Of a transaction that was going on when the machine went down."""
    for name in (path.name + journal for journal in JOURNALS[:2]):
        with suppress(OSError):
            status = path.with_name(name).stat()
            if status.st_size and status.st_mtime < writers.seconds_of_boot():
                return True
    return False


def _was_cut_off(database: Database) -> bool:
    """Whether an answer was coming when the machine went down."""
    with database.reading():
        found = Tables(database, is_indexed=True).writers()
    return any(
        not writers.is_of_this_boot(writer) and not writers.is_writing(writer) for writer in found
    )


def _mend_indexes(database: Database) -> None:
    with database.transaction() as connection:
        search_index.create_again(connection)
        Tables(database, is_indexed=True).index_all()


def _end_what_nobody_writes(database: Database) -> None:
    """Answers whose process has died are interrupted: they keep what had come."""
    tables = Tables(database, is_indexed=True)
    with database.reading():
        found = tables.writers()
    dead = [writer for writer in found if not writers.is_writing(writer)]
    if dead:
        with database.transaction():
            for writer in dead:
                tables.interrupt(writer)


# ── a file that cannot ──────────────────────────────────────────────────────────────────────


def _begin_anew(opened: OpenedFile) -> None:
    """Puts the damaged file aside, unless another process has just done that."""
    path = opened.path
    try:
        with safe_files.locked(path.with_name(f"{path.name}.lock"), PATIENCE_SECONDS):
            try:
                _open_sound(opened)
            except StorageFault as fault:
                if not fault.is_damage:
                    raise
                aside = _put_aside(path)
                opened.notices.append(
                    f"{path} is damaged and was put aside: what can be saved of it, "
                    f"`sqlite3 {aside} .recover` shows"
                )
                _open_sound(opened)
    except (StorageFault, OSError) as err:
        _open_to_read(opened, str(err))


def _put_aside(path: Path) -> Path:
    """With its journals, which belong to it."""
    base = f"{path.name}.corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    aside, number = path.with_name(base), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{base}-{number}")
    path.rename(aside)
    for journal in JOURNALS:
        there = path.with_name(path.name + journal)
        if there.exists() and there.stat().st_size:
            there.rename(aside.with_name(aside.name + journal))
    with suppress(OSError):
        _damage_mark(path).unlink()
    return aside


def _open_to_read(opened: OpenedFile, reason: str) -> None:
    opened.notices.append(f"{KEPT_IN_MEMORY}: {opened.path}: {reason}")
    opened.database = _readable(opened.path)


def _open_newer(opened: OpenedFile) -> None:
    opened.is_newer = True
    opened.notices.append(
        f"{KEPT_IN_MEMORY}: {opened.path} was written by a newer llmchat and is only read"
    )
    opened.database = _readable(opened.path)


def _readable(path: Path) -> Database | None:
    """To read a file that has had a write-ahead log, SQLite writes beside it, unless it is told
    that nobody else does; then it does not see what is in a log."""
    return _readable_as(path, is_alone=False) or (
        None if size_bytes(path, JOURNALS) else _readable_as(path, is_alone=True)
    )


def _readable_as(path: Path, *, is_alone: bool) -> Database | None:
    database = None
    try:
        if not path.is_file():
            return None
        database = Database.to_read(path, is_alone=is_alone)
        with database.reading():
            Tables(database, is_indexed=True).latest()
    except (StorageFault, OSError):
        if database is not None:
            database.close()
        return None
    return database


def _damage_mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")
