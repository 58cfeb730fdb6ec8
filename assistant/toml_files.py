"""TOML files: bounded reading with the line of every key, changing one key, atomic writing.

Which keys a file may have, and what they mean, is not known here.
"""

import re
from pathlib import Path
from typing import Any

from msgspec import Struct

from assistant.errors import AssistantError, UsageError
from assistant.safe_files import replace_file

MAX_BYTES = 1 << 20


class TomlFile(Struct, frozen=True):
    """What a file says: its text, and the values of its keys in their order."""

    path: Path
    text: str
    values: dict[str, Any]

    def place(self, key: str) -> str:
        """`PATH, line 3` of a key at the top level or of a table's header."""
        line = _key_lines(self.text).get(key)
        return f"{self.path}, line {line}" if line else str(self.path)


def read_toml(path: Path) -> TomlFile | None:
    """None: there is no such file. Raises `UsageError` with the line of what is no TOML."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):  # also where a file is in a folder's place
        return None
    except IsADirectoryError as err:
        raise UsageError(f"{path} is a folder, not a file", f"rmdir {path}") from err
    except OSError as err:
        reason = err.strerror or err
        raise UsageError(f"{path} cannot be read: {reason}", f"ls -l {path}") from err
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "make it shorter")
    return TomlFile(path, text := _decode(path, data), _parse(path, text))


def set_key(path: Path, key: str, value: str | float, *, is_dry_run: bool = False) -> None:
    """Sets one key at the top level; comments, order and all else stay. Raises as reading does."""
    document = _editable(path)
    document[key] = value
    if not is_dry_run:
        write_toml(path, document.as_string())


def remove_key(path: Path, key: str, *, is_dry_run: bool = False) -> bool:
    """Removes one key at the top level; False: it is not there."""
    document = _editable(path)
    if key not in document:
        return False
    document.remove(key)
    if not is_dry_run:
        write_toml(path, document.as_string())
    return True


def write_toml(path: Path, text: str) -> None:
    """Writes all of it or nothing; a link stays a link.

    Only its owner may read a new file; one that is there keeps its permissions. Raises
    `AssistantError` when its folder cannot be made or written.
    """
    try:
        target = path.resolve()
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(target, text.encode(), 0o600)
    except (OSError, RuntimeError) as err:  # RuntimeError: links in a circle
        raise AssistantError(
            f"{path} cannot be written: {getattr(err, 'strerror', None) or err}",
            "set LLMCHAT_HOME to a folder that you may write",
        ) from err


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise UsageError(f"{path}, line {line}: it is not UTF-8", "save it as UTF-8") from err


def _parse(path: Path, text: str) -> dict[str, Any]:
    import tomllib  # takes 5 ms, and most runs have no such file

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as err:  # ValueError: a number of 5,000 digits
        place = re.search(r" \(at (line (\d+), column \d+|end of document)\)$", str(err))
        line = (place and place[2]) or text.rstrip("\n").count("\n") + 1
        reason = str(err)[: place.start()] if place else "a value is too large or too deep"
        where = f"{path}, line {line}" if place else str(path)
        raise UsageError(f"{where}: it is no TOML: {reason}", "correct the line") from err


def _editable(path: Path) -> Any:
    import tomlkit  # takes 25 ms; it keeps comments and order
    from tomlkit.exceptions import TOMLKitError

    file = read_toml(path)
    try:
        return tomlkit.parse(file.text if file is not None else "")
    except TOMLKitError as err:  # tomllib, which knows more of TOML, could read it
        raise UsageError(f"{path} cannot be changed: {err}", f"edit {path}") from err


# ── where a key stands: tomllib does not say ─────────────────────────────────────────────────

# Comments and strings of one line are matched only so that no quote inside them opens a longer one.
_STRINGS = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}'
    r'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*',
    re.DOTALL,
)
_KEY = re.compile(r"""[ \t]*(?:\[\[?[ \t]*)?("(?:\\.|[^"\\])*"|'[^']*'|[\w-]+)[ \t]*[=.\]]""")


def _key_lines(text: str) -> dict[str, int]:
    """The first line of each key and table; of a dotted key its first part."""
    lines: dict[str, int] = {}
    for number, line in enumerate(_STRINGS.sub(_without_lines, text).split("\n"), 1):
        if match := _KEY.match(line):
            lines.setdefault(_unquoted(match[1]), number)
    return lines


def _without_lines(match: re.Match[str]) -> str:
    """A string of several lines becomes as many empty ones: nothing in it is a key."""
    return "\n" * match[0].count("\n") or match[0]


def _unquoted(key: str) -> str:
    if key[0] not in "\"'":
        return key
    import tomllib  # as above

    try:
        return next(iter(tomllib.loads(f"{key} = 0")))
    except ValueError:
        return key
