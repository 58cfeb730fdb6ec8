"""Rows of plain words between the messages: commands, settings, past conversations.

Columns line up; what is too long for the last one goes on below its beginning.
"""

from collections.abc import Collection, Iterator, Sequence

from assistant.rendering.tables import GAP, cell_width, one_line, table_lines
from assistant.tui.widgets.lines import LineView
from assistant.tui.widgets.rows import CODE_ACTIONS, DIM, Action, Content, Row, dim_rows
from assistant.tui.widgets.strips import RESET, wrap

CYAN = "\x1b[36m"
FEWEST_CELLS = 24  # for the last column; with less room it stands below the others
INDENT = "  "
COMMAND = "/"  # a row that begins so can be typed


class TableContent(Content):
    """No cell is markup, and none was made visible before. See `ShowTable`."""

    def __init__(
        self, rows: Sequence[Sequence[str]], title: str = "", right: Collection[int] = ()
    ) -> None:
        super().__init__()
        self._rows = rows
        self._title = title
        self._right = right

    @property
    def actions(self) -> tuple[Action, ...]:
        return CODE_ACTIONS

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in table_lines(self._rows, right=self._right))

    def laying_out(self, columns: int) -> Iterator[None]:
        self.columns = columns
        yield
        title = dim_rows(f"· {one_line(self._title)}", columns) if self._title else []
        self.sections = (title, table_rows(self._rows, columns, self._right))


class TableView(LineView):
    content: TableContent

    def __init__(
        self,
        rows: Sequence[Sequence[str]] = (),
        title: str = "",
        right: Collection[int] = (),
        *,
        content: TableContent | None = None,
    ) -> None:
        super().__init__(content or TableContent(rows, title, right))

    def twin(self) -> "TableView":
        return TableView(content=self.content)


def table_rows(
    rows: Sequence[Sequence[str]], columns: int, right: Collection[int] = ()
) -> list[Row]:
    """At most so many cells wide, and no word is lost."""
    shown = [[one_line(word) for word in row] for row in rows]
    count = max(map(len, shown), default=0)
    widths = [
        max((cell_width(row[at]) for row in shown if at < len(row)), default=0)
        for at in range(count)
    ]
    before = sum(widths[:-1]) + len(GAP) * (count - 1)
    room = columns - before
    if count and room < min(FEWEST_CELLS, widths[-1]):
        return [line for row in shown for line in _stacked(row, columns)]
    return [line for row in shown for line in _in_columns(row, widths, right, columns)]


def _in_columns(
    row: Sequence[str], widths: Sequence[int], right: Collection[int], columns: int
) -> Iterator[Row]:
    line = ""
    for at, word in enumerate(row):
        if at < len(widths) - 1 or at in right:
            blanks = " " * (widths[at] - cell_width(word))
            line += blanks + word + GAP if at in right else word + blanks + GAP
            continue
        indent = cell_width(line)
        first, *others = wrap(word, max(1, columns - indent))
        yield _row(line + first)
        yield from (Row(" " * indent + other) for other in others)
        return
    yield _row(line.rstrip())


def _stacked(row: Sequence[str], columns: int) -> Iterator[Row]:
    head = GAP.join(word for word in row[:-1] if word.strip()) if len(row) > 1 else ""
    if head:
        yield from map(_row, wrap(head, columns))
    indent = INDENT if head else ""
    for line in wrap(row[-1], max(1, columns - len(indent))) if row else ():
        yield Row(f"{DIM if head else ''}{indent}{line}{RESET}")


def _row(line: str) -> Row:
    """With what can be typed lit up."""
    if not line.startswith(COMMAND):
        return Row(line)
    command, gap, rest = line.partition(GAP)
    return Row(f"{CYAN}{command}{RESET}{gap}{rest}")
