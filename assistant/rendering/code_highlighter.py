"""Code with colours, line by line as it arrives: Pygments tokens to SGR sequences.

Colours are the 16 of the user's own terminal theme. The language comes from the fence's info
or from a file name in it, never from the code.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String, _TokenType
from pygments.util import ClassNotFound

_SGR: dict[_TokenType, str] = {
    Keyword: "35",
    Operator.Word: "35",
    Comment: "36",
    Comment.Preproc: "35",
    String: "32",
    Number: "94",
    Name.Function: "94",
    Name.Class: "94",
    Name.Builtin: "94",
    Name.Decorator: "94",
    Name.Exception: "94",
    Name.Tag: "35",
    Name.Attribute: "94",
    Generic.Deleted: "31",
    Generic.Inserted: "32",
    Generic.Heading: "1",
    Generic.Subheading: "36",
    Generic.Prompt: "36",
}

# What ends a comment or string that some lexers recognise only once it is complete.
_ENDS = (("/*", "*/"), ("<!--", "-->"), ("--[[", "]]"), ("`", "`"), ("'", "'"), ('"', '"'))

_LONGEST_LINE = 2_000  # characters; longer ones are data and stay plain
_TAIL = 4  # lines that are tried without the earlier ones
_COMPARED = 3  # of them; the first may be the rest of a statement
_HEAD = 8  # lines, enough to hold what opens a long comment or string
_MOST_LINES = 96

_Tokens = list[tuple[_TokenType, str]]  # of one line


class CodeHighlighter:
    """Colours lines in their order.

    A line is lexed together with earlier ones, so that strings and comments of many lines look
    right. Earlier lines are forgotten as soon as the last ones get the same tokens without
    them, so a line costs the same however long the code is.
    """

    def __init__(self, info: str) -> None:
        self._lexer = _find_lexer(info)
        self._lines: list[str] = []

    def add(self, line: str) -> str:
        """The next line (without its end), coloured."""
        if self._lexer is None or len(line) > _LONGEST_LINE:
            return line
        self._lines.append(line)
        tokens = _lex(self._lexer, self._lines)
        if len(self._lines) >= _MOST_LINES:
            self._lines = self._lines[-_TAIL:]
        elif len(self._lines) > _TAIL:
            self._forget(self._lexer, tokens)
        return _paint(tokens[-1], line)

    def preview(self, line: str) -> str:
        """The start of the next line, coloured; it is not remembered."""
        if self._lexer is None or len(line) > _LONGEST_LINE:
            return line
        return _paint(_lex(self._lexer, [*self._lines, line])[-1], line)

    def _forget(self, lexer: Lexer, tokens: Sequence[_Tokens]) -> None:
        if tokens[-_COMPARED:].count([]) > 1:
            return  # empty lines look the same everywhere
        shorter = [self._lines[-_TAIL:]]
        if len(self._lines) > _HEAD + _TAIL:  # in a long comment or string
            shorter.append(self._lines[:_HEAD] + self._lines[-_TAIL:])
        for lines in shorter:
            if _lex(lexer, lines)[-_COMPARED:] == tokens[-_COMPARED:]:
                self._lines = lines
                return


def highlight_code(code: str, info: str) -> str:
    """Complete code with colours."""
    highlighter = CodeHighlighter(info)
    return "\n".join(highlighter.add(line) for line in code.split("\n"))


@lru_cache(maxsize=64)
def _find_lexer(info: str) -> Lexer | None:
    for word in re.split(r"[\s,:{}=\"']+", info)[:4]:
        if not word:
            continue
        try:
            # startinline: PHP in an answer mostly comes without its <?php
            return get_lexer_by_name(word.lstrip(".").lower(), startinline=True)
        except ClassNotFound:
            pass
        try:
            return get_lexer_for_filename(word) if "." in word else None
        except ClassNotFound:
            pass
    return None


def _lex(lexer: Lexer, lines: Sequence[str]) -> list[_Tokens]:
    """Tokens per line. The code may end inside a comment or a string."""
    text = "".join(f"{line}\n" for line in lines)
    found = list(lexer.get_tokens_unprocessed(text))
    for start, end in _ENDS:
        if _may_be_open(text, start, end):
            completed = list(lexer.get_tokens_unprocessed(text + end))
            if any(at < len(text) < at + len(value) for at, _, value in completed):
                found = completed
                break
    result: list[_Tokens] = [[]]
    for at, kind, value in found:
        for index, part in enumerate(value[: max(0, len(text) - at)].split("\n")):
            if index:
                result.append([])
            if part:
                result[-1].append((kind, part))
    return result[: len(lines)]


def _may_be_open(text: str, start: str, end: str) -> bool:
    if start == end:
        return text.count(start) % 2 == 1
    return start in text and end not in text[text.rindex(start) + len(start) :]


def _paint(tokens: _Tokens, line: str) -> str:
    if "".join(value for _, value in tokens) != line:
        return line  # a lexer that drops or moves text is not worth its colours
    painted, color = "", ""
    for kind, value in tokens:
        wanted = _color(kind)
        if wanted != color and not value.isspace():
            painted += f"\x1b[{wanted}m" if wanted else "\x1b[m"
            color = wanted
        painted += value
    return painted + "\x1b[m" if color else painted


@lru_cache(maxsize=512)
def _color(kind: _TokenType) -> str:
    """SGR parameters of a token type or of the nearest type above it."""
    step: _TokenType | None = kind
    while step is not None:
        if step in _SGR:
            return _SGR[step]
        step = step.parent
    return ""
