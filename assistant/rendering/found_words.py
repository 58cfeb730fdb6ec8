"""Where in a text the words of a search are, which compares texts without case and accents."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from assistant.conversation.search_index import SHORTEST_SUBSTRING, fold, has_cjk, terms_of


class Span(Struct, frozen=True, order=True):
    """Characters of a line, `end` being the first after them."""

    start: int
    end: int


class FoundWords:
    """The lines of a text, and what a query found in them.

    All lines are folded as one text with single blanks: a phrase may go on in the next line.
    """

    def __init__(self, lines: Sequence[str], query: str) -> None:
        self.lines = lines
        self._starts: list[int] = []  # of each line in the folded text
        self._ends: list[int] = []
        folded: list[str] = []
        at = 0
        for line in lines:
            text = fold(line)
            self._starts.append(at)
            self._ends.append(at + len(text))
            if text:
                folded.append(text)
                at += len(text) + 1
        self._folded = " ".join(folded)
        self._patterns = [_pattern(term.text, self._folded) for term in terms_of(query)]

    def first_lines(self, most: int) -> list[int]:
        """The numbers of the lines in which the first match of each word begins."""
        firsts = (pattern.search(self._folded) for pattern in self._patterns)
        found = dict.fromkeys(
            bisect_right(self._starts, first.start()) - 1 for first in firsts if first
        )
        return sorted(list(found)[:most])

    def spans(self, number: int) -> tuple[Span, ...]:
        """What of a line was found, in order, without overlaps."""
        start, end = self._starts[number], self._ends[number]
        found = [
            Span(max(match.start(), start) - start, min(match.end(), end) - start)
            for pattern in self._patterns
            for match in pattern.finditer(self._folded)
            if start < end and match.start() < end and match.end() > start
        ]
        places = _places(self.lines[number])
        if not found or len(places) != end - start:
            return ()
        found.sort()
        return tuple(
            _merged(Span(places[one.start].start, places[one.end - 1].end) for one in found)
        )


def _pattern(term: str, folded: str) -> re.Pattern[str]:
    """A short term is mostly a word of its own, any other a part of one."""
    pattern = re.compile(re.escape(term))
    if len(term) < SHORTEST_SUBSTRING and not has_cjk(term):
        as_word = re.compile(rf"(?<!\w){pattern.pattern}(?!\w)")
        return as_word if as_word.search(folded) else pattern
    return pattern


def _places(line: str) -> list[Span]:
    """For each character of the folded line where it comes from."""
    places: list[Span] = []
    last = " "  # blanks at the beginning are no part of it
    for place in _clusters(line):
        cluster = line[place.start : place.end]
        for char in fold(f"x{cluster}x")[1:-1]:  # whose ends would lose their blanks else
            if not char == last == " ":
                places.append(place)
            last = char
    if places and last == " ":
        places.pop()
    return places


def _clusters(line: str) -> Iterator[Span]:
    """A character and what may become one with it."""
    start = 0
    for at, char in enumerate(line):
        if at and not _joins_previous(char):
            yield Span(start, at)
            start = at
    if line:
        yield Span(start, len(line))


@lru_cache(maxsize=4096)
def _joins_previous(char: str) -> bool:
    """Whether it is a mark, or the middle or end of a Korean syllable, in any form."""
    first = unicodedata.normalize("NFKD", char)[0]
    return unicodedata.category(first)[0] == "M" or "\u1160" <= first <= "\u11ff"


def _merged(spans: Iterator[Span]) -> Iterator[Span]:
    held = next(spans)
    for span in spans:
        if span.start > held.end:
            yield held
            held = span
        else:
            held = Span(held.start, max(held.end, span.end))
    yield held
