"""Where the window goes, for a person: tokens by source, and what is left for the answer."""

from typing import TextIO

from assistant.backends.base import BackendInfo
from assistant.conversation.window import Ledger
from assistant.rendering.tables import table_lines
from assistant.visible_text import visible


def write_plan(info: BackendInfo, ledger: Ledger, out: TextIO) -> None:
    """The model, and where its window would go."""
    lines = [visible(f"{info.name} {info.quantisation}".rstrip()), *ledger_lines(ledger)]
    out.write("".join(f"{line}\n" for line in lines))


def ledger_lines(ledger: Ledger, columns: int | None = None) -> list[str]:
    """A line for each source, the largest first, then their sum and the room for the answer."""
    rows = [(f"{tokens:,}", source) for source, tokens in ledger.by_source().items()]
    rows.append((f"{ledger.measure.tokens:,}", f"of {ledger.window:,} tokens are the prompt"))
    if ledger.measure.tokens_cached:
        rows.append((f"{ledger.measure.tokens_cached:,}", "of them are read already"))
    rows.append((f"{ledger.max_new_tokens:,}", "may be the answer"))
    if not ledger.measure.is_exact:
        rows.append(("", "estimates: only the server can count exactly"))
    return table_lines(rows, columns, right=[0])
