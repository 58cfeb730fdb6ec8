"""What the /commands want is done here: in a thread what takes its time, on the screen the rest."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.effects import Effect
from assistant.errors import AssistantError, EngineFailed
from assistant.tui.turns import GiveBack

Act = Callable[[Effect, GiveBack], None]
Fail = Callable[[AssistantError], None]


class Effects:
    """Runs one line of commands at a time; `act` and `fail` are called in the screen's thread.

    `call` brings a call there, and `on_end` follows when a line has done all it does.
    """

    def __init__(
        self,
        call: Callable[[Callable[[], None]], None],
        act: Act,
        fail: Fail,
        on_end: Callable[[], None],
    ) -> None:
        self._call = call
        self._act = act
        self._fail = fail
        self._on_end = on_end
        self._turn = threading.Lock()

    def run(self, effects: Callable[[], Iterator[Effect]], give_back: GiveBack = None) -> None:
        """In a thread of its own, after what runs already."""
        work = partial(self._run, effects, give_back)
        threading.Thread(target=work, name="command", daemon=True).start()

    def _run(self, effects: Callable[[], Iterator[Effect]], give_back: GiveBack) -> None:
        with self._turn:
            try:
                for effect in effects():
                    self._call(partial(self._act, effect, give_back))
            except AssistantError as err:
                self._call(partial(self._fail, err))
            except Exception as err:  # a command that fails must not take the screen with it
                error = EngineFailed(f"{type(err).__name__}: {err}", "/help")
                self._call(partial(self._fail, error))
            self._call(self._on_end)


def loading_effects(chat: Chat) -> Iterator[Effect]:
    """The model of the settings is loaded, and how far that is."""
    from assistant.chat_commands.effects import Loading, ModelChanged

    for event in chat.load():
        yield Loading(event)
    yield ModelChanged(chat.info.name)
