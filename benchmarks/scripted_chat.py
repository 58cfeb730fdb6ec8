"""The chat with an engine that writes at a given speed: `python -m benchmarks.scripted_chat RATE
TOKENS`. For benchmarks of the screen alone: nothing else takes time.

STOPPED in the environment names a file that gets a line whenever the engine is told to stop: when
that was, in seconds of `time.monotonic`.
"""

import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from assistant.backends.base import Abilities, BackendInfo
from assistant.chat_commands.chat import Chat
from assistant.config import Settings
from assistant.engine.base import GenerationRequest, Kept, Measure
from assistant.events import Answer, Event, Finished, ModelLoading, Reason, TextChunk, Usage
from assistant.messages import PartTokens, Prompt, Rendered, Span
from assistant.tui.app import ChatApp
from assistant.tui.screens.chat import Start

PROSE = (
    "A list keeps its items in order and grows at its end. **Looking one up** by position takes "
    "the same time wherever it is; looking for a `value` takes longer the longer the list is.\n\n"
)
CODE = '```python\ndef find(items, wanted):\n    """Where it is, or None."""\n    for at, item in '
CODE += (
    "enumerate(items):\n        if item == wanted:\n            return at\n    return None\n```\n\n"
)


def pieces() -> Iterator[str]:
    """Markdown without end, four characters a token."""
    text = "".join([PROSE, PROSE, CODE])
    for at in itertools.count(0, 4):
        place = at % len(text)
        yield text[place : place + 4]


class ScriptedEngine:
    """See `Engine`."""

    kept: Kept | None = None
    info = BackendInfo(
        name="scripted",
        fingerprint="",
        parameters=1,
        size_bytes=1,
        window=100_000,
        device="cpu",
        quantisation="",
        template_hash="",
        abilities=Abilities(trims=True, grammar=False, candidates=False, chat=True),
    )

    def __init__(self, tokens_per_second: float, tokens: int) -> None:
        self.tokens_per_second = tokens_per_second
        self.tokens = tokens

    def load(self) -> Iterator[ModelLoading]:
        return iter(())

    def measure(self, prompt: Prompt) -> Measure:
        return Measure(10, (PartTokens(None, "template", 10),), 0, 0.1)

    def render(self, prompt: Prompt) -> Rendered:
        return Rendered((Span("prompt"),), (1,) * 10, (PartTokens(None, "template", 10),))

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        return list(text.encode())

    def detokenize(self, token_ids: Sequence[int]) -> str:
        return bytes(token_ids).decode()

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        return [0.0 for _ in continuations]

    def stream(self, request: GenerationRequest) -> "ScriptedStream":
        return ScriptedStream(self)

    def close(self) -> None:
        pass


class ScriptedStream:
    def __init__(self, engine: ScriptedEngine) -> None:
        self._engine = engine
        self._is_cancelled = False

    def cancel(self) -> None:
        now = time.monotonic()
        self._is_cancelled = True
        if file := os.environ.get("STOPPED"):
            with Path(file).open("a") as stopped:
                stopped.write(f"{now}\n")

    def __iter__(self) -> Iterator[Event]:
        said, began = "", time.monotonic()
        for number, piece in enumerate(itertools.islice(pieces(), self._engine.tokens)):
            due = began + number / self._engine.tokens_per_second
            time.sleep(max(0.0, due - time.monotonic()))
            if self._is_cancelled:
                break
            said += piece
            yield TextChunk(piece)
        reason = Reason.STOPPED if self._is_cancelled else Reason.DONE
        yield Finished((Answer(reason, said, "", (), 1),), Usage(10, 0, 1, 0.1, 1.0, 1.0))


def main() -> None:
    rate, tokens = float(sys.argv[1]), int(sys.argv[2])
    chat = Chat(Settings(), open_engine=lambda _settings: ScriptedEngine(rate, tokens))
    ChatApp(chat, Start()).run()


if __name__ == "__main__":
    main()
