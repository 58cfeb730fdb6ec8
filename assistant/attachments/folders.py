"""A folder as attachments: its text files, as git would see them, bounded and in order."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from assistant.attachments.decoding import BINARY_HEAD_BYTES, MAX_BYTES, is_binary
from assistant.attachments.files import OPEN_FLAGS, TextFile, reasons_for, text_file
from assistant.attachments.folder_walk import FolderWalk
from assistant.attachments.left_out import LeftOut
from assistant.attachments.names import shown_name
from assistant.errors import InputError

MAX_FILES = 20_000


def read_folder(
    name: str, max_bytes: int = MAX_BYTES
) -> tuple[tuple[TextFile, ...], tuple[str, ...]]:
    """The text files in a folder and everything below it, and notices about the rest.

    Left out is what .gitignore files name, what is hidden, binary or a symbolic link, what is
    larger than `max_bytes` alone, and what looks like a secret. Raises `InputError` when no
    text is left, or when it is more than `max_bytes` together.
    """
    with reasons_for(name):
        root = Path(name).expanduser().absolute()
        reading = _Reading(name, root, max_bytes)
        files = tuple(reading.read())
    if not any(file.text for file in files):
        said = reading.left_out.sentence(shown_name(name))
        raise InputError(
            f"there is no text in {said}" if said else f"there is no text in {shown_name(name)}",
            "name a file, or another folder",
        )
    return files, tuple(_notices(shown_name(name), files, reading.left_out))


class _Reading:
    """One pass over a folder."""

    def __init__(self, name: str, root: Path, max_bytes: int) -> None:
        self._name = name
        self._root = root
        self._real = os.path.realpath(root)
        self._max_bytes = max_bytes
        self._walk = FolderWalk(self._real)
        self.left_out = self._walk.left_out

    def read(self) -> Iterator[TextFile]:
        inner = sorted(self._inner_paths(), key=lambda path: os.fsencode(path).split(b"/"))
        total = 0
        for at, path in enumerate(inner, start=1):
            data = self._read(path)
            if data is None:
                continue
            shown = shown_name(os.path.join(self._name, path))  # noqa: PTH118 # keeps ./
            try:
                file = text_file(shown, self._root / path, data)
            except InputError:
                self.left_out.binary += 1
                continue
            total += len(data)
            if total > self._max_bytes:
                hold = f"the first {at:,} of its {len(inner):,} files hold more than"
                raise self._too_much(f"{hold} {self._max_bytes / (1 << 20):g} MiB", inner)
            yield file

    def _inner_paths(self) -> list[str]:
        """Of all files that are not left out for their names or kinds, relative to the root."""
        found: list[str] = []
        for entry in self._walk.entries():
            if not entry.is_folder:
                found.append(entry.path)
            if len(found) > MAX_FILES:
                raise self._too_much(f"it has more than {MAX_FILES:,} files", found)
        return found

    def _read(self, path: str) -> bytes | None:
        """None, and counted, when it is not there any more or is no text of the right size."""
        try:
            flags = OPEN_FLAGS | os.O_NOFOLLOW
            with os.fdopen(os.open(os.path.join(self._real, path), flags), "rb") as file:  # noqa: PTH118
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    self.left_out.special += 1
                elif status.st_size > self._max_bytes:
                    self.left_out.too_large.append(path)
                elif is_binary(head := file.read(BINARY_HEAD_BYTES)):
                    self.left_out.binary += 1
                else:
                    return head + file.read(self._max_bytes + 1 - len(head))
        except FileNotFoundError:
            self.left_out.vanished.append(path)
        except OSError:
            self.left_out.unreadable.append(path)
        return None

    def _too_much(self, what: str, paths: Sequence[str]) -> InputError:
        inner = next((path for path in paths if "/" in path), paths[0]).partition("/")[0]
        shown = shown_name(self._name)
        return InputError(
            f"{shown} is too much to attach: {what}",
            f"name parts of it, for example {shown_name(os.path.join(self._name, inner))}",  # noqa: PTH118
        )


def _notices(shown: str, files: Sequence[TextFile], left_out: LeftOut) -> Iterator[str]:
    """One line for each odd encoding, and one for all that was left out."""
    for notice, count in Counter(file.notice for file in files if file.notice).items():
        if count == 1:
            only = next(file for file in files if file.notice == notice)
            yield f"{only.name}: {notice}"
        else:
            yield f"{shown}: {count:,} files were {notice}".replace("it is", "they are")
    if said := left_out.sentence(shown):
        yield said
