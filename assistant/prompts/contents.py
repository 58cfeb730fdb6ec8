"""Texts that a prompt's templates place without seeing them: the question and the files."""

import os
import re

from msgspec import Struct

from assistant.messages import Attachment, Part

# What git and diff -u write, perhaps after a commit's head.
DIFF = re.compile(r"^(?:diff --git |--- .*\n\+\+\+ .*\n@@ -\d)", re.MULTILINE)
DIFF_HEAD = 1 << 14  # characters in which a diff has to begin


class Contents:
    """Gives templates placeholders that nobody can guess, and puts the texts into their places.

    So no text is read as a template, and every part of a message knows where it came from.
    """

    def __init__(self) -> None:
        self._mark = f"\ue000{os.urandom(16).hex()}."
        self._parts: list[Part] = []
        self._placed: set[str] = set()

    def add(self, text: str, source: str) -> str:
        """The placeholder of a text."""
        self._parts.append(Part(text, source))
        return f"{self._mark}{len(self._parts) - 1}\ue001"

    def add_file(self, attachment: Attachment) -> "PlacedFile":
        """What a template sees of an attachment."""
        language = attachment.language or ("diff" if looks_like_diff(attachment.text) else "")
        raw = self.add(attachment.text, attachment.name)
        fenced = self.add(fence(attachment.text, language), attachment.name)
        return PlacedFile(attachment.name, language, raw, fenced)

    def put_back(self, text: str, source: str) -> tuple[Part, ...]:
        """A rendered template as parts; its own words come from `source`."""
        pieces = re.split(f"{re.escape(self._mark)}(\\d+)\ue001", text)
        parts = [Part(piece, source) for piece in pieces]
        for at in range(1, len(pieces), 2):
            parts[at] = self._parts[int(pieces[at])]
            self._placed.add(parts[at].source)
        return tuple(part for part in parts if part.text)

    def not_placed(self) -> list[str]:
        """Sources of the texts that no template had a place for."""
        return [part.source for part in self._parts if part.source not in self._placed]


class PlacedFile(Struct, frozen=True):
    """`file` in a template; `text` is a placeholder, and the whole is its fenced text."""

    name: str
    language: str
    text: str
    fenced: str

    def __str__(self) -> str:
        return self.fenced


class PlacedFiles(tuple[PlacedFile, ...]):
    """`files` in a template; written as a whole, every file has its name above it."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n\n".join(f"{file.name}:\n{file}" for file in self)


def fence(text: str, language: str) -> str:
    """Text in a Markdown code fence that is longer than any run of backticks inside it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{marks}{language}\n{text}{end}{marks}"


def looks_like_diff(text: str) -> bool:
    """Whether a unified diff begins near the start of a text."""
    return DIFF.search(text[:DIFF_HEAD]) is not None
