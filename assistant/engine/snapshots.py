"""KV states on disk, so that what was read yesterday need not be read again.

A file is MAGIC, the length and the CRC-32 of its head (4 bytes each, little-endian), the head in
msgpack and the state as the backend exported it. The head names the model, what the state's
layout depends on, the token ids, and length and CRC-32 of the state: a flipped, cut or swapped
byte makes the file invalid, and an invalid file is removed. CRC-32 takes 7 ms for the 46 MB of
2,000 tokens of the starter, BLAKE2 34 ms; nobody is kept from writing files of his own.
"""

import hashlib
import os
import queue
import threading
import time
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct, msgpack

MAGIC = b"llmchatK"
NUMBER_BYTES = 4
LONGEST_HEAD = 64 * 2**20  # bytes
SUFFIX = ".kv"
PENDING_BYTES = 512 * 2**20  # that wait to be written; more are not kept
REST_SECONDS = 60.0  # after a disk refused a file
ABANDONED_SECONDS = 3600.0  # a temporary file that nobody writes any more

Ids = tuple[int, ...]


class Head(Struct, frozen=True):
    """`token_ids` are 32-bit numbers of this machine's byte order."""

    fingerprint: str
    layout: str
    model: str
    token_ids: bytes
    state_bytes: int
    state_crc: int

    @property
    def ids(self) -> Ids:
        return tuple(array("I", self.token_ids))


class SnapshotInfo(Struct, frozen=True):
    """A file, for people: `last_used` in seconds since the epoch."""

    path: Path
    model: str
    tokens: int
    size_bytes: int
    last_used: float


class Snapshots:
    """Those of one model; `max_bytes` are for all models together.

    Reading is for any thread; writing happens in a thread of its own. Whatever the disk does, it
    raises nothing: a snapshot less is a prompt that is read again. With `replaces_prefixes` a
    longer state serves whoever needs a part of it.
    """

    def __init__(
        self,
        root: Path,
        max_bytes: int,
        *,
        model: str,
        fingerprint: str,
        layout: str,
        replaces_prefixes: bool = True,
    ) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._replaces_prefixes = replaces_prefixes
        self._model, self._fingerprint, self._layout = model, fingerprint, layout
        key = hashlib.blake2b(f"{fingerprint}\n{layout}".encode(), digest_size=8).hexdigest()
        self._folder = root / key
        self._guard = threading.Lock()  # for all that follows
        self._known: dict[Path, Ids] = {}
        self._seen = 0  # the folder's time when it was looked at
        self._pending: queue.SimpleQueue[tuple[Ids, bytes] | None] = queue.SimpleQueue()
        self._pending_bytes = 0
        self._resting_until = 0.0
        self._writer: threading.Thread | None = None

    # ── reading ─────────────────────────────────────────────────────────────────────────────

    def longest(self, usable: Callable[[Ids], int]) -> tuple[Path, Ids] | None:
        """The file whose tokens are of most use; `usable` says how many of them are."""
        known = self._up_to_date()
        path = max(known, key=lambda path: usable(known[path]), default=None)
        return None if path is None or not usable(known[path]) else (path, known[path])

    def load(self, path: Path, ids: Ids) -> bytes | None:
        """The state in a file that is whole and ours; None, and no such file any more, else."""
        try:
            with path.open("rb") as file:
                head, state = _read_head_from(file), file.read()
        except OSError:
            self._forget(path)
            return None
        if head is None or not self._is_ours(head, ids) or not _is_whole(head, state):
            self._forget(path)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # the least recently used go first
        return state

    def covered(self, ids: Sequence[int], common: Callable[[Sequence[int], Ids], int]) -> int:
        """How many leading tokens of these are in a file."""
        return max((common(ids, known) for known in self._up_to_date().values()), default=0)

    def _is_ours(self, head: Head, ids: Ids) -> bool:
        mine = (self._fingerprint, self._layout, ids)
        return (head.fingerprint, head.layout, head.ids) == mine

    def _forget(self, path: Path) -> None:
        with self._guard:
            self._known.pop(path, None)

    def _up_to_date(self) -> dict[Path, Ids]:
        """What there is, also what other processes have written since the last look."""
        with self._guard:
            try:
                changed = self._folder.stat().st_mtime_ns
            except OSError:
                self._known, self._seen = {}, 0
                return {}
            if changed != self._seen:
                self._seen = changed
                self._known = dict(self._read_heads())
            return dict(self._known)

    def _read_heads(self) -> Iterator[tuple[Path, Ids]]:
        for path in _files(self._folder):
            if path in self._known:
                yield path, self._known[path]
                continue
            head = read_head_of(path)
            if head is not None and (head.fingerprint, head.layout) == (
                self._fingerprint,
                self._layout,
            ):
                yield path, head.ids

    # ── writing ─────────────────────────────────────────────────────────────────────────────

    @property
    def room(self) -> int:
        """Bytes that may be handed in now; none for a while after the disk refused some."""
        with self._guard:
            if time.monotonic() < self._resting_until:
                return 0
            return max(0, min(self._max_bytes, PENDING_BYTES - self._pending_bytes))

    def save(self, ids: Sequence[int], state: bytes) -> None:
        """Written soon, in another thread; files that hold a part of it go."""
        if len(state) > self.room:
            return
        with self._guard:
            self._pending_bytes += len(state)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, daemon=True)
                self._writer.start()
        self._pending.put((tuple(ids), state))

    def settle(self, patience_seconds: float) -> None:
        """Waits until all that was handed in is written, or was refused."""
        end = time.monotonic() + patience_seconds
        while self._pending_bytes and time.monotonic() < end:
            time.sleep(0.01)

    def close(self, patience_seconds: float) -> None:
        """Waits for what is being written."""
        if self._writer is not None:
            self._pending.put(None)
            self._writer.join(patience_seconds)
            self._writer = None

    def _write_all(self) -> None:
        while (item := self._pending.get()) is not None:
            ids, state = item
            try:
                self._write(ids, state)
            except OSError:
                with self._guard:
                    self._resting_until = time.monotonic() + REST_SECONDS
            with self._guard:
                self._pending_bytes -= len(state)

    def _write(self, ids: Ids, state: bytes) -> None:
        name = hashlib.blake2b(array("I", ids).tobytes(), digest_size=12).hexdigest()
        target = self._folder / f"{name}{SUFFIX}"
        if target.exists():
            os.utime(target)
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._root, self._folder):
            folder.chmod(0o700)
        temporary = self._folder / f".{name}.{os.getpid()}.tmp"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(self._begin(ids, state))
                file.write(state)
            temporary.replace(target)  # no fsync: a torn file is found out, and only slow
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        if self._replaces_prefixes:
            self._remove_parts_of(ids, target)
        make_room(self._root, self._max_bytes)

    def _remove_parts_of(self, ids: Ids, target: Path) -> None:
        for path, held in self._up_to_date().items():
            if path != target and held == ids[: len(held)]:
                with suppress(OSError):
                    path.unlink()

    def _begin(self, ids: Ids, state: bytes) -> bytes:
        head = msgpack.encode(
            Head(
                self._fingerprint,
                self._layout,
                self._model,
                array("I", ids).tobytes(),
                len(state),
                zlib.crc32(state),
            )
        )
        return MAGIC + _number(len(head)) + _number(zlib.crc32(head)) + head


