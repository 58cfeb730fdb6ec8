"""What the files of a model have in common: how they are opened, refused and told apart."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

SAMPLED_BLOCKS = 256
BLOCK_BYTES = 4_096


class HeaderError(Exception):
    """Why the file is refused, in words that go on from "NAME: "."""


class CutShortError(HeaderError):
    """The file ends before what its header promises."""


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[int, int]]:
    """The descriptor and size in bytes of a file. Raises `HeaderError` when it is none."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or str(err)
        raise HeaderError(f"it cannot be opened: {reason}") from err
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise HeaderError("it is not a regular file")
        yield descriptor, status.st_size
    finally:
        os.close(descriptor)


def read_regular(path: Path, limit: int) -> bytes:
    """All of a file. Raises `HeaderError` when it is none, or has more bytes than the limit."""
    with open_regular(path) as (descriptor, size_bytes):
        if size_bytes > limit:
            raise HeaderError(f"it is {size_bytes:,} bytes long")
        return os.pread(descriptor, size_bytes, 0)


def parse_json_object(data: bytes, what: str = "it") -> dict[str, Any]:
    """Raises `HeaderError` when the bytes are anything else than a JSON object."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise HeaderError(f"{what} is not JSON") from err
    if not isinstance(found, dict):
        raise HeaderError(f"{what} is not a JSON object")
    return found


def add_samples(digest: blake2b, descriptor: int, data_offset: int, size_bytes: int) -> None:
    """Adds 256 evenly spaced blocks of 4 KiB of the tensor data, which begins at the offset."""
    room = size_bytes - data_offset - BLOCK_BYTES
    for block in range(SAMPLED_BLOCKS if room > 0 else 1):
        at = data_offset + max(room, 0) * block // (SAMPLED_BLOCKS - 1)
        digest.update(os.pread(descriptor, BLOCK_BYTES, at))  # a page fault would read ahead
