"""What a command is: a row of the table in commands.py."""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.effects import Effect


class Choice(Struct, frozen=True):
    """What may be typed: `text` is all of the line up to the cursor then."""

    text: str
    summary: str = ""


Run = Callable[[Chat, str], Iterator[Effect]]  # gets what stands behind the name
Complete = Callable[[Chat, str], Iterable[Choice]]  # and gives it completed


def no_choices(_chat: Chat, _rest: str) -> Iterable[Choice]:
    return ()


class Command(Struct, frozen=True):
    """`arguments` as help shows them. `waits`: not while an answer is being written;
    `needs_model`: not before one is loaded."""

    name: str
    summary: str
    run: Run
    arguments: str = ""
    aliases: tuple[str, ...] = ()
    complete: Complete = no_choices
    waits: bool = True
    needs_model: bool = False

    @property
    def usage(self) -> str:
        return f"/{self.name} {self.arguments}".rstrip()
