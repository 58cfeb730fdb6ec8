"""How long a resident engine stays: who is here, what is going on, and when that was last so."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NEWCOMER_SECONDS = 10.0  # for whoever started the engine to say that he is here
FOR_EVER = -1.0
UNTIL_ALL_HAVE_GONE = 0.0


class Lifetime:
    """Thread-safe. The `keep_alive` that was told last holds for everybody.

    `on_leaving` is called when a front end has gone: it may have been the last.
    """

    def __init__(self, on_leaving: Callable[[], None] = lambda: None) -> None:
        self._on_leaving = on_leaving
        self._guard = threading.Lock()
        self._born = self._last_used = time.monotonic()
        self._here = 0
        self._busy = 0
        self._has_been_asked = False
        self.keep_alive = 0.0
        self.leaves_when_idle = False

    @contextmanager
    def staying(self, keep_alive: float) -> Iterator[None]:
        """A front end is here."""
        with self._guard:
            self._here += 1
            self._has_been_asked = True
            self.keep_alive = keep_alive
            self._last_used = time.monotonic()
        try:
            yield
        finally:
            with self._guard:
                self._here -= 1
            self._on_leaving()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Something is done for somebody."""
        with self._guard:
            self._busy += 1
            self._has_been_asked = True
        try:
            yield
        finally:
            with self._guard:
                self._busy -= 1
                self._last_used = time.monotonic()

    @property
    def here(self) -> int:
        return self._here

    @property
    def seconds_up(self) -> float:
        return time.monotonic() - self._born

    @property
    def seconds_idle(self) -> float:
        """0.0 while anything is done."""
        with self._guard:
            return 0.0 if self._busy else time.monotonic() - self._last_used

    def is_over(self, *, is_loading: bool) -> bool:
        """Whether nobody needs the engine any more. Nobody waits for a model: it is given up."""
        with self._guard:
            if not self._has_been_asked:
                return self.seconds_up > NEWCOMER_SECONDS
            if is_loading:
                return not self._here
            if self._busy:
                return False
            if self.leaves_when_idle:
                return True
            if self.keep_alive == UNTIL_ALL_HAVE_GONE:
                return not self._here
            idle = time.monotonic() - self._last_used
            return self.keep_alive != FOR_EVER and idle > self.keep_alive
