"""Answers in a linear chat: written as they come, and what becomes of them said in words."""

import sys
from collections.abc import Callable, Iterable
from typing import Protocol

from assistant.chat_commands.hints import chat_words
from assistant.cli.interrupts import Interrupts
from assistant.cli.outcome import conclude
from assistant.cli.report import Report
from assistant.cli.spoken_progress import SpokenProgress
from assistant.config import Settings
from assistant.conversation.compaction import Compaction
from assistant.conversation.message_names import join_name
from assistant.conversation.session import Turn
from assistant.engine.base import Engine
from assistant.events import Event, Finished, Reason
from assistant.rendering.base import ReasoningMode, Renderer
from assistant.rendering.candidates import CandidatesRenderer
from assistant.rendering.plain import PlainRenderer


class ChatReport(Report):
    """Names commands of the chat where others name command lines."""

    def warning(self, text: str) -> None:
        super().warning(chat_words(text))

    def done(self, text: str) -> None:
        super().done(chat_words(text))


class _Cancellable(Protocol):
    def cancel(self) -> None: ...


class LinearAnswers:
    """`ended_by` is the exit code of the signal that ended an answer, None while none has."""

    def __init__(self, report: ChatReport, progress: SpokenProgress) -> None:
        self._report = report
        self._progress = progress
        self.ended_by: int | None = None

    def show(self, turn: Turn, engine: Engine, settings: Settings) -> int:
        """The exit code. Raises `EngineFailed` when the answer failed."""
        renderer = _open_renderer(settings, len(turn.numbers))
        try:
            finished = self._read(turn.stream, turn.stream, settings.timeout, renderer.show)
        finally:
            renderer.close()
        assert finished is not None, "an answer stream ends with Finished"
        if any(answer.reason is Reason.STOPPED for answer in finished.answers):
            self._report.done("stopped; what came is kept")
        code = conclude(finished, turn, engine.info, self._report, stopped_by=self.ended_by)
        if len(turn.numbers) > 1:
            names = ", ".join(join_name(turn.conversation.name, n) for n in turn.numbers)
            last = turn.numbers[-1]
            self._report.done(f"these are {names}; /resume .{last} goes on from the last one")
        return code

    def compact(self, compaction: Compaction, why: str) -> bool:
        """Whether there is a summary now, or none was worth it; False when it was stopped."""
        messages = compaction.messages
        self._report.done(f"{why}{messages} older messages become a summary")
        self._read(compaction, compaction, 0.0, lambda _event: None)
        if compaction.summary:
            self._report.done(f"summary: {compaction.summary}")
        elif compaction.reason is Reason.STOPPED:
            self._report.done("stopped; nothing has changed")
            return False
        else:
            self._report.warning("there is no summary: the model wrote none")
        return True

    def _read(
        self,
        events: Iterable[Event],
        stream: _Cancellable,
        timeout_seconds: float,
        show: Callable[[Event], None],
    ) -> Finished | None:
        """The first signal stops it, and the second ends the process."""
        finished = None
        with Interrupts(timeout_seconds) as interrupts:
            interrupts.on_first(stream.cancel)
            try:
                for event in events:
                    self._progress.show(event)
                    if isinstance(event, Finished):
                        finished = event
                    show(event)
            except OSError:
                stream.cancel()
                raise
        self.ended_by = interrupts.code
        return finished


def _open_renderer(settings: Settings, candidates: int) -> Renderer:
    is_terminal = sys.stdout.isatty()
    default = ReasoningMode.SHOW if is_terminal else ReasoningMode.HIDE
    mode = ReasoningMode(settings.reasoning) if settings.reasoning else default

    def open_one() -> Renderer:
        return PlainRenderer(sys.stdout.buffer, mode, is_terminal=is_terminal)

    if candidates == 1:
        return open_one()
    return CandidatesRenderer(
        sys.stdout, candidates, open_one, text_of=lambda answer: answer.text, is_streaming=True
    )
