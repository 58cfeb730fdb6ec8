"""What the asker of a request reads: its events, with the progress of its prompt in between."""

import time
from collections.abc import Callable, Iterator
from queue import Empty

from assistant.engine.run import Run
from assistant.events import Event, Finished, PromptProgress, Reason

POLL_SECONDS = 0.2  # between two looks at the progress of a running call


class LocalAnswerStream:
    """Events of one run, for one reader.

    `end_run` asks for its end, `progress_of` looks up how far a running native call is.
    """

    def __init__(
        self,
        run: Run,
        end_run: Callable[[Run, Reason], None],
        progress_of: Callable[[Run], PromptProgress | None],
    ) -> None:
        self._run = run
        self._end_run = end_run
        self._progress_of = progress_of
        self._is_over = False

    def __iter__(self) -> Iterator[Event]:
        while not self._is_over:
            try:
                event = self._run.events.get(timeout=self._patience())
            except Empty:
                if self._is_overdue():
                    self._end_run(self._run, Reason.DEADLINE)
                elif (progress := self._progress_of(self._run)) is not None:
                    yield progress
                continue
            self._is_over = isinstance(event, Finished)
            yield event

    def cancel(self) -> None:
        self._end_run(self._run, Reason.STOPPED)

    def _patience(self) -> float:
        if self._run.deadline is None or self._run.end_with is not None:
            return POLL_SECONDS
        return max(0.001, min(POLL_SECONDS, self._run.deadline - time.monotonic()))

    def _is_overdue(self) -> bool:
        deadline = self._run.deadline
        return deadline is not None and time.monotonic() > deadline and self._run.end_with is None
