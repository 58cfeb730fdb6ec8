"""The tables of the history, and how older ones become today's.

`user_version` of the file is the number of migrations that it has seen. They are only ever added
to: one that was released is never changed. A copy of the file is kept before the first of them.
"""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.conversation import search_index

if TYPE_CHECKING:
    from sqlite3 import Connection

Migration = Callable[["Connection", bool], None]  # whether with the search's indexes

CONVERSATIONS = """
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    folder TEXT NOT NULL,
    first_day TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    leaf INTEGER NOT NULL DEFAULT 0,
    fork_of TEXT NOT NULL DEFAULT ''
)"""
# `names` are those of what is attached; `writer` is set while the message is being written.
MESSAGES = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    text TEXT NOT NULL,
    created REAL NOT NULL,
    covers INTEGER NOT NULL DEFAULT 0,
    names TEXT NOT NULL DEFAULT '',
    reasoning TEXT NOT NULL DEFAULT '',
    content TEXT NOT NULL DEFAULT '',
    writing TEXT NOT NULL DEFAULT '',
    writer TEXT NOT NULL DEFAULT '',
    tokens_read INTEGER NOT NULL DEFAULT 0,
    tokens_written INTEGER NOT NULL DEFAULT 0,
    UNIQUE (conversation, number)
)"""
LATEST = "CREATE INDEX conversations_by_time ON conversations (updated)"
BEING_WRITTEN = "CREATE INDEX messages_being_written ON messages (writer) WHERE writer <> ''"


def first_tables(connection: "Connection", is_indexed: bool) -> None:
    for statement in (CONVERSATIONS, MESSAGES, LATEST, BEING_WRITTEN):
        connection.execute(statement)
    if is_indexed:
        search_index.create(connection)


MIGRATIONS: tuple[Migration, ...] = (first_tables,)


def version_of(connection: "Connection") -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def create_in_memory(connection: "Connection") -> None:
    """Without the search's indexes: there is little to search."""
    for migrate in MIGRATIONS:
        migrate(connection, False)


def bring_up_to_date(connection: "Connection", path: Path) -> None:
    """All in one transaction, so that two processes may begin it at once.

    Raises what SQLite raises; the file is as it was then.
    """
    if version_of(connection) >= len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection)  # somebody may have been faster
        if 0 < version < len(MIGRATIONS):
            _keep_copy(path, backup_of(path, version))
        for migrate in MIGRATIONS[version:]:
            migrate(connection, True)
        connection.execute(f"PRAGMA user_version = {max(version, len(MIGRATIONS))}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def backup_of(path: Path, version: int) -> Path:
    return path.with_name(f"{path.name}.bak-v{version}")


def backups_of(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.bak-v*"))


def _keep_copy(path: Path, copy: Path) -> None:
    """Read by a connection of its own: what the writing one holds does not keep it from that."""
    from sqlite3 import connect

    temporary = copy.with_name(f"{copy.name}.{os.getpid()}")
    os.close(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        with closing(connect(path)) as source, closing(connect(temporary)) as target:
            source.backup(target)
        temporary.replace(copy)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
