"""Files: read whole, bounded, and refused in one line when they are no text."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from assistant.attachments.decoding import MAX_BYTES, decode_text, too_large
from assistant.attachments.names import shown_name
from assistant.errors import InputError
from assistant.messages import SourceFile

MAX_SIBLINGS = 2_000  # compared with a misspelt name
# O_NONBLOCK: should a pipe have taken the file's place, opening it must not wait.
OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

KINDS = (
    (stat.S_ISDIR, "a folder", "name a file in it"),
    (stat.S_ISFIFO, "a pipe", "send it on standard input: llmchat … < PIPE"),
    (stat.S_ISSOCK, "a socket", "name a regular file"),
    (stat.S_ISCHR, "a device", "name a regular file"),
    (stat.S_ISBLK, "a device", "name a regular file"),
)


class TextFile(Struct, frozen=True):
    """A file that was read. `name` is one line of visible text, `notice` as of `Decoded`."""

    name: str
    text: str
    source: SourceFile
    notice: str = ""


def read_file(name: str, max_bytes: int = MAX_BYTES) -> TextFile:
    """The text of a regular file of at most `max_bytes`.

    `name` is as the command line gave it; a ~ is expanded. Raises `InputError` with one line
    and what to type instead.
    """
    shown = shown_name(name)
    with reasons_for(name):
        path = Path(name).expanduser()
        status = path.stat()
        for is_kind, kind, remedy in KINDS:
            if is_kind(status.st_mode):
                raise InputError(f"{shown} is {kind}", remedy)
        # Files of /proc say that they hold 0 bytes: the size alone proves nothing.
        data = b"" if status.st_size > max_bytes else _read(path, max_bytes + 1)
    if max(len(data), status.st_size) > max_bytes:
        raise too_large(shown, max_bytes)
    return text_file(shown, path.absolute(), data)


def text_file(shown: str, path: Path, data: bytes) -> TextFile:
    """The bytes of the file at `path` as text. Raises `InputError` when they are none."""
    decoded = decode_text(data, shown)
    source = SourceFile(path, data, decoded.encoding, decoded.mark)
    return TextFile(shown, decoded.text, source, decoded.notice)


@contextmanager
def reasons_for(name: str) -> Iterator[None]:
    """Turns what goes wrong with the file or folder `name` into an `InputError`."""
    shown = shown_name(name)
    try:
        yield
    except FileNotFoundError as err:
        raise InputError(f"there is no file {shown}", _nearest(name)) from err
    except PermissionError as err:
        raise InputError(f"{shown} may not be read", f"look at it: ls -ld {shown}") from err
    except (OSError, RuntimeError, ValueError) as err:  # no such user, a NUL in the name
        reason = getattr(err, "strerror", None) or str(err)
        raise InputError(f"{shown} cannot be read: {reason}", "name a regular file") from err


def _read(path: Path, max_bytes: int) -> bytes:
    with os.fdopen(os.open(path, OPEN_FLAGS), "rb") as file:
        return file.read(max_bytes)


def _nearest(name: str) -> str:
    """What the user may have meant: names of the same folder that are spelt alike."""
    path = Path(name).expanduser()
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry, _ in zip(entries, range(MAX_SIBLINGS), strict=False)]
    except OSError:
        return f"there is no folder {shown_name(str(path.parent))} either"
    close = get_close_matches(path.name, names, n=3)
    # A common ending alone says nothing.
    close = [match for match in close if get_close_matches(path.stem, [Path(match).stem], 1, 0.5)]
    if not close:
        return f"look what is there: ls {shown_name(str(path.parent))}"
    matches = (shown_name(str(Path(name).with_name(match))) for match in close)
    return f"did you mean {', '.join(matches)}?"
