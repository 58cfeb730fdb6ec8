"""The answer with colours where no cursor can move: a pipe that asked for them, a dumb terminal."""

import shutil
from typing import TYPE_CHECKING, TextIO

from assistant.events import Event, Finished, ReasoningChunk, TextChunk
from assistant.rendering.base import ReasoningMode, TerminalSize

if TYPE_CHECKING:
    from assistant.rendering.answer_lines import AnswerLines, ReasoningLines


class FinalLinesRenderer:
    """What `PrettyRenderer` shows in the end: every line when it is finished, SGR sequences only.

    `size` tells where to wrap prose: `COLUMNS` or 80 unless given.
    """

    def __init__(
        self,
        out: TextIO,
        reasoning: ReasoningMode = ReasoningMode.HIDE,
        *,
        size: TerminalSize = shutil.get_terminal_size,
    ) -> None:
        # Rich and Pygments take 0.1 s to import; an answer without colours does without them.
        from assistant.rendering.answer_lines import AnswerLines, ReasoningLines

        self._answer_lines = AnswerLines
        self._reasoning_lines = ReasoningLines
        self._out = out
        self._mode = reasoning
        self._size = size
        self._part: AnswerLines | ReasoningLines | None = None

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
        part, self._part = self._part, None
        if part:
            self._write(part.close(self._size().columns))

    def _feed(self, kind: "type[AnswerLines | ReasoningLines]", text: str) -> None:
        if not isinstance(self._part, kind):
            if self._part:
                self.close()
                self._write([""])
            self._part = kind()
        self._write(self._part.feed(text, self._size().columns))

    def _write(self, lines: list[str]) -> None:
        if lines:
            self._out.write("".join(f"{line}\n" for line in lines))
            self._out.flush()
