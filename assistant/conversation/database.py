"""A SQLite file, opened the way the history needs it; its errors become `StorageFault`.

Every write is one transaction that begins at once (`BEGIN IMMEDIATE`): one that reads first and
then wants to write is refused by SQLite without waiting.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from assistant.conversation.storage_fault import StorageFault

PATIENCE_SECONDS = 5.0  # with other processes that write
FIRST_SOUND_WAL = (3, 51, 3)  # older ones can damage a file in which two processes write
PRAGMAS = (
    "foreign_keys = ON",
    "trusted_schema = OFF",
    "secure_delete = ON",
    "temp_store = MEMORY",
    "journal_size_limit = 4194304",
)
DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
NOT_TEXT = "Could not decode to UTF-8"


class Database:
    """One connection, for one thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._is_wal = False
        self._depth = 0  # transactions inside of each other are one

    @classmethod
    def in_memory(cls) -> "Database":
        return cls(_connect(":memory:"))

    @classmethod
    def at(cls, path: Path) -> "Database":
        """Made if it is not there, readable by nobody else. Raises `StorageFault`."""
        with faults():
            _keep_private(path)
            return cls(_connect(f"{_address(path)}?mode=rw"))

    @classmethod
    def to_read(cls, path: Path, *, is_alone: bool = False) -> "Database":
        """`is_alone`: nobody writes it meanwhile. Raises `StorageFault`."""
        with faults():
            return cls(_connect(f"{_address(path)}?mode=ro{'&immutable=1' * is_alone}"))

    def choose_journal(self) -> None:
        """A write-ahead log where that is safe and possible, else a journal that is emptied.

        A change from one to the other needs the file alone: nobody waits for that. Raises
        `StorageFault`.
        """
        with faults():
            self._choose_journal()

    def _choose_journal(self) -> None:
        wanted = "wal" if sqlite3.sqlite_version_info >= FIRST_SOUND_WAL else "truncate"
        if (mode := self._journal_mode()) != wanted and "wal" in (mode, wanted):
            self.wait_no_more()
            with suppress(sqlite3.OperationalError):
                self.connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()
            self._wait(PATIENCE_SECONDS)
            mode = self._journal_mode()
        self._is_wal = mode == "wal"
        if not self._is_wal:
            self.connection.execute("PRAGMA journal_mode = TRUNCATE").fetchone()
        self.connection.execute("PRAGMA synchronous = FULL")

    def _journal_mode(self) -> str:
        return str(self.connection.execute("PRAGMA journal_mode").fetchone()[0])

    @contextmanager
    def transaction(self, *, may_be_lost: bool = False) -> Iterator[sqlite3.Connection]:
        """All of it is kept, or nothing. Raises `StorageFault`.

        What `may_be_lost` when the power fails costs no wait for the disk, where that is safe.
        """
        if self._depth:
            yield self.connection
            return
        with faults():
            if self._is_wal:
                self.connection.execute(f"PRAGMA synchronous = {1 if may_be_lost else 2}")
            self.connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Raises `StorageFault`, also for cells that hold no record."""
        with faults():
            yield self.connection

    def empty_journal(self) -> bool:
        """Of a write-ahead log; whether nothing is in it now. Raises `StorageFault`.

        Also when another process has begun the log since the file was opened here.
        """
        with faults():
            found = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not found[0]

    def wait_no_more(self) -> None:
        """For a file that is in somebody else's hands."""
        self._wait(0.0)

    def _wait(self, seconds: float) -> None:
        self.connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def close(self) -> None:
        self.connection.close()


@contextmanager
def faults() -> Iterator[None]:
    """What the place does wrong becomes a `StorageFault`; what we do wrong stays what it is."""
    try:
        yield
    except sqlite3.DatabaseError as err:
        if isinstance(err, sqlite3.ProgrammingError):
            raise
        raise StorageFault(str(err), is_damage=_is_damage(err)) from err
    except UnicodeDecodeError as err:  # of what SQLite says about a name in a damaged file
        raise StorageFault(str(err), is_damage=True) from err
    except OSError as err:
        raise StorageFault(err.strerror or str(err)) from err


def _address(path: Path) -> str:
    return f"file:{quote(os.fsencode(path))}"


def _connect(place: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        place,
        timeout=PATIENCE_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=place.startswith("file:"),
    )
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_private(path: Path) -> None:
    """SQLite gives its journals the permissions of the file.

    A file that is there is not opened: closing it would take away the locks that this process
    may have on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not os.access(path, os.W_OK):
            raise PermissionError(None, "it may not be written") from None
        if path.stat().st_mode & 0o077:
            with suppress(PermissionError):  # somebody else's, who lets us write
                path.chmod(0o600)


def _is_damage(err: sqlite3.DatabaseError) -> bool:
    """We break no constraint ourselves."""
    if isinstance(err, sqlite3.IntegrityError) or str(err).startswith(NOT_TEXT):
        return True
    return str(getattr(err, "sqlite_errorname", "")).startswith(DAMAGE)
