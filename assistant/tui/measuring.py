"""Measures what the composer holds, in a thread: the newest text only, never the ones between."""

import threading
from collections.abc import Callable

from assistant.conversation.window import Ledger
from assistant.errors import AssistantError

Measured = Ledger | AssistantError


class Measuring:
    """`measure` blocks and may raise `AssistantError`; `on_measured` is called in the thread."""

    def __init__(
        self, measure: Callable[[str], Ledger], on_measured: Callable[[str, Measured], None]
    ) -> None:
        self._measure = measure
        self._on_measured = on_measured
        self._changed = threading.Condition()
        self._wanted: str | None = None
        self._thread: threading.Thread | None = None

    def want(self, text: str) -> None:
        """Soon; what was wanted before and is not measured yet will not be."""
        with self._changed:
            self._wanted = text
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="measuring", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._wanted is None:
                    self._changed.wait()
                text, self._wanted = self._wanted, None
            try:
                measured: Measured = self._measure(text)
            except AssistantError as err:
                measured = err
            with self._changed:
                is_old = self._wanted is not None
            if not is_old:
                self._on_measured(text, measured)
