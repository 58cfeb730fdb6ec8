"""One question after another is asked in threads; the screen takes what came when it has time.

Nothing here touches a widget: a thread puts facts into a queue, and the screen empties it at its
own pace, so that an answer costs as many redraws as a person can see and no more.
"""

import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

from msgspec import Struct

from assistant.conversation.compaction import Compaction
from assistant.conversation.session import Turn
from assistant.errors import AssistantError, EngineFailed
from assistant.events import Event

BEGINNING_SECONDS = 0.2  # that a question gets which is on its way to the model


class Compacting(Struct, frozen=True):
    """So many older messages become a summary."""

    messages: int


class Compacted(Struct, frozen=True):
    """With a summary, or without one: then old turns are left out."""

    summary: str


class Began(Struct, frozen=True):
    turn: Turn


class Refused(Struct, frozen=True):
    """Nothing is asked: the question goes back to the user."""

    error: AssistantError


class Over(Struct, frozen=True):
    """The answer has ended, or was given up before it began."""


Fact = Compacting | Compacted | Began | Refused | Over | Event


class Asking:
    """One question on its way. `take` gives what has come since the last time; `stop` from any
    thread, as often as one likes."""

    def __init__(
        self,
        ask: Callable[[], Turn] | None,
        compaction: Callable[[], Compaction | None] = lambda: None,
    ) -> None:
        self._ask = ask
        self._compaction = compaction
        self._facts: SimpleQueue[Fact] = SimpleQueue()
        self._guard = threading.Lock()
        self._cancel: Callable[[], None] | None = None
        self.is_stopped = False
        self._thread = threading.Thread(target=self._run, name="asking", daemon=True)
        self._thread.start()

    def take(self) -> list[Fact]:
        facts: list[Fact] = []
        try:
            while True:
                facts.append(self._facts.get_nowait())
        except Empty:
            return facts

    def stop(self) -> None:
        with self._guard:
            self.is_stopped = True
            cancel = self._cancel
        if cancel is not None:
            cancel()

    def settle(self, seconds: float) -> None:
        """It is stopped, and what came of an answer is kept; waits so long for that."""
        self.stop()
        is_answering = self._cancel is not None  # else it may wait for a model that takes minutes
        self._thread.join(seconds if is_answering else BEGINNING_SECONDS)

    # ── in the thread ───────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            self._make_room()
            if self._ask is not None and not self.is_stopped:
                turn = self._ask()
                self._facts.put(Began(turn))
                self._read(turn.stream, turn.stream.cancel)
            self._facts.put(Over())
        except AssistantError as err:
            self._facts.put(Refused(err))
        except Exception as err:  # a thread that died without a word would leave the screen waiting
            self._facts.put(Refused(EngineFailed(f"{type(err).__name__}: {err}", "ask again")))

    def _make_room(self) -> None:
        compaction = self._compaction()
        if compaction is not None:
            self._facts.put(Compacting(compaction.messages))
            self._read(compaction, compaction.cancel)
            self._facts.put(Compacted(compaction.summary))

    def _read(self, events: Iterable[Event], cancel: Callable[[], None]) -> None:
        with self._guard:
            self._cancel = cancel
            is_late = self.is_stopped
        if is_late:
            cancel()
        for event in events:
            self._facts.put(event)
        with self._guard:
            self._cancel = None
