"""Asks for one line, such as the name of a file."""

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class AskLineScreen(ModalScreen[str]):
    """What was typed, "" for nothing; Escape is nothing."""

    DEFAULT_CSS = """
    AskLineScreen { align: center middle; }
    AskLineScreen > Vertical {
        width: 64;
        max-width: 94%;
        height: auto;
        padding: 1 2;
        background: $panel;
        border: round $primary;
    }
    AskLineScreen Static { height: auto; }
    """

    BINDINGS = [("escape", "give_up", "Close")]  # noqa: RUF012

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self._question = question
        self._value = value

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(self._question), markup=False)
            yield Input(self._value)

    def action_give_up(self) -> None:
        self.dismiss("")

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip())
