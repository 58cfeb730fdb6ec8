"""The chat as a full screen: themes, keys, signals and the way out.

What happens in it is screens/chat.py.
"""

import asyncio
import gc
import signal
from contextlib import suppress

from textual.app import App
from textual.theme import BUILTIN_THEMES

from assistant import paths
from assistant.chat_commands.chat import Chat
from assistant.config import Settings
from assistant.conversation.message_names import MessageName
from assistant.errors import UsageError
from assistant.tui.driver import ChatDriver
from assistant.tui.keys import read_keys
from assistant.tui.screens.chat import ChatScreen, Start
from assistant.tui.stderr_guard import guarded_stderr
from assistant.tui.themes import theme_of_terminal

ENDING = {signal.SIGTERM: 143, signal.SIGHUP: 129}  # signals, and the exit codes of them


class ChatApp(App[int]):
    """One chat until the user leaves; what it returns is the exit code."""

    CSS_PATH = "app.tcss"
    TITLE = "llmchat"
    PAUSE_GC_ON_SCROLL = True

    def __init__(self, chat: Chat, start: Start) -> None:
        super().__init__(driver_class=ChatDriver)
        self._chat = chat
        self._start = start

    def get_default_screen(self) -> ChatScreen:
        return ChatScreen(self._chat, self._start)

    def on_mount(self) -> None:
        self.choose_theme(self._chat.settings.theme)
        self.set_keymap(read_keys(self._chat.settings.keys))
        loop = asyncio.get_running_loop()
        for number, code in ENDING.items():
            with suppress(NotImplementedError, ValueError, RuntimeError):  # not the main thread
                loop.add_signal_handler(number, self.exit, code)
        self.call_after_refresh(_spare_the_collector)

    def choose_theme(self, name: str) -> None:
        """Raises `UsageError` for one that there is not; "" is chosen by the terminal."""
        name = name or theme_of_terminal()
        if name not in self.available_themes:
            known = ", ".join(sorted(self.available_themes))
            raise UsageError(f"there is no theme {name}", f"known: {known}")
        self.theme = name


def run_screen(
    settings: Settings,
    start: Start,
    *,
    resume: MessageName | None = None,
    has_notes: bool = True,
) -> int:
    """The exit code. Raises `InputError` when there is no conversation to resume, `UsageError`
    for a theme or keys that there are not."""
    read_keys(settings.keys)
    chat = Chat(settings, resume=resume, has_notes=has_notes, themes=tuple(BUILTIN_THEMES))
    try:
        with guarded_stderr(paths.writable(paths.state_folder()) / "chat.log"):
            app = ChatApp(chat, start)
            code = app.run()
        return app.return_code or 0 if code is None else code
    finally:
        chat.close()


def _spare_the_collector() -> None:
    """What was made to start stays: looking through it again and again would hold up keys."""
    gc.enable()
    gc.collect()
    gc.freeze()
