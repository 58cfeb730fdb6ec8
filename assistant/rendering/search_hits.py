"""Messages that were found: which they are, and the lines that hold the words."""

from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from msgspec import Struct

from assistant.conversation.message_names import join_name
from assistant.conversation.records import Hit
from assistant.rendering.conversation_facts import attached, author, title_of
from assistant.rendering.found_words import FoundWords, Span
from assistant.rendering.quantities import age_text
from assistant.rendering.tables import cell_width, clip, one_line, terminal_columns
from assistant.visible_text import visible

BOLD, RESET = "\x1b[1m", "\x1b[m"
MOST_LINES = 2  # of a message
INDENT = 4  # blanks, where there is room
PIPE_CELLS = 200  # of a line in a pipe, where a message may be one long line
ELLIPSIS = "…"


class Piece(Struct, frozen=True):
    """Visible text; `is_match`: it was searched for."""

    text: str
    is_match: bool


def write_hits(
    hits: Sequence[Hit], query: str, out: TextIO, *, has_color: bool, now: float
) -> None:
    """Name, who and when, title; then a line or two. `now` in seconds since the epoch."""
    columns = terminal_columns(out)
    indent = " " * min(INDENT, (columns or PIPE_CELLS) // 8)
    cells = (columns or PIPE_CELLS) - len(indent)
    for number, hit in enumerate(hits):
        out.write("\n" if number else "")
        out.write(_heading(hit, columns, now, has_color=has_color) + "\n")
        for pieces in excerpts(hit, query, cells):
            painted = (_painted(piece, has_color=has_color) for piece in pieces)
            out.write(f"{indent}{''.join(painted)}\n")


def hit_object(hit: Hit, query: str) -> dict[str, Any]:
    """For programs."""
    lines = excerpts(hit, query, PIPE_CELLS)
    return {
        "conversation": hit.conversation.name,
        "title": hit.conversation.title,
        "number": hit.message.number,
        "kind": hit.message.kind.value,
        "created": hit.message.created,
        "lines": ["".join(piece.text for piece in pieces) for pieces in lines],
    }


def excerpts(hit: Hit, query: str, cells: int) -> list[list[Piece]]:
    """The first line for each word, two at most; the first of all when no line holds one."""
    names = [f"attached {file.name}" for file in attached(hit.message)]
    lines = [line.strip() for line in hit.message.text.split("\n")] + names
    found = FoundWords(lines, query)
    chosen = found.first_lines(MOST_LINES) or [at for at, line in enumerate(lines) if line][:1]
    return [list(_excerpt(lines[at], found.spans(at), cells)) for at in chosen]


def _heading(hit: Hit, columns: int | None, now: float, *, has_color: bool) -> str:
    message = hit.message
    name = join_name(hit.conversation.name, message.number)
    facts = [name, author(message), age_text(message.created, now), title_of(hit.conversation)]
    line = clip("  ".join(map(one_line, facts)), columns)
    return f"{BOLD}{line[: len(name)]}{RESET}{line[len(name) :]}" if has_color else line


def _excerpt(line: str, spans: Sequence[Span], cells: int) -> Iterator[Piece]:
    """At most so many cells; of a longer line from shortly before the first match on."""
    start, end = 0, _fits(line, 0, cells)
    if end < len(line):
        first = spans[0].start if spans else 0
        start = _step_back(line, first, cells // 3)
        end = _fits(line, start, cells - 1 if start else cells)
    if is_cut := end < len(line):
        end = _fits(line, start, cells - 2 if start else cells - 1)
    yield Piece(ELLIPSIS if start else "", is_match=False)
    at = start
    for span in spans:
        if span.start < end and span.end > at:
            yield Piece(_shown(line[at : span.start]), is_match=False)
            at = min(span.end, end)
            yield Piece(_shown(line[span.start : at]), is_match=True)
    has_room = end > start or not start
    yield Piece(_shown(line[at:end]) + (ELLIPSIS if is_cut and has_room else ""), is_match=False)


def _fits(line: str, start: int, cells: int) -> int:
    """Where so many cells that begin at `start` end."""
    end = start
    while end < len(line) and (width := _width(line[end])) <= cells:
        cells -= width
        end += 1
    return end


def _step_back(line: str, at: int, cells: int) -> int:
    """At most so many cells before a place."""
    while at and (width := _width(line[at - 1])) <= cells:
        cells -= width
        at -= 1
    return at


def _width(char: str) -> int:
    return cell_width(_shown(char))


def _shown(text: str) -> str:
    return visible(text.replace("\t", " ").replace("\r", " "))


def _painted(piece: Piece, *, has_color: bool) -> str:
    return f"{BOLD}{piece.text}{RESET}" if has_color and piece.is_match else piece.text
