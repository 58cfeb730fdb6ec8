"""What is asked, one question after another, and how it looks meanwhile.

Questions that are sent while an answer is written wait, visible and removable.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from assistant.chat_commands.hints import chat_words
from assistant.conversation.compaction import Compaction
from assistant.conversation.message_names import join_name
from assistant.conversation.session import Turn
from assistant.conversation.window import Ledger
from assistant.errors import AssistantError
from assistant.events import (
    Answer,
    Event,
    Finished,
    ModelLoading,
    PromptProgress,
    Queued,
    Reason,
    ReasoningChunk,
    TextChunk,
)
from assistant.tui.answering import Asking, Began, Compacted, Compacting, Fact, Over, Refused
from assistant.tui.widgets.answer import AnswerView
from assistant.tui.widgets.notice import NoticeKind, NoticeView
from assistant.tui.widgets.question import Chip, QuestionView
from assistant.tui.widgets.status_line import StatusLine
from assistant.tui.widgets.transcript import Transcript

LOOK_SECONDS = 0.05  # between two looks at what has come
SPEED_SECONDS = 0.5  # between two words about the speed

ENDINGS = {
    Reason.LENGTH: "cut: max_tokens",
    Reason.STOPPED: "stopped",
    Reason.DEADLINE: "cut: the time is up",
    Reason.REPEATING: "stopped: it went round in circles",
    Reason.CONTEXT_FULL: "cut: the window is full",
    Reason.FAILED: "failed",
}


GiveBack = Callable[[], None] | None


class Wanted:
    """Something to be asked; `view` shows the question where it is not shown already.

    `ask` begins the answer, None where only room is made; `compaction` makes it. Both block.
    `give_back` returns to the user what was typed, when it is refused. `turns_back`: the
    conversation goes another way from an earlier message on.
    """

    def __init__(
        self,
        ask: Callable[[], Turn] | None,
        compaction: Callable[[], Compaction | None] = lambda: None,
        *,
        view: QuestionView | None = None,
        give_back: GiveBack = None,
        turns_back: bool = False,
    ) -> None:
        self.ask = ask
        self.compaction = compaction
        self.view = view
        self.give_back = give_back or (lambda: None)
        self.turns_back = turns_back


class Listener(Protocol):
    """Who is told how it goes."""

    def on_turned_back(self, question: int) -> None:
        """The conversation goes on from the question with this number: what is shown is old."""

    def on_ended(self, wanted: Wanted, error: AssistantError | None, *, was_asked: bool) -> None:
        """`was_asked`: the conversation has it now, whatever became of the answer."""


class Turns:
    """Driven by the screen: `look` as often as it has time."""

    def __init__(self, transcript: Transcript, status: StatusLine, listener: Listener) -> None:
        self._transcript = transcript
        self._status = status
        self._listener = listener
        self._waiting: list[Wanted] = []
        self._wanted: Wanted | None = None
        self._asking: Asking | None = None
        self._answers: dict[int, AnswerView] = {}  # by candidate
        self._is_compacting = False
        self._written = 0  # pieces of the answer, most of them a token each
        self._began = self._told = 0.0  # when the first came, when their speed was told

    @property
    def is_busy(self) -> bool:
        return self._asking is not None

    def send(self, wanted: Wanted) -> None:
        """Now, or when what runs and what waits has been answered."""
        if wanted.view is not None:
            self._transcript.add(wanted.view)
        self._waiting.append(wanted)
        if not self.is_busy:
            self._begin_next()
        self._status.tell(queued=len(self._waiting))

    def remove(self, view: QuestionView) -> None:
        """A question that waits is not asked."""
        self._waiting = [wanted for wanted in self._waiting if wanted.view is not view]
        self._transcript.remove_view(view)
        self._status.tell(queued=len(self._waiting))

    def stop(self) -> bool:
        """Whether there was anything to stop that was not being stopped already."""
        if self._asking is None or self._asking.is_stopped:
            return False
        self._asking.stop()
        self._status.tell(state="stopping")
        return True

    def settle(self, seconds: float) -> None:
        """For the end, from any thread: nothing more is asked, and what was written is kept."""
        self._waiting = []
        if (asking := self._asking) is not None:
            asking.settle(seconds)

    # ── looking ─────────────────────────────────────────────────────────────────────────────

    def look(self) -> None:
        """Show what has come since the last time."""
        if self._asking is None:
            return
        facts = self._asking.take()
        self._count(facts)
        for fact in joined(facts):
            match fact:
                case Compacting(messages):
                    self._is_compacting = True
                    self._status.tell(state=f"summarizing {messages} older messages")
                case Compacted(summary):
                    self._is_compacting = False
                    self._show_summary(summary)
                case Began(turn):
                    self._begin(turn)
                case Refused(error):
                    self._end(error)
                case Over():
                    self._end(None)
                case _:
                    self._show(fact)

    def _count(self, facts: Sequence[Fact]) -> None:
        """How fast it is being written, told now and then."""
        pieces = sum(isinstance(fact, TextChunk | ReasoningChunk) for fact in facts)
        now = time.monotonic()
        if self._is_compacting or not pieces:
            return
        if not self._written:
            self._began = self._told = now
        self._written += pieces
        if now - self._told >= SPEED_SECONDS:
            self._told = now
            self._status.tell(speed=self._written / (now - self._began))

    def _begin_next(self) -> None:
        if not self._waiting:
            return
        self._wanted = wanted = self._waiting.pop(0)
        self._answers, self._written = {}, 0
        self._status.tell(state="asking", speed=0.0, draft=None, queued=len(self._waiting))
        self._asking = Asking(wanted.ask, wanted.compaction)

    def _begin(self, turn: Turn) -> None:
        assert self._wanted is not None
        if self._wanted.turns_back:
            self._listener.on_turned_back(turn.question)
        name, ledger = turn.conversation.name, turn.ledger
        if self._wanted.view is not None:
            self._wanted.view.sent(join_name(name, turn.question), chips_of(ledger))
        if ledger.leaving:
            words = f"left out from here on, to make room: {len(ledger.leaving)} older messages"
            self._transcript.add(NoticeView(words, NoticeKind.WARNING))
        for candidate, number in enumerate(turn.numbers):
            view = AnswerView(join_name(name, number), self._status.facts.model)
            self._answers[candidate] = view
        self._transcript.add(self._answers[0])  # the others are its versions, one at a time
        self._status.tell(state="reading", window=ledger.window, used=ledger.measure.tokens)

    def _show(self, event: Event) -> None:
        if self._is_compacting:
            return
        match event:
            case TextChunk(text, candidate):
                self._answers[candidate].add(text)
                self._status.tell(state="writing")
            case ReasoningChunk(text, candidate):
                self._answers[candidate].add_reasoning(text)
                self._status.tell(state="thinking")
            case PromptProgress(done, total, cached, _):
                self._answers[0].show_progress(event)
                state = f"reading {done:,} of {total:,}"
                self._status.tell(state=state, cached=cached, new=total - cached)
            case Queued(position):
                self._answers[0].show_progress(event)
                self._status.tell(state=f"waiting, number {position}")
            case ModelLoading(stage):
                self._status.tell(state=stage)
            case Finished():
                self._finish(event)

    def _finish(self, finished: Finished) -> None:
        usage = finished.usage
        for answer in finished.answers:
            footer = _footer(answer, len(finished.answers), usage.decode_tokens_per_second)
            self._answers[answer.candidate].finish(answer.text, answer.reasoning, footer)
            if answer.reason is Reason.FAILED:
                words = f"{answer.error} ({answer.hint})" if answer.hint else answer.error
                self._transcript.add(NoticeView(chat_words(words), NoticeKind.ERROR))
        self._status.tell(
            used=usage.prompt_tokens + usage.new_tokens,
            cached=usage.cached_tokens,
            new=usage.prompt_tokens - usage.cached_tokens,
            speed=usage.decode_tokens_per_second,
        )

    def _show_summary(self, summary: str) -> None:
        if summary:
            words = "the older messages are this summary now; llmchat history compact -e changes it"
            self._transcript.add(NoticeView(words, markdown=summary))

    def _end(self, error: AssistantError | None) -> None:
        wanted, self._asking, self._wanted = self._wanted, None, None
        assert wanted is not None
        self._is_compacting = False
        for view in self._answers.values():
            if not view.is_finished:
                view.finish(view.text, "", ENDINGS[Reason.FAILED])
        self._listener.on_ended(wanted, error, was_asked=bool(self._answers))
        self._begin_next()


def chips_of(ledger: Ledger) -> list[Chip]:
    """What is attached to the question that is asked, with its exact tokens."""
    last = max((p.message for p in ledger.measure.parts if p.message is not None), default=None)
    tokens: dict[str, int] = {}
    for part in ledger.measure.parts:
        is_own = part.source == "question" or part.source.startswith("prompt ")
        if part.message == last and not is_own:
            tokens[part.source] = tokens.get(part.source, 0) + part.tokens
    return [Chip(name, count) for name, count in tokens.items()]


def joined(facts: Sequence[Fact]) -> list[Fact]:
    """Neighbouring pieces of one text become one: a redraw costs as much for either."""
    found: list[Fact] = []
    for fact in facts:
        match fact, found[-1] if found else None:
            case TextChunk(text, a), TextChunk(before, b) if a == b:
                found[-1] = replace(fact, text=before + text)
            case ReasoningChunk(text, a), ReasoningChunk(before, b) if a == b:
                found[-1] = replace(fact, text=before + text)
            case _:
                found.append(fact)
    return found


def _footer(answer: Answer, candidates: int, speed: float) -> str:
    parts = [ENDINGS.get(answer.reason, "")]
    if candidates > 1:
        parts.append(f"{answer.candidate + 1} of {candidates}")
    parts.append(f"{speed:.0f} tokens/s" if speed else "")
    return " · ".join(filter(None, parts))
