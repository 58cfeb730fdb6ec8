"""The answer on a terminal: Markdown and highlighted code while they arrive.

What is finished (a block of Markdown, a line of code) is written once; what is not stands in a
live region below it, redrawn now and then.
"""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from assistant.events import Event, Finished, ReasoningChunk, TextChunk
from assistant.rendering.base import ReasoningMode, TerminalSize

if TYPE_CHECKING:
    from assistant.rendering.answer_lines import AnswerLines, ReasoningLines

_SHORTEST_DELAY = 0.05  # seconds between redraws
# Seconds without a redraw per CPU second of the last one: redraws cost at most 1/31 of a core.
_REST_AFTER_WORK = 30


class PrettyRenderer:
    """Shows the answer, and dimmed the reasoning, on the terminal `out`.

    `size` is asked before every redraw, so a resized window is used at once.
    """

    def __init__(
        self,
        out: TextIO,
        reasoning: ReasoningMode = ReasoningMode.SHOW,
        *,
        size: TerminalSize | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Rich and Pygments take 0.1 s to import; an answer in a pipe does without them.
        from assistant.rendering.answer_lines import AnswerLines, ReasoningLines
        from assistant.rendering.live_region import LiveRegion

        self._answer_lines = AnswerLines
        self._reasoning_lines = ReasoningLines
        self._region = LiveRegion(out, size or (lambda: os.get_terminal_size(out.fileno())))
        self._mode = reasoning
        self._clock = clock
        self._part: AnswerLines | ReasoningLines | None = None
        self._final: list[str] = []  # finished lines that wait for the next redraw
        self._next_redraw = clock()

    def show(self, event: Event) -> None:
        match event:
            case ReasoningChunk(text, candidate=0) if self._mode != ReasoningMode.HIDE:
                self._feed(self._reasoning_lines, text)
            case TextChunk(text, candidate=0) if self._mode != ReasoningMode.ONLY:
                self._feed(self._answer_lines, text)
            case Finished():
                self.close()
            case _:
                pass

    def close(self) -> None:
        self._region.reset()
        self._end_part()
        self._region.update(self._final, [])
        self._final = []

    def _feed(self, kind: "type[AnswerLines | ReasoningLines]", text: str) -> None:
        if not isinstance(self._part, kind):
            if self._part:
                self._end_part()
                self._final.append("")
            self._part = kind()
        self._final += self._part.feed(text, self._region.columns)
        if self._clock() >= self._next_redraw:
            self._redraw(self._part)

    def _redraw(self, part: "AnswerLines | ReasoningLines") -> None:
        started = time.thread_time()
        self._region.update(self._final, part.unfinished(self._region.columns))
        self._final = []
        work = time.thread_time() - started
        self._next_redraw = self._clock() + max(_SHORTEST_DELAY, _REST_AFTER_WORK * work)

    def _end_part(self) -> None:
        if self._part:
            self._final += self._part.close(self._region.columns)
            self._part = None
