"""How large what could be attached is: bytes, lines, tokens; measured once, until it changes."""

import os
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from assistant.attachments.git_changes import read_changes
from assistant.attachments.line_ranges import count_lines
from assistant.attachments.mentions import CHANGES
from assistant.attachments.names import Named, is_folder, parse_name
from assistant.attachments.reading import attach
from assistant.errors import AssistantError

MOST = 5_000  # sizes that are kept
LARGEST_COUNTED = 1 << 20  # bytes of a file whose tokens are counted

CountTokens = Callable[[str], int | None]
Version = tuple[int, int]  # when a file changed, in nanoseconds, and its bytes


class Size(Struct, frozen=True):
    """What is not known, or not for this kind of thing, is None. `problem`: why it cannot be
    attached, in one line."""

    size_bytes: int | None = None
    lines: int | None = None
    tokens: int | None = None
    problem: str = ""


class Sizes:
    """Of what a person may attach. `measure` reads and counts, so it belongs into a thread.

    `count_tokens` gives None while nobody can count.
    """

    def __init__(self, count_tokens: CountTokens) -> None:
        self._count_tokens = count_tokens
        self._sizes: dict[str, tuple[Version | None, Size]] = {}

    def known(self, name: str) -> Size | None:
        """What was measured last, whatever has changed since."""
        found = self._sizes.get(name)
        return found and found[1]

    def look(self, name: str) -> Size:
        """What is known and still true; of a file that was not measured yet its bytes."""
        version = _version(name)
        version_then, size = self._sizes.get(name, (None, Size()))
        if version_then == version:
            return size
        is_file = version is not None and parse_name(name) == Named(name)
        return self._keep(name, version, Size(version[1] if version and is_file else None))

    def measure(self, name: str) -> Size:
        """Lines and tokens as well, unless it is a folder or too large to be counted for a look."""
        version = _version(name)
        version_then, size = self._sizes.get(name, (None, Size()))
        is_measured = size.tokens is not None or size.problem
        if is_measured and version is not None and version == version_then:
            return size
        return self._keep(name, version, self._measured(name, version))

    def _keep(self, name: str, version: Version | None, size: Size) -> Size:
        self._sizes.pop(name, None)
        self._sizes[name] = version, size
        while len(self._sizes) > MOST:
            del self._sizes[next(iter(self._sizes))]
        return size

    def _measured(self, name: str, version: Version | None) -> Size:
        if name not in CHANGES and is_folder(name):
            return Size()
        is_whole = version is not None and parse_name(name) == Named(name)
        size_bytes = version[1] if version is not None and is_whole else None
        if size_bytes is not None and size_bytes > LARGEST_COUNTED:
            return Size(size_bytes)
        try:
            attached = read_changes(CHANGES[name]) if name in CHANGES else attach([name], None)
            text = attached.attachments[0].text
            is_counted = len(text) <= LARGEST_COUNTED
            tokens = self._count_tokens(text) if is_counted else None
        except AssistantError as err:
            return Size(size_bytes, problem=err.message)
        return Size(size_bytes, count_lines(text), tokens)


def _version(name: str) -> Version | None:
    """Of the file that something names; None for what is none, and for changes."""
    if name in CHANGES:
        return None
    try:
        status = os.stat(Path(parse_name(name).path).expanduser())  # noqa: PTH116 # one line
    except (OSError, ValueError, RuntimeError):
        return None
    return status.st_mtime_ns, status.st_size
