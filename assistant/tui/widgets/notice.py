"""Facts between the messages: errors, what a command found, a summary of what came before."""

from collections.abc import Iterator
from enum import StrEnum

from assistant.tui.widgets.answer_text import AnswerText
from assistant.tui.widgets.lines import LineView
from assistant.tui.widgets.rows import CODE_ACTIONS, DIM, Action, CodeBlock, Content, Row
from assistant.tui.widgets.strips import RESET, wrap
from assistant.visible_text import visible

SLICE = 4_000  # characters that are laid out at once


class NoticeKind(StrEnum):
    """The value is the mark in front of it."""

    FACT = "·"
    WARNING = "!"
    ERROR = "✗"


MARKS = {NoticeKind.FACT: "\x1b[2m", NoticeKind.WARNING: "\x1b[33m", NoticeKind.ERROR: "\x1b[31m"}


class NoticeContent(Content):
    """`words` are plain text; the `markdown` below them is shown as an answer is."""

    def __init__(
        self, words: str, kind: NoticeKind = NoticeKind.FACT, markdown: str = "", name: str = ""
    ) -> None:
        super().__init__(name)
        self._words = words
        self._kind = kind
        self._markdown = markdown
        self._body = AnswerText(80)

    @property
    def actions(self) -> tuple[Action, ...]:
        return CODE_ACTIONS

    @property
    def text(self) -> str:
        return self._markdown or self._words

    @property
    def code_blocks(self) -> list[CodeBlock]:
        return self._body.code_blocks

    def laying_out(self, columns: int) -> Iterator[None]:
        body = AnswerText(columns)
        for at in range(0, len(self._markdown), SLICE):
            body.feed(self._markdown[at : at + SLICE])
            yield
        body.close()
        self._body, self.columns = body, columns
        self.sections = (self._head(), body.finished)

    def _head(self) -> list[Row]:
        if not self._words:
            return []
        mark = f"{MARKS[self._kind]}{self._kind}{RESET} "
        color = DIM if self._kind is NoticeKind.FACT else ""
        lines = wrap(visible(self._words.strip("\n")), max(1, self.columns - 2))
        return [
            Row(f"{'  ' if at else mark}{color}{line}{RESET}", is_chrome=True)
            for at, line in enumerate(lines)
        ]


class NoticeView(LineView):
    """`words` of one or more lines, and `markdown` below them; neither was made visible before."""

    content: NoticeContent

    def __init__(
        self,
        words: str = "",
        kind: NoticeKind = NoticeKind.FACT,
        markdown: str = "",
        name: str = "",
        *,
        content: NoticeContent | None = None,
    ) -> None:
        super().__init__(content or NoticeContent(words, kind, markdown, name))

    def twin(self) -> "NoticeView":
        return NoticeView(content=self.content)
