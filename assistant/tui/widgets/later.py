"""A line over the end of the transcript that tells what has come below it."""

from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Later(Widget):
    """Nothing is shown without `words`; a click on them is `Chosen`."""

    DEFAULT_CSS = """
    Later {
        layer: above;
        dock: bottom;
        height: 1;
        width: auto;
        padding: 0 1;
        background: $block-cursor-background;
        color: $block-cursor-foreground;
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
