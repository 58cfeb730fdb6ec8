"""Answers for programs: one JSON object at the end, or one event a line while they arrive.

JSON escapes every character beyond ASCII, so nothing in it can steer a terminal.
"""

import json
from dataclasses import asdict
from typing import Any, TextIO

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


def event_object(event: Event) -> dict[str, Any]:
    """`{"event": NAME, …}`; names: loading, queued, reading, reasoning, delta, end."""
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
        case Finished(answers, usage):
            return {"event": "end", **_answer_object(answers[0]), "usage": asdict(usage)}


def error_object(error: AssistantError, exit_code: int) -> dict[str, Any]:
    return {"message": error.message, "hint": error.hint, "exit_code": exit_code}


def ledger_object(info: BackendInfo, ledger: Ledger) -> dict[str, Any]:
    """What is asked: the model by name and fingerprint, and tokens by source."""
    return {
        "model": {
            "name": info.name,
            "quantisation": info.quantisation,
            "fingerprint": info.fingerprint,
        },
        "window": ledger.window,
        "prompt_tokens": ledger.measure.tokens,
        "max_new_tokens": ledger.max_new_tokens,
        "parts": [
            {"source": source, "tokens": tokens} for source, tokens in ledger.by_source().items()
        ],
    }


def write_object(value: object, out: TextIO) -> None:
    """One line."""
    out.write(json.dumps(value) + "\n")
    out.flush()


class JsonLines:
    """Each event as a line when it comes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begin(self, info: BackendInfo, ledger: Ledger) -> None:
        write_object({"event": "start", **ledger_object(info, ledger)}, self._out)

    def show(self, event: Event) -> None:
        write_object(event_object(event), self._out)

    def fail(self, error: AssistantError, exit_code: int) -> None:
        write_object({"event": "error", **error_object(error, exit_code)}, self._out)


class JsonObject:
    """The whole answer as one object, when it has ended."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._asked: dict[str, Any] = {}

    def begin(self, info: BackendInfo, ledger: Ledger) -> None:
        self._asked = ledger_object(info, ledger)

    def show(self, event: Event) -> None:
        if isinstance(event, Finished):
            answer = _answer_object(event.answers[0])
            write_object({**answer, "usage": asdict(event.usage), **self._asked}, self._out)

    def fail(self, error: AssistantError, exit_code: int) -> None:
        write_object({"error": error_object(error, exit_code)}, self._out)


def _answer_object(answer: Answer) -> dict[str, Any]:
    return {
        "answer": answer.text,
        "code": extract_code(answer.text),
        "reasoning": answer.reasoning,
        "reason": answer.reason.value,
        "seed": answer.seed,
    }
