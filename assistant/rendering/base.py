"""What every renderer of answers can do, and what a user may choose about it."""

import os
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from assistant.events import Event

TerminalSize = Callable[[], os.terminal_size]  # asked again before every redraw


class ReasoningMode(StrEnum):
    """What becomes of the text in which a model thinks before it answers."""

    SHOW = "show"
    HIDE = "hide"
    ONLY = "only"  # the reasoning without the answer


class Renderer(Protocol):
    """Shows one answer: its events in their order, then `close`."""

    def show(self, event: "Event") -> None:
        """Errors of the stream, such as BrokenPipeError, pass through."""

    def close(self) -> None:
        """Write what is pending and leave the terminal in order; also after a cancelled answer.

        Safe to call twice.
        """
