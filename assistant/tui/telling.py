"""Keeps the status line true: what it says while nothing happens, and about what is written."""

from collections.abc import Callable, Sequence
from functools import partial

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.commands import is_command
from assistant.conversation.records import StoredMessage
from assistant.conversation.window import Ledger
from assistant.errors import AssistantError
from assistant.events import ModelLoading
from assistant.tui.completing import SHELL
from assistant.tui.drafts import draft_facts
from assistant.tui.measuring import Measured, Measuring, Unsent
from assistant.tui.widgets.composer import Composer
from assistant.tui.widgets.status_line import StatusLine

READY, LOADING, NO_MODEL = "ready", "loading the model", "no model"
NOTHING = Unsent("")


class Telling:
    """In the screen's thread; `call` brings what was measured there. `is_busy`: an answer is on
    its way, and what goes on is said by others. `running` is the shell command that runs, or ""."""

    def __init__(
        self,
        chat: Chat,
        status: StatusLine,
        composer: Composer,
        *,
        is_busy: Callable[[], bool],
        running: Callable[[], str],
        measure: Callable[[Unsent], Ledger],
        call: Callable[[Callable[[], None]], None],
    ) -> None:
        self._chat = chat
        self._status = status
        self._composer = composer
        self._is_busy = is_busy
        self._running = running
        self._measuring = Measuring(
            measure, lambda unsent, measured: call(partial(self._show, unsent, measured))
        )

    def rest(self) -> None:
        """Nothing goes on any more, unless something does."""
        if self._is_busy():
            return
        if command := self._running():
            self._status.tell(state=f"running {command}")
        elif self._chat.is_loading:
            self._status.tell(state=LOADING)
        elif self._has_model():
            self._status.tell(state=READY)
        else:
            self._status.tell(state=NO_MODEL, model="", window=0)
        self.measure()

    def _has_model(self) -> bool:
        try:
            return bool(self._chat.info)
        except AssistantError:
            return False

    def show_loading(self, event: ModelLoading) -> None:
        share = "" if event.share is None else f" {event.share:.0%}"
        self._status.tell(state=f"{event.stage}{share}")

    def show_model(self, name: str) -> None:
        info = self._chat.info
        self._status.tell(model=f"{name} {info.quantisation}".rstrip(), window=info.window)
        self.rest()

    def show_usage(self, messages: Sequence[StoredMessage]) -> None:
        """Of the window, when the last of them had been written."""
        usages = [m.writing.usage for m in messages if m.writing is not None and m.writing.usage]
        used = usages[-1].prompt_tokens + usages[-1].new_tokens if usages else 0
        self._status.tell(used=used, cached=0, new=0, speed=0.0)

    # ── what is written ─────────────────────────────────────────────────────────────────────

    def measure(self) -> None:
        """What there is to send now; soon."""
        unsent = self._unsent()
        if unsent == NOTHING or self._is_busy():
            self._status.tell(draft=None)
        else:
            self._measuring.want(unsent)

    def measure_rest(self) -> None:
        """Older messages have become a summary: so much is left."""
        self._measuring.want(NOTHING)

    def _show(self, unsent: Unsent, measured: Measured) -> None:
        if self._is_busy():
            return
        if unsent == NOTHING and isinstance(measured, Ledger):
            self._status.tell(used=measured.measure.tokens, cached=0, new=0, speed=0.0)
            self.measure()
        elif unsent == self._unsent():
            self._status.tell(draft=draft_facts(measured))

    def _unsent(self) -> Unsent:
        """Nothing where it is for somebody else than the model."""
        text, pasted = self._composer.text.strip(), self._composer.attachments
        if text.startswith(SHELL) or is_command(text):
            return NOTHING
        return Unsent(text, pasted)
