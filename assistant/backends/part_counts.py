"""Which tokens of a rendered prompt count for which part of which message."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

from assistant.backends.base import Tokenizer
from assistant.backends.control_tokens import Run, encode
from assistant.backends.message_marks import Content, Layout, Owned, owned_stretches
from assistant.messages import PartTokens, TokensInARow

_REASONING = -1  # in place of a part's number


class _Owner(NamedTuple):
    message: int
    part: int


_Share = tuple[_Owner | None, int]  # so many tokens in a row; None: the template's own


def count_parts(
    layout: Layout, runs: Sequence[Run], contents: Sequence[Content], tokenizer: Tokenizer
) -> tuple[tuple[PartTokens, ...], tuple[TokensInARow, ...]]:
    """Tokens per part and the order they come in: both add up to the tokens of the runs.

    A token belongs to the part in which its first byte lies.
    """
    shares = list(_shares(layout, runs, contents, tokenizer))
    counts: Counter[_Owner | None] = Counter()
    for owner, tokens in shares:
        counts[owner] += tokens
    named = list(_named(contents, counts))
    parts = [
        PartTokens(owner.message if owner else None, source, counts[owner])
        for owner, source in named
    ]
    number = {owner: place for place, (owner, _) in enumerate(named)}
    order = [
        TokensInARow(number[owner], sum(tokens for _, tokens in group))
        for owner, group in groupby(shares, lambda share: share[0])
    ]
    return tuple(parts), tuple(order)


def _named(
    contents: Sequence[Content], counts: Counter[_Owner | None]
) -> Iterator[tuple[_Owner | None, str]]:
    """Every part with its source, reasoning where there is some, and the template last."""
    for message, content in enumerate(contents):
        for part, (_, source) in enumerate(content.pieces):
            yield _Owner(message, part), source
        if counts[_Owner(message, _REASONING)]:
            yield _Owner(message, _REASONING), "reasoning"
    yield None, "template"


def _shares(
    layout: Layout, runs: Sequence[Run], contents: Sequence[Content], tokenizer: Tokenizer
) -> Iterator[_Share]:
    owned = list(owned_stretches(layout, contents))
    at = 0
    for run in runs:
        if run.control_token is not None:
            yield None, 1
            continue
        while at < len(owned) and owned[at].end <= run.start:
            at += 1
        if run.token_ids:
            yield from _shares_of(run, layout.text, owned, at, tokenizer)


def _shares_of(
    run: Run, text: str, owned: Sequence[Owned], at: int, tokenizer: Tokenizer
) -> Iterator[_Share]:
    """Those of one run; `owned[at]` is the first stretch that may reach into it."""
    distinct = set(run.token_ids)
    sizes = dict(zip(distinct, map(len, map(tokenizer.piece, distinct)), strict=True))
    # SentencePiece puts a blank in front that is not in the text.
    is_padded = tokenizer.piece(run.token_ids[0])[:1] == b" " and text[run.start] != " "
    first_bytes = list(accumulate(map(sizes.__getitem__, run.token_ids), initial=-is_padded))
    first_bytes.pop()  # where a token after the last one would begin
    size, place, token = 0, run.start, 0
    while place < run.end:
        ahead = owned[at] if at < len(owned) else None
        owner = ahead if ahead is not None and ahead.start <= place else None
        limit = owner.end if owner else ahead.start if ahead else run.end
        end = min(run.end, limit)
        size += len(encode(text[place:end]))
        before = token
        token = bisect_left(first_bytes, size, before) if end < run.end else len(first_bytes)
        if token > before:
            yield _Owner(owner.message, owner.part) if owner else None, token - before
        place, at = end, at + (owner is not None)
