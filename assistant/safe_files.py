"""Files replaced at once, and locks: whoever reads a file sees the old bytes or the new ones.

What may be replaced, and what is said when that fails, is not known here: `OSError` comes out.
"""

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.02


def replace_file(
    target: Path, data: bytes, mode: int, last_look: Callable[[], None] | None = None
) -> None:
    """`data` becomes the content of `target`, which is no link. Raises `OSError`.

    The new file is written beside the old one, brought to the disk and renamed. It gets the old
    one's permissions, extended attributes and, where that is allowed, owner; without an old one
    `mode` less the umask. `last_look` may raise just before the rename: nothing changes then.
    """
    temporary = target.parent / f".llmchat-{os.urandom(6).hex()}.tmp"  # short: names have limits
    try:
        write_synced(temporary, data, mode, target if os.path.lexists(target) else None)
        if last_look is not None:
            last_look()
        os.replace(temporary, target)  # noqa: PTH105 # a test stands in for this one
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Brings a rename to the disk where the file system can do that by itself."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_synced(path: Path, data: bytes, mode: int, like: Path | None = None) -> None:
    """A file that must not be there yet, on the disk when this returns.

    It resembles `like`, which must be writable, instead of having `mode`. Raises `OSError`.
    """
    if like is not None:
        os.close(os.open(like, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        mode = 0o600
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        if like is not None:
            _resemble(file.fileno(), like)
        os.fsync(file.fileno())


@contextmanager
def locked(file: Path, patience_seconds: float) -> Iterator[None]:
    """Nobody else holds the lock `file` meanwhile, which is made if need be, and stays.

    Raises `TimeoutError` when somebody does for too long, and other kinds of `OSError`.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for(descriptor, time.monotonic() + patience_seconds)
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def _wait_for(descriptor: int, end: float) -> None:
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(POLL_SECONDS)


def _resemble(descriptor: int, like: Path) -> None:
    """Owner and group as far as allowed, extended attributes (lists of access rights), mode."""
    status = like.stat()
    mode = stat.S_IMODE(status.st_mode)
    try:
        os.fchown(descriptor, -1, status.st_gid)
    except OSError:
        mode = mode & 0o707 | (mode & 0o007) << 3  # our group may do what everybody may
    try:
        os.fchown(descriptor, status.st_uid, -1)
    except OSError:
        mode &= 0o777  # nobody's set-user-id program becomes ours
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(like):
                with suppress(OSError):
                    os.setxattr(descriptor, name, os.getxattr(like, name))
    os.fchmod(descriptor, mode)
