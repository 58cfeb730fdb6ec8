"""Walks a folder as git would see it, and counts what it leaves out."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from assistant.attachments.ignore_rules import IgnoreRules, rules_around
from assistant.attachments.left_out import LeftOut
from assistant.attachments.secret_files import looks_secret


class Found(Struct, frozen=True):
    """A file or folder that is not left out; `path` is relative to where the walk began."""

    path: str
    is_folder: bool


class FolderWalk:
    """One pass over a folder, what lies nearest first; no link is followed, so it ends.

    `folder` is a real path. Left out is what .gitignore files name, what is hidden, a symbolic
    link or no regular file, and what looks like a secret.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.left_out = LeftOut()

    def entries(self) -> Iterator[Found]:
        """Raises `OSError` when the folder itself cannot be read."""
        todo = deque([("", rules_around(Path(self._folder)))])
        while todo:
            inner, rules = todo.popleft()
            folder = os.path.join(self._folder, inner) if inner else self._folder  # noqa: PTH118
            listed = self._listed(folder, inner)
            rules = rules.inside(folder) if listed else rules
            for entry in listed:
                path = f"{inner}/{entry.name}" if inner else entry.name
                match self._kind(entry, rules):
                    case "folder":
                        todo.append((path, rules))
                        yield Found(path, is_folder=True)
                    case "file":
                        yield Found(path, is_folder=False)

    def _listed(self, folder: str, inner: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except OSError as err:
            if not inner:
                raise
            is_gone = isinstance(err, FileNotFoundError)
            lost = self.left_out.vanished if is_gone else self.left_out.unreadable
            lost.append(inner + "/")
            return []

    def _kind(self, entry: os.DirEntry[str], rules: IgnoreRules) -> str:
        """ "file", "folder", or "" for what is left out, which is counted."""
        if entry.name == ".git":
            return ""
        if entry.is_symlink():
            self.left_out.links += 1
            return ""
        is_folder = entry.is_dir(follow_symlinks=False)
        if not is_folder and looks_secret(entry.name):
            self.left_out.secret.append(os.path.relpath(entry.path, self._folder))
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
