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
    """The rows in columns, then the sentences."""
    sentences = [[sentence] for sentence in ledger_sentences(ledger)]
    return [
        *table_lines(ledger_rows(ledger), columns, right=[0]),
        *table_lines(sentences, columns),
    ]


def ledger_rows(ledger: Ledger) -> list[list[str]]:
    """One for each source, the largest first, then their sum and the room for the answer: tokens,
    which, how many are read already."""
    measure = ledger.measure
    rows = [[f"{row.tokens:,}", row.source, _known(row)] for row in ledger.rows()]
    rows.append([f"{measure.tokens:,}", f"of {ledger.window:,} tokens are the prompt"])
    if measure.tokens_cached:
        rows.append([f"{measure.tokens_cached:,}", "of them are read already"])
    rows.append([f"{ledger.max_new_tokens:,}", "may be the answer"])
    if not measure.is_exact:
        rows.append(["", "estimates: only the server can count exactly"])
    return rows


def _known(row: LedgerRow) -> str:
    """How much of it need not be read again."""
    if not row.cached:
        return ""
    return "cached" if row.cached == row.tokens else f"{row.cached:,} cached"


def ledger_sentences(ledger: Ledger) -> Iterator[str]:
    """When the answer begins, and what of the conversation is not sent."""
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
