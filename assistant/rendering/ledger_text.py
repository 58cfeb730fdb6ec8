"""Where the window goes, for a person: tokens by source, and what is left for the answer."""

from collections.abc import Iterator
from typing import TextIO

from assistant.backends.base import BackendInfo
from assistant.conversation.window import Ledger, LedgerRow
from assistant.rendering.quantities import seconds_text
from assistant.rendering.tables import table_lines
from assistant.visible_text import visible

SOON_SECONDS = 0.05


def write_plan(info: BackendInfo, ledger: Ledger, out: TextIO) -> None:
    """The model, and where its window would go."""
    lines = [visible(f"{info.name} {info.quantisation}".rstrip()), *ledger_lines(ledger)]
    out.write("".join(f"{line}\n" for line in lines))


def ledger_lines(ledger: Ledger, columns: int | None = None) -> list[str]:
    """A line for each source, the largest first, then their sum and the room for the answer."""
    measure = ledger.measure
    rows = [[f"{row.tokens:,}", row.source, _known(row)] for row in ledger.rows()]
    rows.append([f"{measure.tokens:,}", f"of {ledger.window:,} tokens are the prompt"])
    if measure.tokens_cached:
        rows.append([f"{measure.tokens_cached:,}", "of them are read already"])
    rows.append([f"{ledger.max_new_tokens:,}", "may be the answer"])
    if not measure.is_exact:
        rows.append(["", "estimates: only the server can count exactly"])
    lines = table_lines(rows, columns, right=[0])
    return [*lines, *table_lines([[sentence] for sentence in _sentences(ledger)], columns)]


def _known(row: LedgerRow) -> str:
    """How much of it need not be read again."""
    if not row.cached:
        return ""
    return "cached" if row.cached == row.tokens else f"{row.cached:,} cached"


def _sentences(ledger: Ledger) -> Iterator[str]:
    if (seconds := ledger.measure.seconds) is not None:
        soon = seconds < SOON_SECONDS
        yield f"the answer begins {'at once' if soon else f'after about {seconds_text(seconds)}'}"
    for numbers, what in (
        (ledger.summarized, "older messages are in the conversation's summary"),
        (ledger.dropped, "older messages are left out"),
        (ledger.leaving, "older messages have to make room for it first"),
    ):
        if numbers:
            yield f"{len(numbers)} {what}"
