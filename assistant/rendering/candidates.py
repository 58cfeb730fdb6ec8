"""Several answers to one question, one below the other: the first while it arrives."""

from collections.abc import Callable
from typing import TextIO

from assistant.events import Answer, Event, Finished, ReasoningChunk, TextChunk
from assistant.rendering.base import Renderer


class CandidatesRenderer:
    """Each candidate has a renderer of its own, and a line above it that grep finds.

    `text_of` says what is shown of an answer that has ended; with `is_streaming` the first
    candidate is shown while it is written.
    """

    def __init__(
        self,
        out: TextIO,
        candidates: int,
        open_renderer: Callable[[], Renderer],
        *,
        text_of: Callable[[Answer], str],
        is_streaming: bool,
    ) -> None:
        self._out = out
        self._candidates = candidates
        self._open_renderer = open_renderer
        self._text_of = text_of
        self._is_streaming = is_streaming
        self._live: Renderer | None = None

    def show(self, event: Event) -> None:
        if isinstance(event, Finished):
            self._show_the_rest(event.answers)
        elif isinstance(event, TextChunk | ReasoningChunk):
            if self._is_streaming and event.candidate == 0:
                self._begin_live().show(event)
        elif self._live is not None:
            self._live.show(event)

    def close(self) -> None:
        if self._live is not None:
            self._live.close()

    def _begin_live(self) -> Renderer:
        if self._live is None:
            self._write_heading(0)
            self._live = self._open_renderer()
        return self._live

    def _show_the_rest(self, answers: tuple[Answer, ...]) -> None:
        self.close()
        for answer in answers[1:] if self._live is not None else answers:
            self._write_heading(answer.candidate)
            renderer = self._open_renderer()
            if self._is_streaming and answer.reasoning:
                renderer.show(ReasoningChunk(answer.reasoning))
            renderer.show(TextChunk(self._text_of(answer)))
            renderer.close()

    def _write_heading(self, candidate: int) -> None:
        gap = "\n" if candidate else ""
        self._out.write(f"{gap}==> {candidate + 1} of {self._candidates} <==\n")
        self._out.flush()
