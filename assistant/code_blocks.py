"""Fenced code in text that is still arriving: which lines are prose and which are code.

Fences follow CommonMark (backticks or tildes, closed by at least as many), with two liberties
that models take: a fence may stand at any depth of a list, and code may be indented less than
its fence. Code in a block quote stays prose.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

_LIST_MARKER = r"(?:[-*+]|\d{1,9}[.)])[ ]{1,4}"
_FENCE_START = re.compile(
    rf"(?P<indent>[ \t]*)(?P<marker>{_LIST_MARKER})?"
    r"(?P<fence>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)"
)
_FENCE_PERHAPS = re.compile(
    rf"[ \t]*(?:{_LIST_MARKER})?(?:`{{1,2}}|`{{3,}}[^`]*|~{{1,2}}|~{{3,}}.*)"
)


class ProseLine(Struct, frozen=True):
    """A line outside code, with its line end if it has one."""

    text: str


class CodeStarted(Struct, frozen=True):
    """`info` is what follows the fence: "python", "src/app.py", "" …"""

    info: str


class CodeLine(Struct, frozen=True):
    """A line of code without the fence's indentation, with its line end if it has one."""

    text: str


class CodeEnded(Struct, frozen=True):
    pass


Piece = ProseLine | CodeStarted | CodeLine | CodeEnded


class CodeBlockReader:
    """Give it text as it comes; it gives finished lines back, told apart.

    `unfinished` is the last line while its end has not come.
    """

    def __init__(self) -> None:
        self.unfinished = ""
        self._fence = ""  # of the open code; empty in prose
        self._indent = 0  # of the last fence; what belongs to its list item is as deep

    def feed(self, text: str) -> list[Piece]:
        *lines, self.unfinished = (self.unfinished + text).split("\n")
        return [piece for line in lines for piece in self._read(line + "\n")]

    def close(self) -> list[Piece]:
        """The last line, if the text did not end with a line end; the end of open code."""
        last, self.unfinished = self.unfinished, ""
        pieces = list(self._read(last)) if last else []
        if self._fence:
            self._fence = ""
            pieces.append(CodeEnded())
        return pieces

    @property
    def unfinished_text(self) -> str:
        """The unfinished line without its list's indentation; empty if it may become a fence."""
        line = self.unfinished
        maybe_fence = (
            self._fence.startswith(line.strip()[: len(self._fence)])
            if self._fence
            else _FENCE_PERHAPS.fullmatch(line)
        )
        return "" if maybe_fence else _without_indent(line, self._indent)

    def _read(self, line: str) -> Iterator[Piece]:
        if self._fence:
            if self._ends_code(line):
                self._fence = ""
                yield CodeEnded()
            else:
                yield CodeLine(_without_indent(line, self._indent))
        elif start := _FENCE_START.fullmatch(line.rstrip("\r\n")):
            marker = start["marker"] or ""
            if marker:
                yield ProseLine(start["indent"] + marker + "\n")
            self._fence = start["fence"]
            self._indent = len(start["indent"] + marker)
            yield CodeStarted(start["info"].strip())
        else:
            inner = _without_indent(line, self._indent)
            if line.strip() and len(line) - len(inner) < self._indent:
                self._indent = 0
                inner = line
                yield ProseLine("\n")  # the list item is over, and so is its last paragraph
            yield ProseLine(inner)

    def _ends_code(self, line: str) -> bool:
        bare = line.strip()
        depth = len(line) - len(line.lstrip())
        return (
            len(bare) >= len(self._fence)
            and not bare.strip(self._fence[0])
            and depth <= self._indent + 3
        )


class CodeBlock(Struct, frozen=True):
    """A fenced block as it stands in the text; `info` is what follows the fence."""

    info: str
    code: str

    @property
    def language(self) -> str:
        """ "python"; "" where the fence names none."""
        return next(iter(self.info.split()), "")


def find_code_blocks(text: str) -> list[CodeBlock]:
    """All fenced blocks that are not empty, closed or not, in their order."""
    reader = CodeBlockReader()
    blocks: list[CodeBlock] = []
    info, code = "", ""
    for piece in [*reader.feed(text), *reader.close()]:
        match piece:
            case CodeStarted(info):
                code = ""
            case CodeLine(line):
                code += line
            case CodeEnded() if code.strip():
                blocks.append(CodeBlock(info, code))
            case _:
                pass
    return blocks


def has_code(text: str) -> bool:
    """Whether there is a fenced block that is not empty."""
    return bool(find_code_blocks(text))


def extract_code(text: str) -> str:
    """The first fenced block that is not empty, closed or not; the whole text without one.

    Later blocks are mostly usage examples, so they would not belong into the same file.
    """
    return next((block.code for block in find_code_blocks(text)), text)


def _without_indent(line: str, indent: int) -> str:
    """`line` without at most `indent` leading blanks."""
    blanks = len(line) - len(line.lstrip(" \t"))
    return line[min(blanks, indent) :]
