"""What was written, and what stood there before: one file for each write in state/undo.

An entry is a line of JSON followed by the old bytes. It is there, complete and on the disk, before
the write begins, so a write that was killed half-way leaves at most an entry too many. Nobody but
the user may read them; the last 50 writes and 64 MiB are kept.
"""

import codecs
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote
from typing import Any, get_type_hints

from assistant import paths
from assistant.edits.file_names import shown_file
from assistant.edits.file_replacement import writing_reasons
from assistant.errors import InputError
from assistant.safe_files import locked, sync_folder, write_synced

MAX_ENTRIES = 50
MAX_BYTES = 64 << 20
MAX_SECONDS = 1 << 40  # since 1970: what can be shown as a date
LOCK_SECONDS = 10.0  # a write takes milliseconds, unless the disk is slow


@dataclass(frozen=True, slots=True)
class UndoEntry:
    """One write: the file behind every link, when, what was written, and lines in and out.

    `mode` is the old file's permissions, None when there was no file; `seconds` since 1970.
    """

    number: int
    path: Path
    seconds: float
    mode: int | None
    written_sha256: str
    encoding: str
    added: int
    removed: int

    @property
    def was_new(self) -> bool:
        return self.mode is None

    @property
    def shown(self) -> str:
        return shown_file(self.path)


KINDS = get_type_hints(UndoEntry)


@dataclass(frozen=True, slots=True)
class DamagedEntry:
    """What is no entry any more, and cannot be undone."""

    file: Path


class UndoJournal:
    """The entries of one folder; comes from `open_journal`, which locks it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self) -> Iterator[UndoEntry | DamagedEntry]:
        """Newest first; each is read when it is asked for."""
        return (_read_head(file) for file in reversed(self._files()))

    def next_number(self) -> int:
        return max((int(file.stem) for file in self._files()), default=0) + 1

    def remember(self, entry: UndoEntry, old: bytes) -> None:
        """Raises `OSError`, and then nothing is kept."""
        head = json.dumps(asdict(entry) | {"path": str(entry.path)}).encode("ascii")
        temporary = self._folder / f".{os.urandom(6).hex()}.tmp"
        try:
            write_synced(temporary, head + b"\n" + old, 0o600)
            temporary.rename(self._file(entry))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(self._folder)

    def old_bytes(self, entry: UndoEntry) -> bytes:
        return self._file(entry).read_bytes().partition(b"\n")[2]

    def forget(self, entry: UndoEntry) -> None:
        self._file(entry).unlink(missing_ok=True)

    def drop_oldest(self) -> None:
        """Keeps to the limits, and the newest in any case; takes away what was never finished."""
        for unfinished in self._folder.glob(".*.tmp"):
            unfinished.unlink(missing_ok=True)
        kept_bytes = 0
        for age, file in enumerate(reversed(self._files())):
            kept_bytes += file.stat().st_size
            if age and (age >= MAX_ENTRIES or kept_bytes > MAX_BYTES):
                file.unlink()

    def _files(self) -> list[Path]:
        found = (file for file in self._folder.glob("*.undo") if file.stem.isdecimal())
        return sorted(found, key=lambda file: int(file.stem))

    def _file(self, entry: UndoEntry) -> Path:
        return self._folder / f"{entry.number:010}.undo"


def undo_folder() -> Path:
    """Where the journal would be; nothing is created."""
    return paths.state_folder() / "undo"


@contextmanager
def open_journal() -> Iterator[UndoJournal]:
    """The journal, while no other llmchat writes or undoes.

    Raises `InputError` when one does for too long, `UsageError` when there is no place for it.
    """
    folder = paths.writable(undo_folder())
    file = folder / "lock"
    with ExitStack() as lock:
        with writing_reasons(file, str(file)):
            try:
                lock.enter_context(locked(file, LOCK_SECONDS))
            except TimeoutError as err:
                raise InputError(
                    f"another llmchat has been writing for {LOCK_SECONDS:g} seconds",
                    f"see who: fuser {quote(str(file))}",
                ) from err
        yield UndoJournal(folder)


def warning_if_temporary() -> str:
    """A sentence when the journal is in a temporary folder, "" otherwise."""
    wanted = undo_folder()
    folder = paths.writable(wanted)
    if not paths.is_temporary(folder):
        return ""
    if folder == wanted:
        return f"undo will not last: there is no home folder, so {folder} keeps what was there"
    return f"undo will not last: {wanted} cannot be used, so {folder} keeps what was there"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_head(file: Path) -> UndoEntry | DamagedEntry:
    try:
        with file.open("rb") as stream:
            values: dict[str, Any] = json.loads(stream.readline())
        entry = UndoEntry(**values | {"path": Path(values["path"])})
        codecs.lookup(entry.encoding)
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return DamagedEntry(file)
    is_whole = all(isinstance(getattr(entry, name), kind) for name, kind in KINDS.items())
    is_true = is_whole and entry.number == int(file.stem) and 0 <= entry.seconds < MAX_SECONDS
    return entry if is_true else DamagedEntry(file)
