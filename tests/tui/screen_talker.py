"""The command with an engine that says what it is told: `python screen_talker.py FOLDER WORDS…`.

FOLDER/answer.txt holds the answer, FOLDER/notes.txt gets what happened to the engine, each line
with the time (CLOCK_MONOTONIC). In the environment, SLOWLY: seconds between two pieces; PIECE:
characters of one; BREAKS: after so many pieces comes an event that no screen can show.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from template_engine import TemplateEngine

from assistant.chat_commands.chat import Chat
from assistant.cli.main import main
from assistant.config import Settings
from assistant.engine.base import GenerationRequest
from assistant.events import Answer, Event, Finished, PromptProgress, Reason, TextChunk, Usage

WINDOW = 2_000_000
PIECE = 7  # characters: words and escape sequences fall apart
USAGE = Usage(10, 0, 20, 0.1, 100.0, 50.0)


class TalkingEngine(TemplateEngine):
    def __init__(self, folder: Path) -> None:
        super().__init__(WINDOW)
        self._folder = folder

    def stream(self, request: GenerationRequest) -> "TalkingStream":  # type: ignore[override]
        self.note("asked")
        answer = (self._folder / "answer.txt").read_bytes().decode("utf-8", "replace")
        return TalkingStream(self, answer)

    def close(self) -> None:
        self.note("closed")

    def note(self, words: str) -> None:
        with (self._folder / "notes.txt").open("a") as file:
            file.write(f"{time.monotonic()} {words}\n")


class TalkingStream:
    def __init__(self, engine: TalkingEngine, text: str) -> None:
        self._engine = engine
        self._text = text
        self._is_cancelled = threading.Event()

    def cancel(self) -> None:
        if not self._is_cancelled.is_set():
            self._is_cancelled.set()
            self._engine.note("cancelled")

    def __iter__(self) -> Iterator[Event]:
        seconds, size = float(os.environ.get("SLOWLY", "0")), int(os.environ.get("PIECE", PIECE))
        breaks_at, said = int(os.environ.get("BREAKS", -1)) * size, 0
        for at in range(0, len(self._text), size):
            if self._is_cancelled.wait(seconds) if seconds else self._is_cancelled.is_set():
                break
            said = at + size
            yield TextChunk(self._text[at:said])
            if at == breaks_at:
                yield PromptProgress(None, 1, 0, None)  # type: ignore[arg-type]  # on purpose
        reason = Reason.DONE if said >= len(self._text) else Reason.STOPPED
        yield Finished((Answer(reason, self._text[:said], "", (), 1),), USAGE)


def talk(folder: Path) -> None:
    def open_talker(_settings: Settings) -> TalkingEngine:
        return TalkingEngine(folder)

    defaults = Chat.__init__.__kwdefaults__
    assert defaults is not None
    defaults["open_engine"] = open_talker
    main()


if __name__ == "__main__":
    del sys.argv[0]
    talk(Path(sys.argv[0]))
