"""A page of text above the chat, such as all keys."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

HINT = "↑↓ scroll · Esc closes"
Row = tuple[str, str]  # a key or a name, and what there is to say of it


class PageScreen(ModalScreen[None]):
    """Its keys are those of any pager; so are those that close it."""

    DEFAULT_CSS = """
    PageScreen { align: center middle; }
    PageScreen > VerticalScroll {
        width: 90;
        max-width: 96%;
        height: auto;
        max-height: 94%;
        padding: 0 2;
        background: $surface;
        border: round $border;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        scrollbar-size-vertical: 1;
    }
    PageScreen Static { height: auto; }
    """

    BINDINGS = [  # noqa: RUF012
        ("escape,q,enter,f1", "close", "Close"),
        ("up,k", "scroll(-1)", "Up"),
        ("down,j", "scroll(1)", "Down"),
        ("pageup", "scroll(-10)", "Page up"),
        ("pagedown,space", "scroll(10)", "Page down"),
    ]

    def __init__(self, title: str, sections: Sequence[tuple[str, Sequence[Row]]]) -> None:
        super().__init__()
        self._heading = title
        self._sections = sections

    def compose(self) -> ComposeResult:
        with VerticalScroll() as page:
            page.border_title, page.border_subtitle = self._heading, HINT
            for at, (title, rows) in enumerate(self._sections):
                lines = "\n" * (at > 0) + title
                yield Static(Text(lines, style="bold dim"), markup=False)
                yield Static(_table(rows), markup=False)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def _table(rows: Sequence[Row]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, max_width=28, overflow="ellipsis")
    table.add_column(overflow="fold")
    for name, words in rows:
        table.add_row(Text(name), Text(words))
    return table
