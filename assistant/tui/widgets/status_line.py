"""One line that tells the truth: what is going on, which model, and where the window goes."""

from msgspec import Struct
from msgspec.structs import replace
from rich.text import Text
from textual.app import RenderResult
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from assistant.rendering.quantities import seconds_text
from assistant.rendering.tables import cell_width, clip
from assistant.visible_text import visible

SEPARATOR = " · "
SOON_SECONDS = 0.05
SAID_SECONDS = 2.0


class Draft(Struct, frozen=True):
    """What sending the composer's text would mean, in tokens; `seconds` to the first word.

    `leaving`: so many older messages have to make room. `error`: why it cannot be sent.
    """

    tokens: int = 0
    cached: int = 0
    seconds: float | None = None
    leaving: int = 0
    error: str = ""
    is_exact: bool = True


class StatusFacts(Struct, frozen=True):
    """`used` and `window` in tokens (window 0: no model yet), `speed` in tokens per second."""

    state: str = "starting"
    model: str = ""
    used: int = 0
    window: int = 0
    cached: int = 0
    new: int = 0
    speed: float = 0.0
    draft: Draft | None = None
    queued: int = 0


class StatusLine(Widget):
    """Shows facts; what has no room at the right is left out, the state never.

    `keys` stand in their place while keys mean something else than text, and what was just done
    for a moment in the place of both.
    """

    DEFAULT_CSS = """
    StatusLine {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
    }
    StatusLine.-problem { color: $error; }
    """

    facts: reactive[StatusFacts] = reactive(StatusFacts())
    keys: reactive[str] = reactive("")
    said: reactive[str] = reactive("")
    _silence: Timer | None = None

    def tell(self, **changed: object) -> None:
        """Some of the facts are others now."""
        self.facts = replace(self.facts, **changed)

    def say(self, words: str, seconds: float = SAID_SECONDS) -> None:
        """For a moment: something that was done, and that nobody needs to find again."""
        if self._silence is not None:
            self._silence.stop()
        self.said = words
        self._silence = self.set_timer(seconds, self._forget)

    def _forget(self) -> None:
        self.said = ""

    def watch_facts(self, facts: StatusFacts) -> None:
        self.set_class(facts.draft is not None and bool(facts.draft.error), "-problem")

    def render(self) -> RenderResult:
        columns = max(self.size.width - 2, 1)
        if self.said:
            return Text(clip(visible(self.said), columns), "bold", no_wrap=True, end="")
        line = self.keys or line_of(self.facts, columns)
        return Text(clip(line, columns), no_wrap=True, end="")


def line_of(facts: StatusFacts, columns: int) -> str:
    """The most important first; at most so many cells."""
    parts = [part for part in _parts(facts) if part]
    line = clip(parts[0], max(columns, 1))
    for part in parts[1:]:
        longer = line + SEPARATOR + part
        if cell_width(longer) > columns:
            break
        line = longer
    return line


def _parts(facts: StatusFacts) -> list[str]:
    waiting = f"{facts.queued} queued" if facts.queued else ""
    if facts.draft is not None:
        return [facts.state, waiting, *_draft_parts(facts.draft, facts), visible(facts.model)]
    read = f"{facts.cached:,} cached, {facts.new:,} read" if facts.cached or facts.new else ""
    return [
        facts.state,
        waiting,
        f"{facts.speed:.0f} tokens/s" if facts.speed else "",
        f"{facts.used:,} of {facts.window:,} tokens" if facts.window else "",
        visible(facts.model),
        read,
    ]


def _draft_parts(draft: Draft, facts: StatusFacts) -> list[str]:
    if draft.error:
        return [visible(draft.error)]
    about = "" if draft.is_exact else "about "
    cached = f" + {draft.cached:,} cached" if draft.cached else ""
    parts = [f"{about}{draft.tokens - draft.cached:,} new{cached} tokens"]
    if draft.leaving:
        parts.append(f"{draft.leaving} older messages make room")
    if draft.seconds is not None:
        soon = draft.seconds < SOON_SECONDS
        parts.append("answer at once" if soon else f"answer in {seconds_text(draft.seconds)}")
    parts.append(f"{draft.tokens:,} of {facts.window:,}")
    return parts
