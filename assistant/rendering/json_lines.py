"""Answers for programs: one JSON object at the end, or one event a line while they arrive.

JSON escapes every character beyond ASCII, so nothing in it can steer a terminal.
"""

import json
from collections.abc import Callable
from typing import Any, TextIO

from msgspec.structs import asdict

from assistant.backends.base import BackendInfo
from assistant.code_blocks import extract_code
from assistant.conversation.window import Ledger
from assistant.errors import AssistantError
from assistant.events import (
    Answer,
    Event,
    Finished,
    ModelLoading,
    PromptProgress,
    Queued,
    ReasoningChunk,
    TextChunk,
)
from assistant.messages import Rendered

Progress = ModelLoading | Queued | PromptProgress | ReasoningChunk | TextChunk


def event_object(event: Progress) -> dict[str, Any]:
    """`{"event": NAME, …}`; names: loading, queued, reading, reasoning, delta."""
    match event:
        case ModelLoading(stage, share):
            return {"event": "loading", "stage": stage, "share": share}
        case Queued(position):
            return {"event": "queued", "position": position}
        case PromptProgress():
            return {"event": "reading", **asdict(event)}
        case ReasoningChunk(text, candidate):
            return {"event": "reasoning", "text": text, "candidate": candidate}
        case TextChunk(text, candidate):
            return {"event": "delta", "text": text, "candidate": candidate}


def ledger_object(info: BackendInfo, ledger: Ledger) -> dict[str, Any]:
    """What is asked: the model by name and fingerprint, tokens by source, the seconds until the
    answer begins (None: never measured), and which messages of the conversation are not sent."""
    return {
        "model": {
            "name": info.name,
            "quantisation": info.quantisation,
            "fingerprint": info.fingerprint,
        },
        "window": ledger.window,
        "prompt_tokens": ledger.measure.tokens,
        "cached_tokens": ledger.measure.tokens_cached,
        "seconds": ledger.measure.seconds,
        "is_exact": ledger.measure.is_exact,
        "max_new_tokens": ledger.max_new_tokens,
        "fits": ledger.fits,
        "parts": [asdict(row) for row in ledger.rows()],
        "summarized": list(ledger.summarized),
        "dropped": list(ledger.dropped),
        "leaving": list(ledger.leaving),
    }


def prompt_object(rendered: Rendered) -> dict[str, Any]:
    """The exact prompt: its text, and the ids that the model would see."""
    return {"prompt": rendered.text, "token_ids": list(rendered.token_ids)}


def write_object(value: object, out: TextIO) -> None:
    """One line."""
    out.write(json.dumps(value) + "\n")
    out.flush()


class JsonAnswer:
    """An answer as one object when all is done, or (`is_stream`) as an event a line.

    What a stream ends with is the same object: event "end", or "error".
    """

    def __init__(self, out: TextIO, *, is_stream: bool) -> None:
        self._out = out
        self._is_stream = is_stream
        self._code_of: Callable[[Answer], str] = _first_code
        self._asked: dict[str, Any] = {}
        self._ended: dict[str, Any] = {}
        self._is_written = False

    def begin(self, asked: dict[str, Any], code_of: Callable[[Answer], str]) -> None:
        """`asked` is a `ledger_object`; `code_of` finds the code in an answer."""
        self._asked, self._code_of = asked, code_of
        if self._is_stream:
            write_object({"event": "start", **asked}, self._out)

    def show(self, event: Event) -> None:
        if isinstance(event, Finished):
            answer = event.answers[0]
            self._ended = {**_answer_object(answer), "usage": asdict(event.usage)}
            self._ended["code"] = self._code_of(answer)
            if len(event.answers) > 1:
                self._ended["candidates"] = [
                    {**_answer_object(one), "code": self._code_of(one)} for one in event.answers
                ]
        elif self._is_stream:
            write_object(event_object(event), self._out)

    def write(self, value: dict[str, Any]) -> None:
        """The object instead of an answer."""
        self._is_written = True
        write_object(value, self._out)

    def finish(self, more: dict[str, Any]) -> None:
        """`more` is what was done with the answer."""
        name = {"event": "end"} if self._is_stream else {}
        asked = {} if self._is_stream else self._asked
        self.write({**name, **self._ended, **asked, **more})

    def fail(self, error: AssistantError, exit_code: int) -> None:
        """Also after the answer, which then comes along."""
        if self._is_written:
            return
        said = {"message": error.message, "hint": error.hint, "exit_code": exit_code}
        if self._is_stream:
            self.write({"event": "error", **self._ended, **said})
        else:
            self.write({**self._ended, **self._asked, "error": said})


def _first_code(answer: Answer) -> str:
    return extract_code(answer.text)


def _answer_object(answer: Answer) -> dict[str, Any]:
    return {
        "answer": answer.text,
        "reasoning": answer.reasoning,
        "reason": answer.reason.value,
        "seed": answer.seed,
    }
