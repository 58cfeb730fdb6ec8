"""How a file is called: in a diff, as git would, and in a sentence for a person."""

import os
from pathlib import Path

from assistant.errors import InputError
from assistant.visible_text import visible

_ESCAPES = {
    **{ord(char): f"\\{letter}" for char, letter in zip("\a\b\t\n\v\f\r", "abtnvfr", strict=True)},
    ord('"'): '\\"',
    ord("\\"): "\\\\",
}


def relative_name(path: Path) -> str:
    """Relative to the current folder when the file is below it, else absolute.

    Raises `InputError` for a relative path when the current folder was deleted.
    """
    try:
        absolute = os.path.abspath(path)  # noqa: PTH100 # a link keeps its own name
    except OSError as err:
        raise InputError("the current folder is gone", "cd somewhere else") from err
    try:
        return str(Path(absolute).relative_to(Path.cwd()))
    except (OSError, ValueError):  # the current folder is gone, or the file is elsewhere
        return absolute


def shown_file(path: Path) -> str:
    """`relative_name` as one line of visible text."""
    return shown_name(relative_name(path))


def shown_name(name: str) -> str:
    """A file's name as one line of visible text."""
    return visible(name.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t"))


def header_name(side: str, path: Path) -> str:
    """What follows --- or +++ in a diff: "a/app.py", quoted as git does where it must be.

    A quoted name cannot forge a line of the diff. The tab after a name with blanks is git's,
    too: without it `patch` would take what follows a blank for a time. An absolute name loses
    its first slash, so that `patch -p1 -d /` finds it.
    """
    name = f"{side}/{relative_name(path).lstrip('/')}"
    data = os.fsencode(name)
    if name.isprintable() and not set('"\\') & set(name):
        return name + "\t" if " " in name else name
    return '"' + "".join(_quoted(byte) for byte in data) + '"'


def _quoted(byte: int) -> str:
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"
