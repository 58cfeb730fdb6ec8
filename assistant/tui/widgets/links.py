"""Addresses in a block of Markdown, and where they stand in its painted rows.

Nothing is ever opened or fetched; an address is a thing that a user may choose.
"""

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from assistant.rendering.markdown_blocks import Block
from assistant.tui.widgets.rows import Link, Target
from assistant.tui.widgets.strips import plain

_BARE = re.compile(r"https?://[^\s<>\"'`|\\^{}\[\]]+")
_NOT_AT_THE_END = ".,;:!?*_~"
_SHORTEST_PIECE = 8  # characters of a broken address that are enough to know it: "https://"
_BEFORE_A_ROW = " ▌│"  # indentation of lists and quotes


def addresses(block: Block) -> list[str]:
    """Of its links and those that stand in its text, in their order."""
    found: list[str] = []
    for token in block.tokens:
        for child in token.children or ():
            if child.type == "link_open":
                found.append(str(child.attrs.get("href", "")))
            elif child.type == "text":
                found += bare_addresses(child.content)
    return [address for address in found if address]


def bare_addresses(text: str) -> list[str]:
    return [_without_end(match[0]) for match in _BARE.finditer(text)]


def find_links(lines: Sequence[str], urls: Sequence[str]) -> list[tuple[Target, ...]]:
    """For each painted line the links in it; an address may be broken over several lines."""
    targets: list[list[Target]] = [[] for _ in lines]
    texts = [plain(line) for line in lines]
    row = column = 0
    for url in urls:
        for pieces in _places(texts, url, row, column):
            for at, start, end in pieces:
                before = cell_len(texts[at][:start])
                cells = cell_len(texts[at][start:end])
                targets[at].append(Target(before, before + cells, Link(url)))
            row, _, column = pieces[-1]
            break
    return [tuple(found) for found in targets]


def _places(
    texts: Sequence[str], url: str, row: int, column: int
) -> Iterator[list[tuple[int, int, int]]]:
    """Where it stands from there on: pieces with row, first and last character."""
    for at in range(row, len(texts)):
        start = texts[at].find(url, column if at == row else 0)
        if start >= 0:
            yield [(at, start, start + len(url))]
        elif pieces := _broken(texts, url, at):
            yield pieces


def _broken(texts: Sequence[str], url: str, row: int) -> list[tuple[int, int, int]]:
    """Its pieces when it begins at the end of that row and goes on in the next ones."""
    text = texts[row].rstrip()
    length = next(
        (n for n in range(min(len(url) - 1, len(text)), 0, -1) if text.endswith(url[:n])), 0
    )
    if length < min(_SHORTEST_PIECE, len(url) - 1):
        return []
    pieces = [(row, len(text) - length, len(text))]
    rest = url[length:]
    for at in range(row + 1, len(texts)):
        text = texts[at].rstrip()
        start = len(text) - len(text.lstrip(_BEFORE_A_ROW))
        if text.startswith(rest, start):
            return [*pieces, (at, start, start + len(rest))]
        if start == len(text) or not rest.startswith(text[start:]):
            return []
        pieces.append((at, start, len(text)))
        rest = rest[len(text) - start :]
    return []


def _without_end(address: str) -> str:
    """Without what ends a sentence, and a bracket that the address did not open."""
    while address[-1] in _NOT_AT_THE_END or (
        address[-1] == ")" and address.count(")") > address.count("(")
    ):
        address = address[:-1]
    return address
