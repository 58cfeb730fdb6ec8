"""What a user names: `FILE`, `FILE:10-40`, `FILE::Class.method`, a folder, or "-"."""

import os
import re

from msgspec import Struct

from assistant.visible_text import visible

STDIN = "-"
LINES = re.compile(
    r"(?P<file>.+):(?P<first>[0-9]{1,9})(?P<dash>-(?P<last>[0-9]{1,9})?)?", re.DOTALL
)


class Named(Struct, frozen=True):
    """`path` may stand for all of a file or a folder, for lines of it, or for a symbol.

    `lines` are first and last as typed; without a last they go on to the end.
    """

    path: str
    lines: tuple[int, int | None] | None = None
    symbol: str | None = None


def parse_name(name: str) -> Named:
    """A path that exists is that path; else the longest part before `::` or `:LINES` that does.

    Where nothing exists it is what the form says, so that the error can name the file.
    """
    if is_there(name):
        return Named(name)
    found = LINES.fullmatch(name)
    if found is not None and "::" not in name.replace(found["file"], "", 1):
        first = int(found["first"])
        last = first if found["dash"] is None else int(found["last"]) if found["last"] else None
        if is_there(found["file"]) or "::" not in found["file"]:
            return Named(found["file"], (first, last))
    cuts = [at.start() for at in re.finditer("::", name) if at.start()]
    for cut in reversed(cuts):
        if is_there(name[:cut]):
            return Named(name[:cut], symbol=name[cut + 2 :])
    return Named(name[: cuts[0]], symbol=name[cuts[0] + 2 :]) if cuts else Named(name)


def is_attachable(name: str) -> bool:
    """Whether it is "-", something that exists, or a part of a file that exists.

    Opens nothing and never raises; whether the part exists shows when it is attached.
    """
    if name == STDIN:
        return True
    named = parse_name(name)
    if named.lines is None and named.symbol is None:
        return is_there(name)
    return is_there(named.path) and not is_folder(named.path)


def is_there(path: str) -> bool:
    """Whether a file or a folder of that name exists; a ~ is expanded."""
    try:
        return os.path.exists(os.path.expanduser(path))  # noqa: PTH110, PTH111 # a Path raises when the name is too long or there is no such user
    except (OSError, ValueError):
        return False


def is_folder(path: str) -> bool:
    """Whether there is a folder of that name; a ~ is expanded."""
    try:
        return os.path.isdir(os.path.expanduser(path))  # noqa: PTH111, PTH112 # as above
    except (OSError, ValueError):
        return False


def shown_name(name: str) -> str:
    """A file's name as one line of visible text; undecodable bytes become escapes."""
    return visible(name.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t"))
