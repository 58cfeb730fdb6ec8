"""Where the window goes, for a person: tokens by source, and what is left for the answer."""

from assistant.conversation.window import Ledger
from assistant.rendering.tables import table_lines


def ledger_lines(ledger: Ledger, columns: int | None = None) -> list[str]:
    """A line for each source, the largest first, then their sum and the room for the answer."""
    rows = [(f"{tokens:,}", source) for source, tokens in ledger.by_source().items()]
    rows.append((f"{ledger.measure.tokens:,}", f"of {ledger.window:,} tokens are the prompt"))
    if ledger.measure.tokens_cached:
        rows.append((f"{ledger.measure.tokens_cached:,}", "of them are read already"))
    rows.append((f"{ledger.max_new_tokens:,}", "may be the answer"))
    return table_lines(rows, columns, right=[0])
