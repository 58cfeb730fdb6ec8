"""What Ctrl+P lists: our commands, the prompts, and what has a key of its own."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from assistant.chat_commands.commands import COMMANDS
from assistant.prompts.summaries import prompt_summaries
from assistant.rendering.tables import cell_width
from assistant.visible_text import visible

if TYPE_CHECKING:
    from assistant.tui.screens.chat import ChatScreen

NAME_CELLS = 14
GAP = "  "


class Entry(Struct, frozen=True):
    name: str
    about: str
    run: Callable[[], object]

    @property
    def shown(self) -> Content:
        name = visible(self.name)
        blanks = " " * (NAME_CELLS - cell_width(name)) + GAP
        return Content.assemble(name, blanks, (visible(self.about), "dim not bold"))


class ChatEntries(Provider):
    """In the order of help; a search looks at what each does, too."""

    _entries: tuple[Entry, ...] = ()

    async def startup(self) -> None:
        from assistant.tui.screens.chat import ChatScreen  # it knows who opens the palette

        if isinstance(self.screen, ChatScreen):
            self._entries = tuple(entries_of(self.screen))

    async def discover(self) -> Hits:
        for entry in self._entries:
            yield DiscoveryHit(entry.shown, entry.run)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry in self._entries:
            score = max(matcher.match(entry.name) * 2, matcher.match(entry.about))
            if score > 0:
                yield Hit(score, entry.shown, entry.run)


def entries_of(screen: "ChatScreen") -> Iterator[Entry]:
    for command in COMMANDS:
        line = f"/{command.name}"
        begins = partial(screen.begin_line, f"{line} ")
        runs = partial(screen.run_line, line)
        yield Entry(line, command.summary, begins if command.arguments else runs)
    taken = {name for one in COMMANDS for name in (one.name, *one.aliases)}
    for name, said in prompt_summaries().items():
        if name not in taken:
            yield Entry(f"/{name}", said, partial(screen.begin_line, f"/{name} ", keeps=True))
    yield Entry("sidebar", "Past conversations, and a search in them", screen.action_sidebar)
    yield Entry("keys", "All keys on one page", screen.action_help)
    yield Entry("editor", "Write the text in $EDITOR", screen.composer.open_editor)
