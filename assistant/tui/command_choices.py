"""What a line that begins with a slash may become, as choices for the picker."""

from collections.abc import Callable, Sequence
from typing import Protocol

from assistant.errors import AssistantError
from assistant.tui.background import Background
from assistant.tui.widgets.picker import Choice


class Suggested(Protocol):
    """`text` is all of the line up to the cursor, as it would be then."""

    @property
    def text(self) -> str: ...
    @property
    def summary(self) -> str: ...


CompleteCommands = Callable[[str], Sequence[Suggested]]  # gets the line; may read the disk


class CommandChoices:
    """`on_news` is called in a thread when there are choices for a line that had none yet."""

    def __init__(
        self, complete: CompleteCommands, on_news: Callable[[], None], background: Background
    ) -> None:
        self._complete = complete
        self._on_news = on_news
        self._background = background
        self._known: dict[str, Sequence[Choice]] = {}

    def begin(self) -> None:
        self._known.clear()

    def choices(self, line: str) -> Sequence[Choice] | None:
        """None: that has to be looked up; there will be news."""
        if line not in self._known:
            self._background.ask("commands", lambda: self._look_up(line))
        return self._known.get(line)

    def choices_now(self, line: str) -> Sequence[Choice]:
        """Waits: for who has pressed Tab before there was news."""
        if line not in self._known:
            self._known[line] = self._read(line)
        return self._known[line]

    def _read(self, line: str) -> Sequence[Choice]:
        """What cannot be completed can still be typed."""
        try:
            return [_choice(line, suggested) for suggested in self._complete(line)]
        except AssistantError:
            return ()

    def _look_up(self, line: str) -> None:
        self.choices_now(line)
        self._on_news()


def _choice(line: str, suggested: Suggested) -> Choice:
    same = len(line) if suggested.text.startswith(line) else 0
    return Choice(
        shown=suggested.text.rstrip(),
        insert=suggested.text,
        detail=suggested.summary,
        matched=tuple(range(same)),
        name=suggested.text,
        goes_on=suggested.text.endswith((" ", "/")),
    )
