"""The answer as it is, while it arrives: for pipes, files and terminals without colour."""

from typing import BinaryIO

from assistant.events import Event, ReasoningChunk, TextChunk
from assistant.rendering.base import ReasoningMode
from assistant.visible_text import VisibleStream


class PlainRenderer:
    """Writes UTF-8 and flushes after every chunk.

    A pipe gets exactly the bytes of the text, a terminal (`is_terminal`) the text made visible.
    Text that does not end with a newline gets one at the end.
    """

    def __init__(
        self,
        out: BinaryIO,
        reasoning: ReasoningMode = ReasoningMode.HIDE,
        *,
        is_terminal: bool = False,
    ) -> None:
        self._out = out
        self._reasoning = reasoning
        self._visible = VisibleStream() if is_terminal else None
        self._last_character = ""
        self._in_reasoning = False

    def show(self, event: Event) -> None:
        match event:
            case ReasoningChunk(text, candidate=0) if self._reasoning != ReasoningMode.HIDE:
                self._in_reasoning = True
                self._write(text)
            case TextChunk(text, candidate=0) if self._reasoning != ReasoningMode.ONLY:
                self._separate_from_reasoning()
                self._write(text)
            case _:
                pass

    def close(self) -> None:
        if self._visible:
            self._put(self._visible.close())
        self._end_line()
        self._out.flush()

    def _separate_from_reasoning(self) -> None:
        if self._in_reasoning:
            self._in_reasoning = False
            self._end_line()
            self._put("\n")

    def _end_line(self) -> None:
        if self._last_character not in ("", "\n"):
            self._put("\n")

    def _write(self, text: str) -> None:
        self._put(self._visible.feed(text) if self._visible else text)
        self._out.flush()

    def _put(self, text: str) -> None:
        # Text that UTF-8 cannot carry (half a surrogate pair) is escaped, never an error.
        self._out.write(text.encode("utf-8", errors="backslashreplace"))
        self._last_character = text[-1:] or self._last_character
