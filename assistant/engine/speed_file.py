"""What an engine has learnt of this machine's speed, kept for the next one of the same model.

One small JSON file for each pair of weights and build, beside the snapshots. It tells nothing of
what was asked but how long it was; clearing the snapshots leaves it.
"""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from assistant.backends.base import BackendInfo
from assistant.engine.reading_speed import Learnt
from assistant.model_store.model_files import HeaderError, read_regular
from assistant.safe_files import replace_file

LONGEST = 64 * 2**10  # bytes; 64 calls take some 3,000
MOST_FILES = 32  # of models and builds together; those written longest ago go
VERSION = 1


class _Content(Struct, frozen=True, forbid_unknown_fields=True):
    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    learnt: Learnt


class SpeedFile:
    """Whatever the disk does, it raises nothing: without it an engine learns anew."""

    def __init__(self, folder: Path, info: BackendInfo) -> None:
        key = hashlib.blake2b(f"{info.fingerprint}\n{info.build}".encode(), digest_size=8)
        self._folder = folder
        self._path = folder / f"speed-{key.hexdigest()}.json"
        self._known: Learnt | None = None  # what the file holds

    def read(self) -> Learnt | None:
        """None when there is none, or anything is odd about it."""
        try:
            content = msgspec.json.decode(read_regular(self._path, LONGEST), type=_Content)
        except (HeaderError, OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        self._known = content.learnt
        return self._known

    def write(self, learnt: Learnt) -> None:
        """Unless it holds that already, or there is nothing to keep."""
        if learnt == self._known or not learnt.calls:
            return
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            data = msgspec.json.encode(_Content(VERSION, learnt))
            replace_file(self._path, data, 0o600)
            self._known = learnt
            _forget_old(self._folder)


def _forget_old(folder: Path) -> None:
    files = sorted(folder.glob("speed-*.json"), key=lambda path: -path.lstat().st_mtime)
    for path in files[MOST_FILES:]:
        path.unlink()
