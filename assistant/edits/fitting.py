"""Code from an answer takes the form of the lines it replaces: indentation, line ends, blank edges.

What a model gets wrong without meaning anything by it must not show up as a change.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.edits.line_matching import match_lines

_BLANKS = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class Line:
    """`end` is LF, CR LF, or for the last line of a text "" or CR."""

    text: str
    end: str


def split_lines(text: str) -> list[Line]:
    """Only a line feed ends a line: `str.splitlines` would break at form feeds and U+2028, too."""
    *whole, last = text.split("\n")
    lines = [_line(line, "\n") for line in whole]
    return [*lines, _line(last, "")] if last else lines


def usual_line_end(text: str) -> str:
    """The one that most lines of a text have; LF when it has none."""
    ends = Counter(line.end for line in split_lines(text) if line.end)
    return max(ends, key=lambda end: ends[end], default="\n")


def fit_code(code: str, old: str, line_end: str) -> str:
    """`code` as it has to stand in the place of `old`.

    Lines that are the same keep their line ends, others get `line_end`; blank lines at both
    edges and a missing last line end stay as they were in `old`.
    """
    old_lines = split_lines(old)
    edges = _inner(old_lines)
    body = old_lines[edges]
    new = split_lines(code)
    texts = [line.text for line in new[_inner(new)]]
    if not texts:
        return old
    if not body:
        return line_end.join(texts) + line_end
    texts = _indented(texts, [line.text for line in body])
    fitted = [
        *old_lines[: edges.start],
        *_with_ends(texts, body, line_end),
        *old_lines[edges.stop :],
    ]
    return "".join(line.text + line.end for line in fitted)


def _line(text: str, end: str) -> Line:
    return Line(text[:-1], "\r" + end) if text.endswith("\r") else Line(text, end)


def _inner(lines: Sequence[Line]) -> slice:
    """Where the lines are that stand between the first and the last that is not blank."""
    filled = [at for at, line in enumerate(lines) if line.text.strip()]
    return slice(filled[0], filled[-1] + 1) if filled else slice(0, 0)


def _with_ends(texts: Sequence[str], body: Sequence[Line], line_end: str) -> list[Line]:
    ends = [line_end] * len(texts)
    for pair in match_lines([line.text for line in body], texts):
        ends[pair.new] = body[pair.old].end or line_end
    ends[-1] = body[-1].end
    return [Line(text, end) for text, end in zip(texts, ends, strict=True)]


def _indented(new: Sequence[str], old: Sequence[str]) -> list[str]:
    """A method whose answer begins further left than it stood moves to where it stood.

    Lines that begin at the left edge in the old text, too, stay: they belong to a string of
    several lines or to a preprocessor.
    """
    depth = _indent(old[0])
    missing = depth.removeprefix(_indent(new[0]))
    filled = [line for line in old if line.strip()]
    edge = [line for line in filled if not line.startswith(depth)]
    if not missing or not depth.startswith(_indent(new[0])) or 2 * len(edge) > len(filled):
        return list(new)
    fixed = set(edge)
    if _has_lost_only_the_first(new, old, fixed):
        return [missing + new[0], *new[1:]]
    return [line if line in fixed or not line.strip() else missing + line for line in new]


def _has_lost_only_the_first(new: Sequence[str], old: Sequence[str], fixed: set[str]) -> bool:
    """Whether all lines but the first are as deep as they were: models lose leading blanks.

    Lines of one depth that an answer puts below an `if …:` look the same, and are not.
    """
    deep_old, deep_new = _common_indent(old[1:], fixed), _common_indent(new[1:], fixed)
    is_wrapped = (
        deep_old == _indent(old[0])
        and new[0].rstrip().endswith(":")
        and new[0].strip() != old[0].strip()
    )
    return bool(deep_old) and deep_new.startswith(deep_old) and not is_wrapped


def _common_indent(lines: Sequence[str], fixed: set[str]) -> str:
    indents = [_indent(line) for line in lines if line.strip() and line not in fixed]
    return min(indents, key=len, default="")


def _indent(line: str) -> str:
    found = _BLANKS.match(line)
    return found[0] if found else ""
