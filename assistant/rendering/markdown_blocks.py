"""Markdown outside fences, cut into blocks as it arrives: which are finished, and how they look.

A block is a paragraph, a heading, a table … or one item of a list, so that the unfinished
rest of an answer is small however long the answer gets.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich import box, markdown
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from assistant.rendering.code_highlighter import highlight_code

_LIST_OPENS = ("bullet_list_open", "ordered_list_open")
# Only at such a line, or at one after an empty line, is it worth parsing to find finished blocks;
# not at every row of a table, line of a quote or item of a nested list.
_BLOCK_START = re.compile(r" ?(?:[-*+#]|\d{1,9}[.)])")
# A last line of which nothing can be said yet: "-" may be an item, a heading, a rule …
_UNDECIDED = re.compile(r"\s*(?:[-=*_+#>|`~\s]+|\d{1,9}[.)]?\s*)")
_FILLING = re.compile(r"(?: |\x1b\[[0-9;]*m)*$")
_NARROWEST_CELL = 5  # columns; Rich leaves out what does not fit

# Colours of the user's own terminal theme: readable on dark and on light backgrounds.
_THEME = Theme(
    {
        "markdown.h1": "bold underline",
        "markdown.h2": "bold underline",
        "markdown.h3": "bold",
        "markdown.h4": "bold",
        "markdown.h5": "bold",
        "markdown.h6": "bold",
        "markdown.code": "cyan",
        "markdown.code_block": "none",
        "markdown.block_quote": "none",
        "markdown.item.bullet": "bold",
        "markdown.item.number": "bold",
        "markdown.hr": "dim",
        "markdown.link": "bold",
        "markdown.link_url": "underline",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
        "markdown.s": "strike",
    }
)


@dataclass(frozen=True, slots=True)
class Block:
    """A finished block; `joins_previous` when no empty line stands before it (list items)."""

    tokens: tuple[Token, ...]
    joins_previous: bool


class MarkdownReader:
    """Collects lines of prose and gives the blocks that no further line can change."""

    def __init__(self) -> None:
        self._parser = _parser()
        self._text = ""  # of the unfinished block
        self._after_empty_line = False
        self._items_before = 0  # finished items of the list that the text continues
        self._next_number = 1  # of that list's next item

    def feed(self, line: str) -> list[Block]:
        """A whole line, with its line end."""
        may_begin_block = self._after_empty_line or _BLOCK_START.match(line)
        self._after_empty_line = not line.strip()
        self._text += line
        if not may_begin_block or self._after_empty_line:
            return []
        return self._take_finished()

    def close(self) -> list[Block]:
        """All that is left; whatever comes next begins a new text."""
        blocks = [block for block, _ in self._blocks(self._text)]
        self._text = ""
        self._items_before = 0
        return blocks

    def unfinished(self, last_line: str) -> list[Block]:
        """The blocks as they look if the text ended with `last_line`, which has no line end."""
        if _UNDECIDED.fullmatch(last_line):
            last_line = ""
        return [block for block, _ in self._blocks(self._text + last_line)]

    def _take_finished(self) -> list[Block]:
        blocks = self._blocks(self._text)
        if len(blocks) < 2:
            return []
        last, start = blocks[-1]
        finished = [block for block, _ in blocks[:-1]]
        self._text = "".join(self._text.splitlines(keepends=True)[start:])
        self._items_before, self._next_number = 0, 1
        if last.joins_previous:
            self._items_before = 1
            self._next_number = _number(last.tokens[0])
        return finished

    def _blocks(self, text: str) -> list[tuple[Block, int]]:
        """Blocks with the index of their first line in `text`."""
        blocks: list[tuple[Block, int]] = []
        for tokens in _split(self._parser.parse(text), level=0):
            if tokens[0].type not in _LIST_OPENS:
                blocks.append((Block(tokens, joins_previous=False), _first_line(tokens[0])))
                continue
            continues = not blocks and self._items_before > 0
            number = self._next_number if continues else _number(tokens[0])
            for index, item in enumerate(_split(tokens[1:-1], level=1)):
                opening = tokens[0].copy(attrs={"start": number + index})
                block = Block((opening, *item, tokens[-1]), joins_previous=continues or index > 0)
                blocks.append((block, _first_line(item[0])))
        return blocks


class MarkdownPainter:
    """Turns blocks into lines of text and SGR sequences, at most `columns` wide."""

    def __init__(self) -> None:
        self._markdown = _Markdown("", hyperlinks=False)

    def paint(self, block: Block, columns: int) -> list[str]:
        out = io.StringIO()
        console = Console(
            file=out,
            width=columns,
            height=1,
            force_terminal=True,
            color_system="standard",
            legacy_windows=False,
            theme=_THEME,
            emoji=False,
            highlight=False,
            markup=False,
            _environ={},
        )
        self._markdown.parsed = list(block.tokens)
        console.print(self._markdown)
        lines = [_strip_end(line) for line in out.getvalue().split("\n")]
        filled = [index for index, line in enumerate(lines) if line]
        return lines[filled[0] : filled[-1] + 1] if filled else []


class _Heading(markdown.Heading):
    LEVEL_ALIGN = dict.fromkeys(markdown.Heading.LEVEL_ALIGN, "left")


class _Code(markdown.CodeBlock):
    """Code in a block quote or by indentation; fences elsewhere never come here."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text.from_ansi(highlight_code(str(self.text).rstrip("\n"), self.lexer_name))


