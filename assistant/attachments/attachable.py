"""What could be attached: the files and folders below the current folder, paths elsewhere, and
the symbols of a file. Only their names; nothing is attached here."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from msgspec import Struct

from assistant.attachments.definitions import Definition, SourceCode
from assistant.attachments.folder_walk import FolderWalk
from assistant.attachments.grammars import grammar_of

MAX_NAMES = 50_000
MAX_ENTRIES = 20_000  # of one folder


class Listing(Struct, frozen=True):
    """Names relative to the folder, those of folders with a slash at their end.

    `files_below` counts the files in each of these folders. `is_cut`: there are more names.
    """

    names: tuple[str, ...] = ()
    files_below: dict[str, int] = {}
    is_cut: bool = False


def list_attachable(folder: str = ".", max_names: int = MAX_NAMES) -> Listing:
    """What lies nearest comes first. An unreadable folder has nothing in it."""
    names: list[str] = []
    files: Counter[str] = Counter()  # of each folder, in it alone
    is_cut = False
    try:
        for found in FolderWalk(os.path.realpath(folder)).entries():
            if len(names) == max_names:
                is_cut = True
                break
            names.append(found.path + "/" if found.is_folder else found.path)
            if not found.is_folder:
                parent, slash, _ = found.path.rpartition("/")
                files[parent + slash] += 1
    except OSError:
        pass
    return Listing(tuple(names), _with_inner(files), is_cut)


def _with_inner(files: Counter[str]) -> dict[str, int]:
    """The files in each folder → those in it and in all folders below it."""
    below: Counter[str] = Counter()
    for folder, count in files.items():
        ends = (at for at, character in enumerate(folder) if character == "/")
        below.update({folder[: end + 1]: count for end in ends})
    return dict(below)


def is_path(typed: str) -> bool:
    """Whether it leads out of the current folder, or to what a list of it leaves out."""
    return typed.startswith(("/", "~", ".")) or "/." in typed


def list_folder(head: str) -> list[str]:
    """All that is in a folder, as a person goes on typing; `head` ends with a slash or is "".

    Sorted, folders with a slash at their end. An unreadable folder has nothing in it.
    """
    try:
        folder = os.path.expanduser(head) or "."  # noqa: PTH111 # keeps what is no user
        with os.scandir(folder) as entries:
            listed = [entry for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False)]
    except (OSError, ValueError):
        return []
    return sorted(head + entry.name + "/" * _is_folder(entry) for entry in listed)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def list_symbols(text: str, file_name: str) -> Sequence[Definition]:
    """Its definitions in their order; none where its language is not known or it takes too long.

    Of several with one name the first.
    """
    grammar = grammar_of(PurePath(file_name).name)
    if grammar is None:
        return ()
    try:
        definitions = SourceCode(text, grammar).definitions()
    except TimeoutError:
        return ()
    return list({one.name: one for one in reversed(definitions)}.values())[::-1]
