"""Private marks around every message, put in before a template runs and read back after.

They tell where each message stands, that it is whole, and which text is the template's own.
Knows nothing of templates or tokens but how a control token is spelt.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

from assistant.backends.control_tokens import ControlTokens, Stretch
from assistant.messages import Message

# Noncharacters, which no text may hold, so taking them out of every message loses nothing.
_TEXT_START, _TEXT_END = "\ufdd0", "\ufdd1"
_REASONING_START, _REASONING_END = "\ufdd2", "\ufdd3"
_BREAK = "\ufdd4"
_DIGITS = "\ufde0\ufde1\ufde2\ufde3\ufde4\ufde5\ufde6\ufde7\ufde8\ufde9"
_PRIVATE = re.compile("[\ufdd0-\ufdef]")
_PLACED = re.compile(
    "\ufdd0([\ufde0-\ufde9]+)([^\ufdd0-\ufdd3\ufde0-\ufde9]*)\ufdd1"
    "|\ufdd2([\ufde0-\ufde9]+)([^\ufdd0-\ufdd3\ufde0-\ufde9]*)\ufdd3"
)
_NUMBER = re.compile("[\ufde0-\ufde9]+")
_THINKING = re.compile("(</?t)(?=hink>)")


class MarkedText(str):
    """A text with marks in it, whose beginning and end look to the template as without."""

    __slots__ = ()

    def startswith(self, *args: Any) -> bool:
        return without_marks(self).startswith(*args)

    def endswith(self, *args: Any) -> bool:
        return without_marks(self).endswith(*args)

    def strip(self, chars: str | None = None) -> str:
        return MarkedText(super().strip(chars))

    def lstrip(self, chars: str | None = None) -> str:
        return MarkedText(super().lstrip(chars))

    def rstrip(self, chars: str | None = None) -> str:
        return MarkedText(super().rstrip(chars))

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        return MarkedText(super().__getitem__(key))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message's body (or its reasoning) stands in the text."""

    start: int
    end: int
    message: int
    is_reasoning: bool


@dataclass(frozen=True, slots=True)
class Layout:
    text: str
    places: tuple[Place, ...]
    open_stretches: tuple[Stretch, ...]  # the template's own text


class TornMarksError(Exception):
    """The template cut or copied a message; `message` is its number where that is known."""

    def __init__(self, message: int | None) -> None:
        super().__init__(message)
        self.message = message


class Content:
    """A message without private characters: its blanks, its body, its parts."""

    def __init__(self, message: Message, control_tokens: ControlTokens) -> None:
        self.message = message
        self.control_tokens = control_tokens
        self.pieces = [(without_marks(part.text), part.source) for part in message.parts]
        self.text = "".join(text for text, _ in self.pieces)
        self.body = self.text.strip()
        self.lead = (
            self.text[: len(self.text) - len(self.text.lstrip())] if self.body else self.text
        )
        self.trail = self.text[len(self.lead) + len(self.body) :]
        self.reasoning = without_marks(message.reasoning)

    def marked(self, number: int) -> str:
        if not self.body:
            return self.text
        inner = self._hidden(self.body)
        return f"{self.lead}{_TEXT_START}{_digits(number)}{inner}{_TEXT_END}{self.trail}"

    def marked_reasoning(self, number: int) -> str:
        body = self.reasoning.strip()
        before, _, after = self.reasoning.partition(body)
        inner = self._hidden(body)
        return f"{before}{_REASONING_START}{_digits(number)}{inner}{_REASONING_END}{after}"

    def _hidden(self, body: str) -> str:
        """No template may see a control token in a message, nor copy one out of it."""
        broken = self.control_tokens.break_up(body, _BREAK)
        return _THINKING.sub(rf"\1{_BREAK}", broken)


def read_marks(marked: str) -> Layout:
    """Take the marks out of a text and note what they say; raise `TornMarksError` on a torn one."""
    pieces: list[str] = []
    places: list[Place] = []
    open_stretches: list[Stretch] = []
    length = 0

    def add(text: str) -> Stretch:
        nonlocal length
        pieces.append(text)
        length += len(text)
        return Stretch(length - len(text), length)

    def add_own(text: str) -> None:
        if _PRIVATE.search(text.replace(_BREAK, "")):
            number = _NUMBER.search(text)
            raise TornMarksError(_read_number(number.group()) if number else None)
        open_stretches.extend(add(part) for part in text.split(_BREAK) if part)

    start = 0
    for found in _PLACED.finditer(marked):
        add_own(marked[start : found.start()])
        is_reasoning = found.group(3) is not None
        digits, body = found.group(3, 4) if is_reasoning else found.group(1, 2)
        place = add(body.replace(_BREAK, ""))
        places.append(Place(place.start, place.end, _read_number(digits), is_reasoning))
        start = found.end()
    add_own(marked[start:])
    return Layout("".join(pieces), tuple(places), tuple(open_stretches))


@dataclass(frozen=True, slots=True)
class Owned:
    """A stretch of text that came from one part of one message."""

    start: int
    end: int
    message: int
    part: int  # -1: its reasoning


def with_blanks(layout: Layout, contents: Sequence[Content]) -> list[Stretch]:
    """Each place with its message's own blanks, where the template kept them whole.

    Blanks that two neighbours could claim belong to the first.
    """
    text, stretches, free = layout.text, [], 0
    limits = [*(place.start for place in layout.places[1:]), len(text)]
    for place, limit in zip(layout.places, limits, strict=False):
        lead, trail = contents[place.message].lead, contents[place.message].trail
        start, end = place.start - len(lead), place.end + len(trail)
        if place.is_reasoning or start < free or not text.startswith(lead, start):
            start = place.start
        if place.is_reasoning or end > limit or not text.startswith(trail, place.end):
            end = place.end
        stretches.append(Stretch(start, end))
        free = end
    return stretches


def owned_stretches(layout: Layout, contents: Sequence[Content]) -> Iterator[Owned]:
    """Which characters came from which part of which message, in order."""
    for place, widened in zip(layout.places, with_blanks(layout, contents), strict=True):
        if place.is_reasoning:
            yield Owned(place.start, place.end, place.message, -1)
            continue
        content = contents[place.message]
        at = place.start - len(content.lead)
        for number, (piece, _) in enumerate(content.pieces):
            start, end = max(at, widened.start), min(at + len(piece), widened.end)
            if start < end:
                yield Owned(start, end, place.message, number)
            at += len(piece)


def notice_marks(text: str) -> str:
    return MarkedText(text) if _TEXT_START in text or _REASONING_START in text else text


def without_marks(text: str) -> str:
    return str(text) if text.isascii() else _PRIVATE.sub("", text)


def _digits(number: int) -> str:
    return "".join(_DIGITS[int(digit)] for digit in str(number))


def _read_number(digits: str) -> int:
    return int("".join(str(_DIGITS.index(digit)) for digit in digits))