class _Table(markdown.TableElement):
    """Wraps long words in cells, where Rich would cut them; lines of cells on narrow screens."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = [part.row for part in (self.header,) if part and part.row]
        rows += self.body.rows if self.body else []
        if rows and options.max_width < _NARROWEST_CELL * len(rows[0].cells):
            yield from (Text(" | ").join(cell.content for cell in row.cells) for row in rows)
            return
        for table in super().__rich_console__(console, options):
            assert isinstance(table, Table)
            table.box = box.SIMPLE_HEAD
            table.show_edge = False
            for column in table.columns:
                column.overflow = "fold"
            yield table


class _ListItem(markdown.ListItem):
    """Numbers end with a dot."""

    def render_number(
        self, console: Console, options: ConsoleOptions, number: int, last_number: int
    ) -> RenderResult:
        numeral = f"{number:>{len(str(last_number))}}. "
        inside = options.update(width=max(1, options.max_width - len(numeral)))
        for index, line in enumerate(console.render_lines(self.elements, inside)):
            yield Segment(" " * len(numeral) if index else numeral)
            yield from line
            yield Segment.line()


class _Rule(markdown.HorizontalRule):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("─" * options.max_width, style="markdown.hr")


class _Markdown(markdown.Markdown):
    elements = markdown.Markdown.elements | {
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
        "table_open": _Table,
        "list_item_open": _ListItem,
        "hr": _Rule,
    }


def _parser() -> MarkdownIt:
    """CommonMark with tables, but everything that would vanish or turn into another character
    stays as written: HTML, images, link definitions, entities (they can spell bidi controls).
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return parser.disable(["image", "reference", "entity", "autolink"])


def _split(tokens: Sequence[Token], level: int) -> Iterator[tuple[Token, ...]]:
    """Cut where a token of `level` ends."""
    start = 0
    for index, token in enumerate(tokens):
        if token.level == level and token.nesting <= 0:
            yield tuple(tokens[start : index + 1])
            start = index + 1


def _first_line(token: Token) -> int:
    assert token.map is not None
    return token.map[0]


def _number(list_open: Token) -> int:
    return int(list_open.attrs.get("start", 1))


def _strip_end(line: str) -> str:
    """Without blanks that only fill the line; copying should give the words."""
    end = _FILLING.search(line)
    assert end
    words = line[: end.start()]
    return f"{words}\x1b[m" if "\x1b" in words else words