def read_head_of(path: Path) -> Head | None:
    """Reads no more of the file than its head; None when it is none."""
    try:
        with path.open("rb") as file:
            return _read_head_from(file)
    except OSError:
        return None


def _read_head_from(file: BinaryIO) -> Head | None:
    """From the beginning of a file; what follows is the state. Raises `OSError`."""
    begin = file.read(len(MAGIC) + 2 * NUMBER_BYTES)
    if len(begin) < len(MAGIC) + 2 * NUMBER_BYTES or not begin.startswith(MAGIC):
        return None
    length = int.from_bytes(begin[len(MAGIC) : -NUMBER_BYTES], "little")
    crc = int.from_bytes(begin[-NUMBER_BYTES:], "little")
    head = file.read(min(length, LONGEST_HEAD))
    if len(head) != length or zlib.crc32(head) != crc:
        return None
    try:
        return msgpack.decode(head, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def list_snapshots(root: Path) -> list[SnapshotInfo]:
    """Of all models, the one used last first; what is no snapshot has no model and no tokens."""
    found = []
    for path in _all_files(root):
        with suppress(OSError):
            status = path.stat()
            head = read_head_of(path)
            model, tokens = (head.model, len(head.ids)) if head else ("", 0)
            found.append(SnapshotInfo(path, model, tokens, status.st_size, status.st_mtime))
    return sorted(found, key=lambda info: -info.last_used)


def clear_snapshots(root: Path) -> int:
    """Removes all of them, and what was left of writing one; how many bytes that freed."""
    freed = 0
    for path in [*_all_files(root), *root.glob("*/.*.tmp")]:
        with suppress(OSError):
            size = path.stat().st_size
            path.unlink()
            freed += size
    return freed


def make_room(root: Path, max_bytes: int) -> None:
    """Removes the least recently used files until the rest is small enough."""
    for path in root.glob("*/.*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink()
    files = []
    for path in _all_files(root):
        with suppress(OSError):
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= max_bytes:
            return
        with suppress(OSError):
            path.unlink()
        total -= size


def _is_whole(head: Head, state: bytes) -> bool:
    return len(state) == head.state_bytes and zlib.crc32(state) == head.state_crc


def _all_files(root: Path) -> Iterable[Path]:
    try:
        folders = [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []
    return [path for folder in folders for path in _files(folder)]


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix == SUFFIX]
    except OSError:
        return []


def _number(value: int) -> bytes:
    return value.to_bytes(NUMBER_BYTES, "little")
