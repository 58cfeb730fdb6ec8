"""Text of a model that arrives in pieces, as lines for a terminal: finished and unfinished ones.

Lines hold visible characters and SGR sequences. Unfinished ones fit the given columns.
"""

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from assistant.code_blocks import (
    CodeBlockReader,
    CodeEnded,
    CodeLine,
    CodeStarted,
    Piece,
    ProseLine,
)
from assistant.rendering.code_highlighter import CodeHighlighter
from assistant.rendering.markdown_blocks import Block, MarkdownPainter, MarkdownReader
from assistant.visible_text import VisibleStream

_DIM, _RESET = "\x1b[2m", "\x1b[m"


class AnswerLines:
    """Markdown with fenced code. Code keeps its characters, so that copying gives the code."""

    def __init__(self) -> None:
        self._visible = VisibleStream()
        self._reader = CodeBlockReader()
        self._markdown = MarkdownReader()
        self._painter = MarkdownPainter()
        self._code: CodeHighlighter | None = None
        self._is_empty = True

    def feed(self, text: str, columns: int) -> list[str]:
        """Lines that are finished with this text."""
        return self._finish(self._reader.feed(self._visible.feed(text)), columns)

    def unfinished(self, columns: int) -> list[str]:
        """How the rest looks so far."""
        text = self._reader.unfinished_text
        if self._code is None:
            return self._paint(self._markdown.unfinished(text), columns)
        return [self._code.preview(_cut(text.expandtabs(), columns))] if text else []

    def close(self, columns: int) -> list[str]:
        """All lines that are left."""
        lines = self.feed(self._visible.close(), columns)
        lines += self._finish(self._reader.close(), columns)
        return lines + self._finish_markdown(self._markdown.close(), columns)

    def _finish(self, pieces: Iterable[Piece], columns: int) -> list[str]:
        lines: list[str] = []
        for piece in pieces:
            match piece:
                case ProseLine(text):
                    lines += self._finish_markdown(self._markdown.feed(text), columns)
                case CodeStarted(info):
                    lines += self._finish_markdown(self._markdown.close(), columns)
                    lines += [] if self._is_empty else [""]
                    lines += [f"{_DIM}{_cut(info, columns)}{_RESET}"] if info else []
                    self._code = CodeHighlighter(info)
                    self._is_empty = False
                case CodeLine(text):
                    assert self._code
                    lines.append(self._code.add(text.removesuffix("\n")))
                case CodeEnded():
                    self._code = None
        return lines

    def _finish_markdown(self, blocks: list[Block], columns: int) -> list[str]:
        lines = self._paint(blocks, columns)
        self._is_empty = self._is_empty and not lines
        return lines

    def _paint(self, blocks: list[Block], columns: int) -> list[str]:
        lines: list[str] = []
        for block in blocks:
            if not block.joins_previous and (lines or not self._is_empty):
                lines.append("")
            lines += self._painter.paint(block, columns)
        return lines


class ReasoningLines:
    """What a model thinks before it answers: dim, wrapped, with a bar on the left."""

    def __init__(self) -> None:
        self._visible = VisibleStream()
        self._unfinished = ""
        self._empty_lines = 0  # written only when text follows
        self._is_empty = True
        self._console = Console(width=80)

    def feed(self, text: str, columns: int) -> list[str]:
        """Lines that are finished with this text."""
        text = self._unfinished + self._visible.feed(text)
        *finished, self._unfinished = text.split("\n")
        return [line for text in finished for line in self._take(text, columns)]

    def unfinished(self, columns: int) -> list[str]:
        """How the rest looks so far."""
        return self._wrap(self._unfinished, columns) if self._unfinished.strip() else []

    def close(self, columns: int) -> list[str]:
        """All lines that are left."""
        lines = self.feed(self._visible.close(), columns)
        text, self._unfinished = self._unfinished, ""
        return lines + self._take(text, columns)

    def _take(self, text: str, columns: int) -> list[str]:
        if not text.strip():
            self._empty_lines += not self._is_empty
            return []
        gap = self._wrap("", columns) * self._empty_lines
        self._empty_lines, self._is_empty = 0, False
        return gap + self._wrap(text, columns)

    def _wrap(self, text: str, columns: int) -> list[str]:
        wrapped = Text(text).wrap(self._console, max(1, columns - 2))
        return [f"{_DIM}│ {line.plain.rstrip()}{_RESET}" for line in wrapped]


def _cut(text: str, columns: int) -> str:
    """`text` in one row, with an ellipsis where it does not fit."""
    if cell_len(text) <= columns:
        return text
    return set_cell_size(text, columns - 1).rstrip() + "…"
