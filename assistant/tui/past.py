"""The past conversations beside the chat: what is in the list, and what choosing one does."""

from functools import partial
from typing import TYPE_CHECKING

from assistant.chat_commands.conversation_commands import read_history
from assistant.conversation.message_names import join_name
from assistant.errors import AssistantError
from assistant.tui.background import Background
from assistant.tui.widgets.sidebar import Sidebar

if TYPE_CHECKING:
    from assistant.tui.screens.chat import ChatScreen

LATEST = 200  # conversations in the list


class Past:
    """Looks into the history in a thread of its own; all else is done in the screen's."""

    def __init__(self, screen: "ChatScreen", sidebar: Sidebar) -> None:
        self._screen = screen
        self._sidebar = sidebar
        self._background = Background()
        self._sought = ""  # a message that is to be seen once its conversation is shown
        self._is_other_version = False  # than what is shown, and on its way

    def close(self) -> None:
        self._background.close()

    def fill(self, query: str) -> None:
        """The list, with what holds the words; without words all."""
        self._background.ask("list", partial(self._read, query))

    def _read(self, query: str) -> None:
        """In the thread."""
        chat, call, sidebar = self._screen.chat, self._screen.call_soon, self._sidebar
        current = chat.conversation.name if chat.conversation else ""
        try:
            if query.strip():
                hits = read_history(chat, lambda store: store.search(query))
                call(partial(sidebar.show_hits, hits, query, current))
            else:
                past = read_history(chat, lambda store: store.conversations(LATEST))
                call(partial(sidebar.show_conversations, past, current))
        except AssistantError as err:
            call(partial(sidebar.show_problem, err.message))

    def choose(self, chosen: Sidebar.Chosen) -> None:
        """That conversation goes on, and the message that was found is on the screen."""
        chat = self._screen.chat
        self._sought = join_name(chosen.name, chosen.number) if chosen.number else ""
        self._is_other_version = False
        if chat.conversation is not None and chat.conversation.name == chosen.name:
            self.show_sought()
        else:
            self._screen.run_line(f"/resume {chosen.name}")

    def show_sought(self) -> None:
        """What was chosen, if it belongs to what is shown; a message of another version leads to
        that version."""
        screen, sought, conversation = self._screen, self._sought, self._screen.chat.conversation
        if not sought or conversation is None or sought.partition(".")[0] != conversation.name:
            return
        if screen.transcript.go_to(sought) is not None:
            self._sought = ""
            screen.transcript.focus(scroll_visible=False)
        elif not self._is_other_version:
            self._is_other_version = True
            screen.run_line(f"/resume {sought}")
