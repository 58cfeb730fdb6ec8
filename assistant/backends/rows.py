"""The rules for the rows of a call, the same on every runtime."""

from collections.abc import Sequence

from assistant.backends.base import Row


def lengths_after(
    rows: Sequence[Row], lengths: Sequence[int], *, max_rows: int, max_outputs: int
) -> list[int]:
    """What every slot will hold, in tokens; `lengths` is what it holds now.

    Raises `ValueError` for too many tokens or logits, and for a row that does not begin where
    its slot ends.
    """
    if sum(len(row.tokens) for row in rows) > max_rows:
        raise ValueError(f"a call holds at most {max_rows} tokens")
    if sum(row.wants_logits for row in rows) > max_outputs:
        raise ValueError(f"a call gives the logits of at most {max_outputs} rows")
    after = list(lengths)
    for row in rows:
        if not 0 <= row.slot < len(after):
            raise ValueError(f"there is no slot {row.slot}; there are {len(after)}")
        if not row.tokens or row.start != after[row.slot]:
            raise ValueError(f"slot {row.slot} holds {after[row.slot]} tokens, not {row.start}")
        after[row.slot] += len(row.tokens)
    return after
