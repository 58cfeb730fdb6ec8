"""One thread for what the screen would like to know soon and can do without."""

import threading
from collections.abc import Callable
from contextlib import suppress

Job = Callable[[], None]


class Background:
    """Jobs are done one after another; a new one takes the place of one of its name that waits."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def ask(self, name: str, job: Job) -> None:
        with self._changed:
            if self._is_closed:
                return
            self._jobs.pop(name, None)
            self._jobs[name] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="background", daemon=True)
                self._thread.start()
            self._changed.notify()

    def is_waiting(self, name: str) -> bool:
        """Whether a job of that name has not begun yet."""
        with self._changed:
            return name in self._jobs

    def close(self) -> None:
        """What has begun goes on to its end, and nobody waits for it."""
        with self._changed:
            self._is_closed = True
            self._jobs.clear()
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._is_closed)
                if self._is_closed:
                    return
                job = self._jobs.pop(next(iter(self._jobs)))
            with suppress(Exception):  # help that fails must not end all other help
                job()
