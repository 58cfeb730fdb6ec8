"""The chat as a full screen: themes, keys, signals and the way out.

What happens in it is screens/chat.py.
"""

import os
import traceback
from contextlib import suppress
from typing import ClassVar

from textual import on
from textual.app import App
from textual.theme import BUILTIN_THEMES

from assistant import paths
from assistant.chat_commands.chat import Chat
from assistant.config import Settings
from assistant.conversation.message_names import MessageName
from assistant.errors import UsageError
from assistant.tui.collector import spare
from assistant.tui.driver import ChatDriver
from assistant.tui.ending import HUNG_UP, PATIENCE_SECONDS, Ending
from assistant.tui.keys import read_keys
from assistant.tui.palette import ChatEntries
from assistant.tui.screens.chat import ChatScreen, Start
from assistant.tui.stderr_guard import guarded_stderr
from assistant.tui.themes import theme_of_terminal


class ChatApp(App[int]):
    """One chat until the user leaves; what it returns is the exit code."""

    CSS_PATH = "app.tcss"
    TITLE = "llmchat"
    COMMANDS: ClassVar = {ChatEntries}
    PAUSE_GC_ON_SCROLL = True

    def __init__(self, chat: Chat, start: Start) -> None:
        super().__init__(driver_class=ChatDriver)
        self._chat = chat
        self._talk = ChatScreen(chat, start)
        self.ending = Ending(self._leave, self._leave_at_once)
        self.failure: Exception | None = None  # of our own making: it has ended the chat

    def get_default_screen(self) -> ChatScreen:
        return self._talk

    def on_mount(self) -> None:
        self.choose_theme(self._chat.settings.theme)
        self.set_keymap(read_keys(self._chat.settings.keys))
        if self.ending.code is not None:
            self.exit(self.ending.code)
        self.call_after_refresh(spare)

    def choose_theme(self, name: str) -> None:
        """Raises `UsageError` for one that there is not; "" is chosen by the terminal."""
        name = name or theme_of_terminal()
        if name not in self.available_themes:
            known = ", ".join(sorted(self.available_themes))
            raise UsageError(f"there is no theme {name}", f"known: {known}")
        self.theme = name

    # ── the way out ─────────────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """What was written of an answer is kept, and commands end; from any thread."""
        self._talk.settle(PATIENCE_SECONDS)

    @on(ChatDriver.SignalResume)
    def _draw_all(self) -> None:
        """Back from the background: the terminal has forgotten what was drawn."""
        self.refresh(layout=True)

    @on(ChatDriver.Gone)
    def _hang_up(self) -> None:
        self.ending.begin(HUNG_UP)

    def _leave(self, code: int) -> None:
        if isinstance(self._driver, ChatDriver):
            self._driver.is_leaving = True
        with suppress(RuntimeError):  # its loop is over already
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self.exit, code)

    def _leave_at_once(self) -> None:
        self.settle()
        if isinstance(self._driver, ChatDriver):
            self._driver.leave_at_once()

    def _handle_exception(self, error: Exception) -> None:
        if not self._exit:  # else the screen was left before all of it stood there
            self.failure = self.failure or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Into the log, as Python says it: Textual adds all local variables, and what people wrote
        is none of the log's business."""
        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
        self._close_messages_no_wait()


def run_screen(
    settings: Settings,
    start: Start,
    *,
    resume: MessageName | None = None,
    has_notes: bool = True,
) -> int:
    """The exit code. Raises `InputError` when there is no conversation to resume, `UsageError`
    for a theme or keys that there are not, and whatever went wrong inside."""
    read_keys(settings.keys)
    chat = Chat(settings, resume=resume, has_notes=has_notes, themes=tuple(BUILTIN_THEMES))
    app = ChatApp(chat, start)
    with app.ending.on_signals() as ending:
        try:
            with guarded_stderr(paths.writable(paths.state_folder()) / "chat.log"):
                code = app.run(mouse=settings.mouse)
        finally:
            app.settle()
            chat.close()
    if app.failure is not None:
        raise app.failure
    if ending.code is not None:
        return ending.code
    return app.return_code or 0 if code is None else code
