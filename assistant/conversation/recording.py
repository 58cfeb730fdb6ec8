"""Answers are kept while they arrive: at most half a second, or 2 KiB, of them can be lost."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from msgspec.structs import replace

from assistant.conversation.records import State, StoredMessage, Writing
from assistant.conversation.store import Store
from assistant.engine.base import AnswerStream
from assistant.events import Answer, Event, Finished, Reason, ReasoningChunk, TextChunk

CHECKPOINT_SECONDS = 0.5
CHECKPOINT_BYTES = 2048

STATES = {Reason.STOPPED: State.STOPPED, Reason.FAILED: State.FAILED}  # of the others: complete


class RecordedStream:
    """Passes the events of an answer on, for one reader; what he has seen is kept.

    `stored` has a row for each candidate; `on_end` gets what they have become. A reader who goes
    away in the middle has stopped it.
    """

    def __init__(
        self,
        stream: AnswerStream,
        store: Store,
        name: str,
        stored: Sequence[StoredMessage],
        on_end: Callable[[Sequence[StoredMessage]], None],
    ) -> None:
        self._stream = stream
        self._store = store
        self._name = name
        self._stored = list(stored)
        self._on_end = on_end
        self._arriving = [_Arriving() for _ in stored]
        self._is_over = False

    def __iter__(self) -> Iterator[Event]:
        with closing(self):
            for event in self._stream:
                self._note(event)
                yield event

    def cancel(self) -> None:
        self._stream.cancel()

    def close(self) -> None:
        """What came is all there is."""
        if not self._is_over:
            self._is_over = True
            for number, arrived in enumerate(self._arriving):
                self._end(number, State.STOPPED, *arrived.all, Reason.STOPPED)
            self._on_end(self._stored)

    def _note(self, event: Event) -> None:
        match event:
            case TextChunk() | ReasoningChunk():
                self._arriving[event.candidate].add(event)
            case Finished():
                self._is_over = True
                for answer in event.answers:
                    self._finish(answer, event)
                self._on_end(self._stored)
                return
        for number, arrived in enumerate(self._arriving):
            if arrived.is_due:
                message = self._stored[number]
                self._store.append(self._name, message.number, *arrived.take())

    def _finish(self, answer: Answer, finished: Finished) -> None:
        self._end(
            answer.candidate,
            STATES.get(answer.reason, State.COMPLETE),
            answer.text,
            answer.reasoning,
            answer.reason,
            seed=answer.seed,
            token_ids=answer.token_ids,
            error=answer.error,
            usage=finished.usage,
            prompt_hash=finished.prompt_hash,
        )

    def _end(
        self,
        number: int,
        state: State,
        text: str,
        reasoning: str,
        reason: Reason,
        **known: object,
    ) -> None:
        message = self._stored[number]
        assert message.writing is not None
        writing: Writing = replace(message.writing, reason=reason, **known)
        self._store.end_answer(self._name, message.number, state, text, reasoning, writing)
        self._stored[number] = replace(
            message, state=state, text=text, reasoning=reasoning, writing=writing
        )


class _Arriving:
    """What has come of one answer; `take` gives what is new since the last time."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._taken = (0, 0)  # pieces of either
        self._new = 0  # bytes
        self._kept_at = time.monotonic()

    def add(self, chunk: TextChunk | ReasoningChunk) -> None:
        pieces = self._text if isinstance(chunk, TextChunk) else self._reasoning
        pieces.append(chunk.text)
        self._new += len(chunk.text.encode("utf-8", "replace"))

    @property
    def is_due(self) -> bool:
        if self._new < CHECKPOINT_BYTES:
            return self._new > 0 and time.monotonic() - self._kept_at >= CHECKPOINT_SECONDS
        return True

    def take(self) -> tuple[str, str]:
        """Text and reasoning."""
        text, reasoning = self._taken
        new = "".join(self._text[text:]), "".join(self._reasoning[reasoning:])
        self._taken = len(self._text), len(self._reasoning)
        self._new, self._kept_at = 0, time.monotonic()
        return new

    @property
    def all(self) -> tuple[str, str]:
        """Text and reasoning since the beginning."""
        return "".join(self._text), "".join(self._reasoning)
