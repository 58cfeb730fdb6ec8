"""What the transcript says about messages that are not on the screen: a line above, one below."""

from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Earlier(Widget):
    """So many messages come before the first one that is shown; nothing where there are none."""

    DEFAULT_CSS = """
    Earlier { height: 1; width: 1fr; display: none; padding: 0 2; }
    """

    count: reactive[int] = reactive(0)

    def watch_count(self, count: int) -> None:
        self.display = count > 0

    def render(self) -> RenderResult:
        return Text(f"↑ {counted(self.count, 'earlier message')}", style="dim", no_wrap=True)


class Later(Widget):
    """Over the text at the bottom: what has come since the end was left. A click goes there."""

    DEFAULT_CSS = """
    Later {
        layer: above;
        dock: bottom;
        height: 1;
        width: auto;
        padding: 0 1;
        background: $accent;
        color: $text;
        display: none;
        pointer: pointer;
    }
    """

    words: reactive[str] = reactive("", layout=True)

    class Chosen(Message):
        """The user wants to see it."""

    def watch_words(self, words: str) -> None:
        self.display = bool(words)

    def render(self) -> RenderResult:
        return Text(self.words, no_wrap=True)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Chosen())


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
