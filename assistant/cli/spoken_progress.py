"""How far loading and reading have come, in words: for who cannot see a line that is redrawn."""

import time
from collections.abc import Callable, Iterable
from threading import Timer

from assistant.events import Event, ModelLoading, PromptProgress, Queued
from assistant.rendering.quantities import seconds_text
from assistant.visible_text import visible

WORTH_SAYING_SECONDS = 1.0  # of reading
WORTH_SAYING_TOKENS = 500  # where nobody knows how long that takes
PAUSE_SECONDS = 5.0  # between two words about the same thing
PATIENCE_SECONDS = 0.5  # loading that takes less, or was done meanwhile, needs no word


class SpokenProgress:
    """A sentence when something begins that takes its time, and then now and again."""

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._about = ""
        self._next = 0.0

    def show(self, event: Event) -> None:
        match event:
            case ModelLoading(stage, share):
                how_far = "" if share is None else f", {share:.0%}"
                self._tell(stage, f"{visible(stage)}{how_far}")
            case Queued(position):
                self._tell(f"queued {position}", f"waiting, number {position} in the queue")
            case PromptProgress():
                self._tell_reading(event)
            case _:
                self._about = ""

    def _tell_reading(self, event: PromptProgress) -> None:
        left, seconds = event.tokens_total - event.tokens_done, event.seconds_left
        is_short = left < WORTH_SAYING_TOKENS
        if seconds is not None:
            is_short = seconds < WORTH_SAYING_SECONDS
        if is_short and self._about != "reading":
            return
        about = "" if seconds is None else f", about {seconds_text(seconds)}"
        verb = "still reading" if self._about == "reading" else "reading"
        self._tell("reading", f"{verb} {left:,} tokens{about}")

    def _tell(self, about: str, words: str) -> None:
        now = self._clock()
        if about == self._about and now < self._next:
            return
        self._about, self._next = about, now + PAUSE_SECONDS
        self._say(words)


def wait_for_model(
    loading: Iterable[ModelLoading], progress: SpokenProgress, say: Callable[[str], None]
) -> None:
    """Reads to the end; `say` is called in another thread where that takes its time."""
    began = time.monotonic()
    patience = Timer(PATIENCE_SECONDS, say, ["loading the model"])
    patience.start()
    try:
        for event in loading:
            if time.monotonic() - began > PATIENCE_SECONDS:
                progress.show(event)
    finally:
        patience.cancel()
