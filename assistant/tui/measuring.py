"""Measures what the composer holds, in a thread: the newest of it, never what was between."""

import threading
from collections.abc import Callable

from msgspec import Struct

from assistant.conversation.window import Ledger
from assistant.errors import AssistantError
from assistant.messages import Attachment

Measured = Ledger | AssistantError


class Unsent(Struct, frozen=True):
    """What was written and not sent yet; `pasted` are its long pastes."""

    text: str
    pasted: tuple[Attachment, ...] = ()


class Measuring:
    """`measure` blocks and may raise `AssistantError`; `on_measured` is called in the thread."""

    def __init__(
        self, measure: Callable[[Unsent], Ledger], on_measured: Callable[[Unsent, Measured], None]
    ) -> None:
        self._measure = measure
        self._on_measured = on_measured
        self._changed = threading.Condition()
        self._wanted: Unsent | None = None
        self._thread: threading.Thread | None = None

    def want(self, unsent: Unsent) -> None:
        """Soon; what was wanted before and is not measured yet will not be."""
        with self._changed:
            self._wanted = unsent
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="measuring", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._wanted is None:
                    self._changed.wait()
                unsent, self._wanted = self._wanted, None
            try:
                measured: Measured = self._measure(unsent)
            except AssistantError as err:
                measured = err
            with self._changed:
                is_old = self._wanted is not None
            if not is_old:
                self._on_measured(unsent, measured)
