"""The command with an engine that says what it is told: `python talking_engine.py FILE WORDS…`.

FILE holds the answer. `SLOWLY` in the environment: seconds between two pieces of it; `REASON`:
why it ends.
"""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from assistant.backends.base import Abilities, BackendInfo
from assistant.cli import starting
from assistant.cli.main import main
from assistant.engine.base import GenerationRequest, Kept, Measure
from assistant.events import Answer, Event, Finished, ModelLoading, Reason, TextChunk, Usage
from assistant.messages import ChatPrompt, PartTokens, Prompt, RawPrompt, Rendered, Span

WINDOW = 2048
PIECE = 7  # characters: escape sequences and words fall apart
USAGE = Usage(10, 0, 20, 0.1, 100.0, 50.0)


class TalkingStream:
    def __init__(self, text: str, candidates: int) -> None:
        self._text = text
        self._candidates = candidates
        self._is_cancelled = threading.Event()

    def cancel(self) -> None:
        self._is_cancelled.set()

    def __iter__(self) -> Iterator[Event]:
        said = ""
        seconds = float(os.environ.get("SLOWLY", "0"))
        for at in range(0, len(self._text), PIECE):
            if self._is_cancelled.wait(seconds) if seconds else self._is_cancelled.is_set():
                yield self._end(Reason.STOPPED, said)
                return
            said += self._text[at : at + PIECE]
            for candidate in range(self._candidates):
                yield TextChunk(self._text[at : at + PIECE], candidate)
        for candidate in range(1, self._candidates):
            yield TextChunk(f" {candidate + 1}", candidate)
        yield self._end(Reason(os.environ.get("REASON", "done")), said)

    def _end(self, reason: Reason, said: str) -> Finished:
        answers = [
            Answer(
                reason,
                f"{said} {candidate + 1}" if candidate else said,
                "",
                (),
                seed=1 + candidate,
                candidate=candidate,
            )
            for candidate in range(self._candidates)
        ]
        return Finished(tuple(answers), USAGE)


class TalkingEngine:
    """Counts a token for every four characters; all but the first candidate end with a number."""

    info = BackendInfo(
        name="Talker",
        fingerprint="f" * 8,
        parameters=1,
        size_bytes=1,
        window=WINDOW,
        quantisation="Q1",
        device="cpu",
        template_hash="t",
        abilities=Abilities(trims=True, grammar=False, candidates=False, chat=True),
    )

    kept: Kept | None = None

    def __init__(self, text: str) -> None:
        self._text = text

    def load(self) -> Iterator[ModelLoading]:
        return iter(())

    def measure(self, prompt: Prompt) -> Measure:
        parts = self.render(prompt).parts
        return Measure(sum(part.tokens for part in parts), parts, 0, None)

    def render(self, prompt: Prompt) -> Rendered:
        assert isinstance(prompt, ChatPrompt)
        texts = [
            (number, part)
            for number, message in enumerate(prompt.messages)
            for part in message.parts
        ]
        parts = tuple(PartTokens(at, part.source, len(part.text) // 4 + 1) for at, part in texts)
        ids = tuple(range(sum(part.tokens for part in parts)))
        return Rendered(tuple(Span(part.text) for _, part in texts), ids, parts)

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        return list(text.encode())

    def detokenize(self, token_ids: Sequence[int]) -> str:
        return bytes(token_ids).decode()

    def stream(self, request: GenerationRequest) -> TalkingStream:
        assert not isinstance(request.prompt, RawPrompt)
        return TalkingStream(self._text, request.candidates)

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        return [0.0 for _ in continuations]

    def close(self) -> None:
        pass


def open_talker(*_: Any) -> TalkingEngine:
    return TalkingEngine(Path(sys.argv[0]).read_bytes().decode("utf-8", "replace"))


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    setattr(starting, "open_engine", open_talker)  # noqa: B010 # mypy would compare protocols
    main()
