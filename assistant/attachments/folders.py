"""A folder as attachments: its text files, as git would see them, bounded and in order."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from assistant.attachments.decoding import BINARY_HEAD_BYTES, MAX_BYTES, is_binary
from assistant.attachments.files import OPEN_FLAGS, TextFile, reasons_for, text_file
from assistant.attachments.ignore_rules import IgnoreRules, rules_around
from assistant.attachments.left_out import LeftOut
from assistant.attachments.names import shown_name
from assistant.attachments.secret_files import looks_secret
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
        walk = _Walk(name, root, max_bytes)
        files = tuple(walk.read())
    if not any(file.text for file in files):
        said = walk.left_out.sentence(shown_name(name))
        raise InputError(
            f"there is no text in {said}" if said else f"there is no text in {shown_name(name)}",
            "name a file, or another folder",
        )
    return files, tuple(_notices(shown_name(name), files, walk.left_out))


class _Walk:
    """One pass over a folder; no link is followed, so it ends."""

    def __init__(self, name: str, root: Path, max_bytes: int) -> None:
        self._name = name
        self._root = root
        self._real = os.path.realpath(root)
        self._max_bytes = max_bytes
        self.left_out = LeftOut()

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
        todo = [("", rules_around(Path(self._real)))]
        while todo:
            inner, rules = todo.pop()
            folder = os.path.join(self._real, inner) if inner else self._real  # noqa: PTH118
            try:
                with os.scandir(folder) as entries:
                    listed = list(entries)
            except OSError as err:
                if not inner:
                    raise
                is_gone = isinstance(err, FileNotFoundError)
                (self.left_out.vanished if is_gone else self.left_out.unreadable).append(
                    inner + "/"
                )
                continue
            rules = rules.inside(folder)
            for entry in listed:
                path = f"{inner}/{entry.name}" if inner else entry.name
                match self._kind(entry, rules):
                    case "folder":
                        todo.append((path, rules))
                    case "file":
                        found.append(path)
            if len(found) > MAX_FILES:
                raise self._too_much(f"it has more than {MAX_FILES:,} files", found)
        return found

    def _kind(self, entry: os.DirEntry[str], rules: IgnoreRules) -> str:
        """ "file", "folder", or "" for what is left out, which is counted."""
        if entry.name == ".git":
            return ""
        if entry.is_symlink():
            self.left_out.links += 1
            return ""
        is_folder = entry.is_dir(follow_symlinks=False)
        if not is_folder and looks_secret(entry.name):
            self.left_out.secret.append(os.path.relpath(entry.path, self._real))
        elif entry.name.startswith("."):
            self.left_out.hidden += 1
        elif rules.ignores(entry.path, is_folder=is_folder):
            self.left_out.ignored += 1
        elif is_folder:
            return "folder"
        elif entry.is_file(follow_symlinks=False):
            return "file"
        else:
            self.left_out.special += 1
        return ""

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
