"""What fits the model's window, and the ledger that says so. Nothing is ever cut silently."""

from collections.abc import Collection

from msgspec import Struct

from assistant.engine.base import Engine, Measure
from assistant.errors import PromptTooLong
from assistant.messages import Prompt

DEFAULT_NEW_TOKENS = 1024
SMALLEST_ANSWER = 16  # tokens; with less room than this there is no point in asking
NAMED_PARTS = 4  # in an error; --dry-run lists them all


class Ledger(Struct, frozen=True):
    """Where the window goes, in tokens. `max_new_tokens` is what the answer may have.

    `is_shortened`: the window leaves less than was asked for.
    """

    window: int
    measure: Measure
    max_new_tokens: int
    is_shortened: bool

    @property
    def fits(self) -> bool:
        return self.max_new_tokens > 0

    def by_source(self) -> dict[str, int]:
        """Tokens of everything that has a name, the largest first."""
        tokens: dict[str, int] = {}
        for part in self.measure.parts:
            tokens[part.source] = tokens.get(part.source, 0) + part.tokens
        return dict(sorted(tokens.items(), key=lambda item: -item[1]))


def take_stock(engine: Engine, prompt: Prompt, wanted_tokens: int | None) -> Ledger:
    """Measure the prompt and decide how long the answer may be, even if there is no room."""
    window, measure = engine.info.window, engine.measure(prompt)
    left = max(0, window - measure.tokens)
    wanted = DEFAULT_NEW_TOKENS if wanted_tokens is None else wanted_tokens
    # Who wants less than the smallest answer gets it, when there is room for more.
    room = left if left >= SMALLEST_ANSWER else 0
    return Ledger(window, measure, min(wanted, room), is_shortened=wanted > left)


def fit(
    engine: Engine, prompt: Prompt, wanted_tokens: int | None, droppable: Collection[str] = ()
) -> Ledger:
    """The ledger of a prompt that fits; raises `PromptTooLong` as `require_room` does."""
    ledger = take_stock(engine, prompt, wanted_tokens)
    require_room(ledger, droppable)
    return ledger


def require_room(ledger: Ledger, droppable: Collection[str] = ()) -> None:
    """Raises `PromptTooLong` that says what takes how much, and what of it to leave out.

    `droppable` are the names of what a user attached.
    """
    if ledger.fits:
        return
    tokens = ledger.measure.tokens
    named = list(ledger.by_source().items())
    shown = [f"{source} {count:,}" for source, count in named[:NAMED_PARTS]]
    rest = sum(count for _, count in named[NAMED_PARTS:])
    if rest:
        shown.append(f"{len(named) - NAMED_PARTS} others {rest:,}")
    raise PromptTooLong(
        f"this does not fit: {tokens:,} tokens and an answer, in a window of "
        f"{ledger.window:,} ({', '.join(shown)})",
        _remedy(ledger, droppable),
    )


def _remedy(ledger: Ledger, droppable: Collection[str]) -> str:
    """The least to leave out: the smallest thing whose absence suffices, else the largest ones."""
    sizes = {name: count for name, count in ledger.by_source().items() if name in droppable}
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
