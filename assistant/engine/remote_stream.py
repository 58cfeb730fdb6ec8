"""An answer from a server: one thread reads it, the asker gets its events.

The asker never waits for the network: a cancel or a deadline ends the answer at once, and the
connection is cut behind it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from assistant.engine.answer_text import Piece as Said
from assistant.engine.answer_text import ReasoningSplitter
from assistant.engine.base import GenerationRequest
from assistant.engine.remote_errors import stream_error
from assistant.engine.remote_spec import RemoteSpec
from assistant.engine.remote_wire import (
    END,
    Chunk,
    Counted,
    EventParser,
    Piece,
    WireError,
    path_of,
    read_chunk,
    request_body,
)
from assistant.errors import AssistantError, EngineFailed, EngineUnreachable
from assistant.events import (
    Answer,
    Event,
    Finished,
    Reason,
    ReasoningChunk,
    TextChunk,
    Usage,
    WrittenToken,
)

if TYPE_CHECKING:
    from assistant.engine.remote_http import Exchange

HEAD_SECONDS = 2.0  # a refusal that comes within them is raised; a later one fails the answer
LAST_WORDS_SECONDS = 2.0  # for the counts, once every candidate is over

ENDINGS = {
    "stop": Reason.DONE,
    "length": Reason.LENGTH,
    "tool_calls": Reason.DONE,
    "function_call": Reason.DONE,
}
ASK_AGAIN = "ask again"


class RemoteAnswerStream:
    """Events of one request, for one reader. `on_end` is called at its end, from any thread."""

    def __init__(
        self,
        spec: RemoteSpec,
        model: str,
        request: GenerationRequest,
        seed: int,
        on_end: "Callable[[RemoteAnswerStream], None]",
    ) -> None:
        self._spec = spec
        self._request = request
        self._body = request_body(request, model, seed)
        self._on_end = on_end
        self._asked_at = time.monotonic()
        self._written = _Written(request, seed, self._asked_at)
        self._inbox: SimpleQueue[Chunk | AssistantError | None] = SimpleQueue()
        self._events: deque[Event] = deque()  # for the reader
        self._is_over = False
        self._guard = threading.RLock()  # for what follows; a signal may cancel inside it
        self._end_with: Reason | AssistantError | None = None
        self._exchange: Exchange | None = None
        self._has_head = threading.Event()
        self._refusal: AssistantError | None = None
        threading.Thread(target=self._receive, name="remote answer", daemon=True).start()

    def wait_for_head(self) -> None:
        """Raises what the server refuses the request with, if it says so soon."""
        patience = min(HEAD_SECONDS, self._request.deadline_seconds or HEAD_SECONDS)
        try:
            self._has_head.wait(patience)
        except BaseException:  # Ctrl-C
            self.cancel()
            raise
        if self._refusal is not None:
            self._is_over = True
            raise self._refusal.with_traceback(None)

    # ── for the reader ──────────────────────────────────────────────────────────────────────

    def __iter__(self) -> Iterator[Event]:
        while not self._is_over:
            while not self._events:
                self._advance()
            event = self._events.popleft()
            self._is_over = isinstance(event, Finished)
            yield event

    def cancel(self) -> None:
        self.end(Reason.STOPPED)

    def end(self, reason: Reason | AssistantError) -> None:
        """From any thread; the first reason counts."""
        with self._guard:
            self._end_with = self._end_with or reason
            exchange = self._exchange
        self._inbox.put(None)  # wakes the reader
        if exchange is not None:
            exchange.cut()

    def _advance(self) -> None:
        """Take what came; wait for it if nothing has."""
        if self._end_with is not None:
            self._finish(self._end_with)
            return
        try:
            item = self._inbox.get(timeout=self._patience())
        except Empty:
            self.end(Reason.DONE if self._written.is_complete else Reason.DEADLINE)
            return
        if isinstance(item, Chunk):
            self._events.extend(self._written.take(item))
        elif self._end_with is None:
            self._finish(item)

    def _patience(self) -> float | None:
        if self._written.is_complete:
            return LAST_WORDS_SECONDS
        seconds = self._request.deadline_seconds
        return None if seconds is None else max(0.0, self._asked_at + seconds - time.monotonic())

    def _finish(self, reason: Reason | AssistantError | None) -> None:
        self._events.extend(self._written.finish(reason))
        self.end(Reason.DONE)
        self._on_end(self)

    # ── the thread that reads ───────────────────────────────────────────────────────────────

    def _receive(self) -> None:
        end: AssistantError | None = None
        try:
            self._read_answer()
        except AssistantError as err:
            end = err
        except WireError as err:
            end = EngineUnreachable(
                f"{self._spec.url} sent {err}", "is it a server with OpenAI's API?"
            )
        except Exception as err:  # whatever the libraries raise, the reader must not wait for ever
            end = EngineFailed(f"the answer cannot be read: {type(err).__name__}", ASK_AGAIN)
        if end is not None and not self._has_head.is_set():
            self._refusal = end
        self._inbox.put(end)
        self._has_head.set()
        self._on_end(self)

    def _read_answer(self) -> None:
        from assistant.engine.remote_http import Exchange  # 0.2 s

        url = self._spec.url + path_of(self._request)
        exchange = Exchange(self._spec, url, self._body)
        with self._guard:
            self._exchange = exchange
            if self._end_with is not None:
                return
        with exchange.stream() as pieces:
            self._has_head.set()
            for data in _events_of(pieces):
                if data.strip() == END:
                    return
                chunk = read_chunk(data)
                if chunk.error is not None:
                    raise stream_error(self._spec, chunk.error)
                self._inbox.put(chunk)


def _events_of(pieces: Iterator[bytes]) -> Iterator[str]:
    parser = EventParser()
    for piece in pieces:
        yield from parser.feed(piece)
    yield from parser.finish()


# ── what has been written so far ────────────────────────────────────────────────────────────


class _Candidate:
    def __init__(self, number: int) -> None:
        self.number = number
        self.reason: Reason | None = None
        self.error = ""
        self._splitter = ReasoningSplitter(closing=None)
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._logprobs: list[WrittenToken] = []

    def take(self, piece: Piece) -> Iterator[Event]:
        self._logprobs += piece.logprobs
        said = [Said(piece.reasoning, True)] if piece.reasoning else []
        if piece.text:
            said += self._splitter.push(piece.text)
        yield from self._tell(said)
        if piece.ending:
            self._end_as(piece.ending)

    def finish(self) -> Iterator[Event]:
        """What was held back."""
        yield from self._tell(self._splitter.finish())

    def answer(self, seed: int, hint: str) -> Answer:
        return Answer(
            self.reason or Reason.FAILED,
            "".join(self._text),
            "".join(self._reasoning).strip(),
            token_ids=(),
            seed=seed,
            candidate=self.number,
            error=self.error,
            hint=hint if self.error else "",
            logprobs=tuple(self._logprobs),
        )

    def _tell(self, said: list[Said]) -> Iterator[Event]:
        for piece in said:
            if piece.text:
                kept = self._reasoning if piece.is_reasoning else self._text
                kept.append(piece.text)
                chunk = ReasoningChunk if piece.is_reasoning else TextChunk
                yield chunk(piece.text, self.number)

    def _end_as(self, ending: str) -> None:
        self.reason = ENDINGS.get(ending, Reason.FAILED)
        if self.reason is Reason.FAILED:
            shown = "".join(character for character in ending[:80] if character.isprintable())
            self.error = f"the server ended the answer: {shown}"


class _Written:
    """The candidates, and the counts and times of them all."""

    def __init__(self, request: GenerationRequest, seed: int, asked_at: float) -> None:
        self._request = request
        self._seed = seed
        self._candidates = [_Candidate(number) for number in range(request.candidates)]
        self._counted: Counted | None = None
        self._chunks = 0
        self._asked_at = asked_at
        self._first_at = self._last_at = 0.0

    @property
    def is_complete(self) -> bool:
        return all(candidate.reason is not None for candidate in self._candidates)

    def take(self, chunk: Chunk) -> Iterator[Event]:
        self._counted = chunk.counted or self._counted
        for piece in chunk.pieces:
            if not 0 <= piece.candidate < len(self._candidates):
                continue
            if piece.text or piece.reasoning:
                self._last_at = time.monotonic()
                self._first_at = self._first_at or self._last_at
                self._chunks += 1
            yield from self._candidates[piece.candidate].take(piece)

    def finish(self, reason: Reason | AssistantError | None) -> Iterator[Event]:
        """`reason` is for the candidates that the server has not ended; None: it left them so."""
        error, hint = self._broken_off() if reason is None else ("", ASK_AGAIN)
        if isinstance(reason, AssistantError):
            error, hint = reason.message, reason.hint
        for candidate in self._candidates:
            yield from candidate.finish()
            if candidate.reason is None:
                candidate.reason = reason if isinstance(reason, Reason) else Reason.FAILED
                candidate.error = error
        self._look_at_lengths()
        answers = tuple(one.answer(self._seed, hint) for one in self._candidates)
        yield Finished(answers, self._usage())

    def _broken_off(self) -> tuple[str, str]:
        """Error and hint for candidates of which the server did not say why they ended."""
        if not self._chunks:
            hint = "look at its log: the prompt may be too long for it"
            return "the server ended without an answer", hint
        if any(candidate.reason is not None for candidate in self._candidates):
            return "the server wrote fewer answers than asked for", "ask for one"
        return "the server broke the answer off", ASK_AGAIN

    def _look_at_lengths(self) -> None:
        """Servers say "length" also when their window was full before the answer was that long."""
        counted, only = self._counted, self._candidates[0]
        if counted is None or len(self._candidates) > 1 or only.reason is not Reason.LENGTH:
            return
        if 0 < counted.new_tokens < self._request.max_new_tokens:
            only.reason = Reason.CONTEXT_FULL

    def _usage(self) -> Usage:
        counted = self._counted or Counted(0, 0, self._chunks)
        now = time.monotonic()
        first = (self._first_at or now) - self._asked_at
        decode = self._last_at - self._first_at
        read, new = counted.prompt_tokens - counted.cached_tokens, counted.new_tokens
        return Usage(
            counted.prompt_tokens,
            counted.cached_tokens,
            new,
            seconds_to_first_token=first,
            prefill_tokens_per_second=_per_second(read, first),
            decode_tokens_per_second=_per_second(new - len(self._candidates), decode),
        )


def _per_second(tokens: int, seconds: float) -> float:
    return tokens / seconds if tokens > 0 and seconds > 0 else 0.0
