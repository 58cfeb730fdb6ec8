"""Somebody's Markdown inside a document: what it leaves open must not swallow what follows.

An answer that was stopped in the middle of a code block has lost its closing fence; a comment
may never end. https://spec.commonmark.org/0.31.2/#leaf-blocks says what ends what.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

from assistant.prompts.contents import fence

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LINE_END = re.compile(r"\r\n?|\n")
CLOSING = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*")
OPENING = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
# The HTML blocks that a blank line does not end: elements, and what ends the others.
ELEMENTS = re.compile("<(script|pre|style|textarea)", re.IGNORECASE)
HTML_ENDS = (">", "-->", "?>", "]]>")
HEADING = "end"


def close_markdown(text: str) -> str:
    """`text` with what ends its last block, so that a heading after an empty line is one."""
    opened = _open_fence(text)
    if opened is not None:
        return _ended(text, opened) if opened else text
    if _is_closed(text):
        return text
    for end in (*_fences(text), *HTML_ENDS, *_end_tags(text)):
        if _is_closed(_ended(text, end)):
            return _ended(text, end)
    return fence(text, "markdown")


def _ended(text: str, end: str) -> str:
    return text.removesuffix("\n") + "\n" + end


def _open_fence(text: str) -> str | None:
    """The fence that is open at the end, "" for none; None when only a parser can tell."""
    opened = ""
    for line in LINE_END.split(text):
        if opened:
            if _closes(line, opened):
                opened = ""
        elif match := OPENING.fullmatch(line):
            opened = match[1] or match[2]
        elif "```" in line or "~~~" in line or line.lstrip(" ").startswith("<"):
            return None  # in a list, a quote, a comment …
    return opened


def _closes(line: str, opened: str) -> bool:
    match = CLOSING.fullmatch(line)
    return match is not None and match[1].startswith(opened)


def _fences(text: str) -> list[str]:
    """Long enough to close any that is in the text."""
    return [max(re.findall(f"{mark}{{3,}}", text), key=len, default=mark * 3) for mark in "`~"]


def _end_tags(text: str) -> list[str]:
    return [f"</{name}>" for name in dict.fromkeys(map(str.lower, ELEMENTS.findall(text)))]


def _is_closed(text: str) -> bool:
    match _parser().parse(f"{text}\n\n## {HEADING}\n")[-3:]:
        case [opening, content, _]:
            is_heading = opening.type == "heading_open" and opening.level == 0
            return is_heading and content.content == HEADING
    return False


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # takes 30 ms, and few texts need it

    return MarkdownIt("commonmark")
