"""An answer while it is written and afterwards: its head, how far reading the prompt has come,
what the model thought, the text, and a line that tells how it ended.
"""

import re
import time
from collections.abc import Callable, Iterator

from assistant.events import ModelLoading, PromptProgress, Queued
from assistant.rendering.progress import progress_text
from assistant.tui.widgets.answer_text import AnswerText
from assistant.tui.widgets.growing_text import GrowingText
from assistant.tui.widgets.reasoning import Reasoning
from assistant.tui.widgets.rows import (
    Action,
    CodeBlock,
    Content,
    Row,
    dim_rows,
    head_row,
)
from assistant.tui.widgets.strips import RESET
from assistant.visible_text import visible

Progress = PromptProgress | Queued | ModelLoading

SLICE = 4_000  # characters that are laid out at once: some milliseconds
CYAN = "\x1b[36m"
NAMELESS = "Answer"


ACTIONS = (
    Action.COPY,
    Action.SAVE,
    Action.INSERT,
    Action.REGENERATE,
    Action.ALTERNATIVES,
    Action.FORK,
    Action.DETAILS,
)


class AnswerContent(Content):
    """Text is added at any time; `catch_up` makes rows of what was added."""

    def __init__(
        self, name: str = "", model: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(name)
        self.model = model
        self.progress: Progress | None = None
        self.footer = ""
        self.reasoning = Reasoning(clock=clock)
        self._grown = GrowingText()
        self._is_finished = False
        self._body: AnswerText | None = None
        self._fed = 0  # characters of the text that the body has

    @property
    def actions(self) -> tuple[Action, ...]:
        return ACTIONS

    @property
    def text(self) -> str:
        return self._grown.text

    @property
    def is_finished(self) -> bool:
        return self._is_finished

    @property
    def code_blocks(self) -> list[CodeBlock]:
        if self._body is None:
            return read_code_blocks(self.text)
        self._feed(self._body)
        return self._body.code_blocks

    # ── what is added ───────────────────────────────────────────────────────────────────────

    def add(self, text: str) -> None:
        self.progress = None
        self.reasoning.end()
        self._grown.add(text)

    def add_reasoning(self, text: str) -> None:
        self.progress = None
        self.reasoning.add(text)

    def finish(self, text: str, reasoning: str, footer: str) -> bool:
        """What it says in the end; whether that is what was added, and perhaps more."""
        self.progress = None
        self.reasoning.replace(reasoning)
        goes_on = text.startswith(self.text)
        if not goes_on:
            self._grown, self._body, self._fed = GrowingText(), None, 0
        self._grown.add(text[len(self.text) :])
        self.footer = footer
        self._is_finished = True
        return goes_on

    # ── rows ────────────────────────────────────────────────────────────────────────────────

    def laying_out(self, columns: int) -> Iterator[None]:
        body, fed = AnswerText(columns), 0
        while len(self.text) - fed > SLICE:
            body.feed(self.text[fed : fed + SLICE])
            fed += SLICE
            yield
        self._body, self._fed, self.columns = body, fed, columns
        self.catch_up()

    def catch_up(self, *, has_tail: bool = True) -> None:
        """Rows for what was added; without a tail not for what may still change."""
        if not self.columns:
            return
        body = self._body = self._body or AnswerText(self.columns)
        self._feed(body)
        if self._is_finished:
            body.close()
        columns = self.columns
        self.sections = (
            [head_row(visible(self.model) or NAMELESS, self.name, columns)],
            self.reasoning.rows(columns),
            [_progress_row(self.progress, columns)] if self.progress is not None else [],
            body.finished,
            body.unfinished() if has_tail and not self._is_finished else [],
            dim_rows(visible(self.footer), columns) if self.footer else [],
        )

    @property
    def first_new_row(self) -> int:
        """Rows before it do not change when text is added."""
        return sum(map(len, self.sections[:4]))

    def _feed(self, body: AnswerText) -> None:
        text = self.text
        body.feed(text[self._fed :])
        self._fed = len(text)


def read_code_blocks(text: str) -> list[CodeBlock]:
    """Of an answer that was never shown."""
    body = AnswerText(80)
    body.feed(text)
    return body.code_blocks


def _progress_row(progress: Progress, columns: int) -> Row:
    line = progress_text(progress, columns)
    return Row(re.sub("━+", lambda bar: f"{CYAN}{bar[0]}{RESET}", line), is_chrome=True)
