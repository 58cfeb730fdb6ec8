"""What fits the model's window, and the ledger that says so. Nothing is ever cut silently."""

from collections.abc import Collection

from msgspec import Struct

from assistant.engine.base import Engine, Measure
from assistant.errors import PromptTooLong
from assistant.messages import PartTokens, Prompt

DEFAULT_NEW_TOKENS = 1024
SMALLEST_ANSWER = 16  # tokens; with less room than this there is no point in asking
NAMED_PARTS = 4  # in an error; --dry-run lists them all
COMPACT = "llmchat history compact, or -o when_full compact"
SHARE_FOR_ANSWERS = 4  # old turns go before an answer has less than this part of the window


class LedgerRow(Struct, frozen=True):
    """Something that has a name, and how many of its tokens are in the KV cache already."""

    source: str
    tokens: int
    cached: int


class Ledger(Struct, frozen=True):
    """Where the window goes, in tokens. `max_new_tokens` is what the answer may have.

    `is_shortened`: the window leaves less than was asked for. `summarized` and `dropped` are the
    numbers of the conversation's messages that are not sent; `leaving` are those that make room
    for this very question.
    """

    window: int
    measure: Measure
    max_new_tokens: int
    is_shortened: bool
    summarized: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    leaving: tuple[int, ...] = ()
    turns: tuple[str, ...] = ()  # what each message of the prompt is counted under; "": its parts

    @property
    def fits(self) -> bool:
        return self.max_new_tokens > 0

    @property
    def is_crowded(self) -> bool:
        """Whether old turns should make room: the answer has less than its part of the window."""
        is_short = self.is_shortened and self.max_new_tokens < self.window // SHARE_FOR_ANSWERS
        return is_short or not self.fits

    def rows(self) -> list[LedgerRow]:
        """Everything that has a name, the largest first: what is asked by its parts, what was
        said before by turns."""
        found: dict[str, LedgerRow] = {}
        for part in self.measure.parts:
            name = self._name_of(part)
            row = found.get(name, LedgerRow(name, 0, 0))
            found[name] = LedgerRow(name, row.tokens + part.tokens, row.cached + part.cached)
        return sorted(found.values(), key=lambda row: -row.tokens)

    def _name_of(self, part: PartTokens) -> str:
        is_said = part.message is not None and part.message < len(self.turns)
        return (self.turns[part.message or 0] if is_said else "") or part.source


def take_stock(engine: Engine, prompt: Prompt, wanted_tokens: int | None) -> Ledger:
    """Measure the prompt and decide how long the answer may be, even if there is no room."""
    window, measure = engine.info.window, engine.measure(prompt)
    left = max(0, window - measure.tokens)
    wanted = DEFAULT_NEW_TOKENS if wanted_tokens is None else wanted_tokens
    # Who wants less than the smallest answer gets it, when there is room for more.
    room = left if left >= SMALLEST_ANSWER else 0
    return Ledger(window, measure, min(wanted, room), is_shortened=wanted > left)


def room_wanted(ledger: Ledger) -> int:
    """Tokens that an answer should have when old turns make room for it."""
    return ledger.window // SHARE_FOR_ANSWERS


def require_room(
    ledger: Ledger, droppable: Collection[str] = (), *, can_compact: bool = False
) -> None:
    """Raises `PromptTooLong` that says what takes how much, and what of it to leave out.

    `droppable` are the names of what a user attached. `can_compact`: old turns could go.
    """
    if ledger.fits:
        return
    tokens = ledger.measure.tokens
    named = ledger.rows()
    shown = [f"{row.source} {row.tokens:,}" for row in named[:NAMED_PARTS]]
    rest = sum(row.tokens for row in named[NAMED_PARTS:])
    if rest:
        shown.append(f"{len(named) - NAMED_PARTS} others {rest:,}")
    raise PromptTooLong(
        f"this does not fit: {tokens:,} tokens and an answer, in a window of "
        f"{ledger.window:,} ({', '.join(shown)})",
        COMPACT if can_compact else _remedy(ledger, droppable),
    )


def _remedy(ledger: Ledger, droppable: Collection[str]) -> str:
    """The least to leave out: the smallest thing whose absence suffices, else the largest ones."""
    sizes = {row.source: row.tokens for row in ledger.rows() if row.source in droppable}
    if not sizes:
        return "ask with fewer words, or -m MODEL with a larger window"
    if list(sizes) == ["stdin"]:
        return "send a part of it: … | head -n 500 | llmchat …"
    over = ledger.measure.tokens + SMALLEST_ANSWER - ledger.window
    enough = [name for name, count in sizes.items() if count >= over]
    dropped, saved = enough[-1:], 0
    if not enough:
        for name, count in sizes.items():
            dropped.append(name)
            saved += count
            if saved >= over:
                break
    if len(dropped) == len(sizes) or len(dropped) > NAMED_PARTS:
        return "attach a part: FILE:10-40 or FILE::symbol; or -m MODEL with a larger window"
    return f"leave out {', '.join(dropped)}, or attach a part of it: FILE:10-40"
