"""Two versions of a file → a unified diff that `patch -p1` and `git apply` take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from assistant.edits.file_names import header_name
from assistant.edits.line_matching import Pair, match_lines

CONTEXT_LINES = 3
NO_LINE_END = "\n\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True)
class Change:
    """old[old_start:old_end] becomes new[new_start:new_end]."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class LineCounts:
    added: int
    removed: int


def diff_files(path: Path, old: bytes | None, new: bytes | None, encoding: str) -> str:
    """The diff from `old` to `new`, "" when they are equal; None: there is no file.

    The bytes are shown in `encoding`, a byte order mark as the character that it is.
    """
    olds, news = _lines(old, encoding), _lines(new, encoding)
    changes = _changes(olds, news)
    if not changes:
        return ""
    before = "/dev/null" if old is None else header_name("a", path)
    after = "/dev/null" if new is None else header_name("b", path)
    hunks = (line for hunk in _hunks(changes) for line in _hunk_lines(hunk, olds, news))
    return "".join([f"--- {before}\n+++ {after}\n", *hunks])


def count_changes(old: bytes | None, new: bytes | None, encoding: str) -> LineCounts:
    """How many lines the diff adds and removes."""
    changes = _changes(_lines(old, encoding), _lines(new, encoding))
    return LineCounts(
        added=sum(change.new_end - change.new_start for change in changes),
        removed=sum(change.old_end - change.old_start for change in changes),
    )


def _lines(data: bytes | None, encoding: str) -> list[str]:
    """Lines with their ends. Only a line feed ends one, for `patch` as for us."""
    *lines, last = (data or b"").decode(encoding, "replace").split("\n")
    return [line + "\n" for line in lines] + ([last] if last else [])


def _changes(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    around = [Pair(-1, -1), *match_lines(old, new), Pair(len(old), len(new))]
    return [
        Change(before.old + 1, after.old, before.new + 1, after.new)
        for before, after in pairwise(around)
        if (after.old - before.old, after.new - before.new) != (1, 1)
    ]


def _hunks(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Changes whose context would touch share a hunk."""
    hunk = [changes[0]]
    for change in changes[1:]:
        if change.old_start - hunk[-1].old_end > 2 * CONTEXT_LINES:
            yield hunk
            hunk = []
        hunk.append(change)
    yield hunk


def _hunk_lines(hunk: Sequence[Change], old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    first, last = hunk[0], hunk[-1]
    above = min(CONTEXT_LINES, first.old_start)
    below = min(CONTEXT_LINES, len(old) - last.old_end)
    removed = _range(first.old_start - above, last.old_end + below)
    added = _range(first.new_start - above, last.new_end + below)
    yield f"@@ -{removed} +{added} @@\n"
    at = first.old_start - above
    for change in hunk:
        yield from _marked(" ", old[at : change.old_start])
        yield from _marked("-", old[change.old_start : change.old_end])
        yield from _marked("+", new[change.new_start : change.new_end])
        at = change.old_end
    yield from _marked(" ", old[at : at + below])


def _range(start: int, end: int) -> str:
    """First line and number of lines; nothing is said to stand after line `start`."""
    if start == end:
        return f"{start},0"
    return f"{start + 1}" if end - start == 1 else f"{start + 1},{end - start}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield mark + (line if line.endswith("\n") else line + NO_LINE_END)
