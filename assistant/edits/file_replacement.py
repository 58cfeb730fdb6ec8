"""What stands in a file, and other bytes in their place: in words when that cannot be.

A hard link parts from the other names of the file.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant import safe_files
from assistant.edits.file_names import shown_file
from assistant.errors import InputError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MAX_BYTES = 64 << 20  # of one file; undo keeps no more
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a symbolic link"),
)


def real_path(path: Path, shown: str) -> Path:
    """Where the bytes of a file stand: behind every symbolic link. Raises `InputError`."""
    with writing_reasons(path, shown):
        return Path(os.path.realpath(path))  # Path.resolve raises RuntimeError for a loop


def read_current(target: Path, shown: str) -> bytes | None:
    """What stands in a file, None when there is none. Raises `InputError` for what is no file."""
    with writing_reasons(target, shown):
        try:
            status = target.lstat()
        except FileNotFoundError:
            return None
        for is_kind, kind in KINDS:
            if is_kind(status.st_mode):
                raise InputError(f"{shown} is {kind}", "name a regular file")
        if status.st_size > MAX_BYTES:
            limit = f"{MAX_BYTES >> 20} MiB"
            raise InputError(f"{shown} is larger than {limit}", "name a smaller file")
        # O_NONBLOCK: should a pipe have taken the file's place, opening it must not wait.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(target, flags), "rb") as file:
            return file.read()


def replace_file(
    target: Path, new: bytes, expected: bytes | None, shown: str, mode: int = 0o666
) -> None:
    """`new` instead of `expected` (None: no file, and the new one gets `mode` less the umask).

    Raises `InputError` when that fails or something else stands there; then nothing has changed.
    """
    with writing_reasons(target, shown):
        safe_files.replace_file(target, new, mode, lambda: check_unchanged(target, expected, shown))


def check_unchanged(target: Path, expected: bytes | None, shown: str) -> None:
    """Raises `InputError` unless the file holds the bytes that are to be replaced."""
    if read_current(target, shown) != expected:
        what = "has changed" if expected is not None else "has appeared"
        raise InputError(f"{shown} {what} meanwhile; it was left alone", "ask again")


@contextmanager
def writing_reasons(path: Path, shown: str) -> Iterator[None]:
    """An `OSError` becomes one line and what to type. Raises `InputError`."""
    try:
        yield
    except (OSError, ValueError) as err:  # ValueError: a NUL in the name
        reason = getattr(err, "strerror", None) or str(err)
        place = shown_file(path if os.path.lexists(path) else path.parent)
        is_full = isinstance(err, OSError) and err.errno in NO_SPACE
        raise InputError(
            f"{shown} cannot be written: {reason}",
            f"look: df -h {place}" if is_full else f"look: ls -ld {place}",
        ) from err
