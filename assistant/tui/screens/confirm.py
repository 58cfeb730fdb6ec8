"""A question that a key answers; what was typed before it stood there answers nothing."""

import time

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

GRACE_SECONDS = 0.5  # in which keys that were meant for something else do nothing


class ConfirmScreen(ModalScreen[bool]):
    """`question` and the exact `subject` it is about, such as a URL; y or Enter says yes."""

    DEFAULT_CSS = """
    ConfirmScreen { align: center middle; }
    ConfirmScreen > Vertical {
        width: 72;
        max-width: 90%;
        height: auto;
        max-height: 90%;
        padding: 1 2;
        background: $panel;
        border: round $primary;
    }
    ConfirmScreen Static { height: auto; }
    ConfirmScreen #subject { margin: 1 0; color: $accent; }
    """

    def __init__(self, question: str, subject: str) -> None:
        super().__init__()
        self._question = question
        self._subject = subject
        self._shown_at = 0.0

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(self._question), markup=False)
            yield Static(Text(self._subject, overflow="fold"), id="subject", markup=False)
            yield Static(Text("y yes · n no", style="dim"), markup=False)

    def on_mount(self) -> None:
        self._shown_at = time.monotonic()

    def on_key(self, event: events.Key) -> None:
        event.stop()
        if event.key in ("n", "escape"):
            self.dismiss(False)
        elif event.key in ("y", "enter") and time.monotonic() - self._shown_at > GRACE_SECONDS:
            self.dismiss(True)
