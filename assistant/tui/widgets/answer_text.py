"""Markdown that arrives, as rows: prose in finished blocks, code line by line under a head of
its own. It looks as on the command line, but code is folded at the edge.
"""

from collections.abc import Sequence

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
from assistant.tui.widgets.links import addresses, bare_addresses, find_links
from assistant.tui.widgets.rows import (
    CODE_ACTIONS,
    WHOLE,
    CodeBlock,
    Row,
    row_with_actions,
)
from assistant.tui.widgets.strips import fold, wrap
from assistant.visible_text import visible

# Characters of one line, and of one block of Markdown: what is longer is data, and painting it
# again and again would stop the screen. Lines go on as plain text, blocks end.
LONGEST = 16_000


class AnswerText:
    """`finished` rows stay as they are; `unfinished` ones are how the rest looks so far."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.finished: list[Row] = []
        self._reader = CodeBlockReader()
        self._markdown = MarkdownReader()
        self._painter = MarkdownPainter()
        self._block_length = 0  # characters of the block of Markdown that is not finished
        self._highlighter: CodeHighlighter | None = None
        self._code = WHOLE  # the index of the last code block
        self._codes: list[tuple[str, list[str]]] = []  # language and lines
        self._taken = 0  # characters of the unfinished line that are finished rows already

    def feed(self, text: str) -> None:
        """The cost does not depend on what came before."""
        for piece in self._reader.feed(text):
            self._take(piece)
        line = self._unfinished_line()
        while len(line) - self._taken > LONGEST:
            self._take_part(line[self._taken : self._taken + LONGEST])
            self._taken += LONGEST

    def close(self) -> None:
        """There is nothing unfinished any more."""
        for piece in self._reader.close():
            self._take(piece)
        self._end_block()

    def unfinished(self) -> list[Row]:
        line = visible(self._unfinished_line()[self._taken :])
        if self._highlighter is not None:
            return self._code_rows(self._highlighter.preview(line), self._taken > 0) if line else []
        if self._taken:
            return _plain_rows(line, self.columns)
        return self._painted(self._markdown.unfinished(line))

    @property
    def code_blocks(self) -> list[CodeBlock]:
        """The last one as far as it has come."""
        blocks = [CodeBlock(language, "".join(lines)) for language, lines in self._codes]
        if self._highlighter is not None:
            last = blocks.pop()
            blocks.append(CodeBlock(last.language, last.text + self._unfinished_line()))
        return blocks

    # ── pieces ──────────────────────────────────────────────────────────────────────────────

    def _unfinished_line(self) -> str:
        return self._reader.unfinished_text.removesuffix("\r")

    def _take(self, piece: Piece) -> None:
        match piece:
            case ProseLine(text):
                self._take_prose(text)
            case CodeStarted(info):
                self._begin_code(info)
            case CodeLine(text):
                self._codes[-1][1].append(text)
                self._take_code(text.rstrip("\r\n") if text.endswith("\n") else text)
            case CodeEnded():
                self._highlighter = None
        self._taken = 0

    def _take_prose(self, text: str) -> None:
        bare = text.removesuffix("\n").removesuffix("\r")
        if len(bare) > LONGEST:
            self._take_long(bare)
            return
        self._block_length += len(text)
        blocks = self._markdown.feed(visible(text))
        if blocks:
            self._block_length = len(text)
            self.finished += self._painted(blocks)
        elif self._block_length > LONGEST:
            self._end_block()

    def _end_block(self) -> None:
        self._block_length = 0
        self.finished += self._painted(self._markdown.close())

    def _begin_code(self, info: str) -> None:
        self._end_block()
        self._codes.append((info, []))
        self._code += 1
        self._highlighter = CodeHighlighter(info)
        self._add_gap()
        head = row_with_actions(visible(info), "─", CODE_ACTIONS, self.columns, self._code)
        self.finished.append(head)

    def _take_code(self, line: str) -> None:
        if len(line) > LONGEST:
            self._take_long(line)
            return
        assert self._highlighter is not None
        self.finished += self._code_rows(self._highlighter.add(visible(line)))

    def _take_long(self, line: str) -> None:
        for at in range(self._taken, len(line), LONGEST):
            self._take_part(line[at : at + LONGEST])

    def _take_part(self, text: str) -> None:
        """A part of a line that is too long for Markdown and for colours."""
        if self._highlighter is not None:
            self.finished += self._code_rows(visible(text), self._taken > 0)
            return
        if not self._taken:
            self._end_block()
            self._add_gap()
        self.finished += _plain_rows(visible(text), self.columns)

    # ── rows ────────────────────────────────────────────────────────────────────────────────

    def _add_gap(self) -> None:
        if self.finished:
            self.finished.append(Row(""))

    def _painted(self, blocks: Sequence[Block]) -> list[Row]:
        rows: list[Row] = []
        for block in blocks:
            if not block.joins_previous and (rows or self.finished):
                rows.append(Row(""))
            lines = self._painter.paint(block, self.columns)
            rows += _linked(lines, addresses(block))
        return rows

    def _code_rows(self, line: str, continues: bool = False) -> list[Row]:
        return [
            Row(row, self._code, continues=continues or at > 0)
            for at, row in enumerate(fold(line, self.columns))
        ]


def _linked(lines: Sequence[str], urls: Sequence[str]) -> list[Row]:
    if not urls:
        return [Row(line) for line in lines]
    found = find_links(lines, urls)
    return [Row(line, targets=targets) for line, targets in zip(lines, found, strict=True)]


def _plain_rows(text: str, columns: int) -> list[Row]:
    return _linked(wrap(text, columns), bare_addresses(text))
