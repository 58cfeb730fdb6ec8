"""`@src/a.py:10-40` in a message: what it names is attached, and the words stay.

An `@word` that names nothing is text: an address, a decorator, a handle. So is everything between
fences, which was written to be looked at.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct

from assistant.attachments.decoding import MAX_BYTES
from assistant.attachments.git_changes import Changes, read_changes
from assistant.attachments.names import STDIN, is_attachable, is_folder, shown_name
from assistant.attachments.reading import attach
from assistant.messages import Attachment

MOST = 1_000  # at signs that are looked up
CHANGES = {"diff": Changes.UNCOMMITTED, "staged": Changes.STAGED}

# An address has its @ inside of a word; quotes hold a name with blanks.
_AT = r"(?<![\w@`.+/\\-])@"
MENTION = re.compile(
    _AT + r'(?:"(?P<quoted>[^"\n]+)"(?P<part>:[^\s"@`]+)?|(?P<plain>[^\s"@`]+))', re.ASCII
)
BEING_TYPED = re.compile(
    _AT + r'(?:"(?P<quoted>[^"\n]*)(?:"(?P<part>:[^\s"@`]*))?|(?P<plain>[^\s"@`]*))\Z', re.ASCII
)
FENCE = re.compile(r"^ {0,3}(?P<marks>`{3,}|~{3,})(?P<rest>.*)", re.MULTILINE)
CLOSING = ".,;:!?)]}>'’”*_、。，；：！？）】》"
NEVER = (STDIN, "/", "~")
NEEDS_QUOTES = re.compile(r"[\s@`]")


class Mention(Struct, frozen=True):
    """`text[start:end]` names something that is there; `name` is without @ and quotes."""

    start: int
    end: int
    name: str

    @property
    def shown(self) -> str:
        """What stands in its place when the message is sent."""
        return CHANGES[self.name].value if self.name in CHANGES else shown_name(self.name)


class Mentioned(Struct, frozen=True):
    """A text whose mentions are plain names, and what these stand for."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    notices: tuple[str, ...] = ()


class Typed(Struct, frozen=True):
    """The mention that is being typed: it begins at `start`, and `name` is what there is of it."""

    start: int
    name: str


def find_mentions(text: str) -> list[Mention]:
    """Everything after an @ that can be attached; looks at names on the disk, opens nothing."""
    fences = list(_fenced(text))
    found = []
    for match in islice(MENTION.finditer(text), MOST):
        is_code = any(start <= match.start() < end for start, end in fences)
        name, end = ("", 0) if is_code else _named(match)
        if name:
            found.append(Mention(match.start(), end, name))
    return found


def read_mentions(text: str, max_bytes: int = MAX_BYTES) -> Mentioned:
    """Attaches what the text mentions, each thing once: files in their order, then changes.

    Raises `InputError` as `attach` and `read_changes` do: for a line or a symbol that is not in
    its file, a binary file, no change …
    """
    mentions = find_mentions(text)
    names = dict.fromkeys(mention.name for mention in mentions)
    parts = [attach([name for name in names if name not in CHANGES], None, max_bytes)]
    parts += [read_changes(CHANGES[name], max_bytes) for name in names if name in CHANGES]
    return Mentioned(
        _with_plain_names(text, mentions),
        tuple(one for part in parts for one in part.attachments),
        tuple(notice for part in parts for notice in part.notices),
    )


def mention_being_typed(before: str) -> Typed | None:
    """What stands between the last @ and the end of `before`, where the cursor is."""
    line = before.rpartition("\n")[2]
    match = BEING_TYPED.search(line)
    if match is None:
        return None
    name = match["plain"] if match["quoted"] is None else match["quoted"] + (match["part"] or "")
    return Typed(len(before) - len(line) + match.start(), name)


def can_be_mentioned(name: str) -> bool:
    """A name with a quote or a line feed in it cannot be typed."""
    return '"' not in name and "\n" not in name


def as_mention(name: str) -> str:
    """How it is typed: `@a.py`, `@"my file.py"`."""
    return f'@"{name}"' if NEEDS_QUOTES.search(name) else f"@{name}"


def _named(match: re.Match[str]) -> tuple[str, int]:
    """The longest part of what was typed that names something, and where that ends."""
    quoted, part, plain = match["quoted"], match["part"] or "", match["plain"]
    for reading in _readings(part if quoted else plain):
        if _is_there((quoted or "") + reading):
            start = match.start("part" if quoted else "plain")
            return (quoted or "") + reading, start + len(reading)
    if quoted and _is_there(quoted):
        return quoted, match.end("quoted") + 1
    return "", 0


def _readings(typed: str) -> Iterator[str]:
    """The name may be followed by punctuation, by 's, or by words of a script without blanks."""
    ends = (len(typed), *_places("'", typed), *_places("’", typed), _ascii_length(typed))
    for end in sorted(set(ends), reverse=True):
        name = typed[:end]
        file, mark, symbol = name.partition("::")
        if symbol:  # whether there is one is known later, and none ends a sentence
            yield file + mark + symbol.rstrip(CLOSING)
            name = file
        while name:
            yield name
            if name[-1] not in CLOSING:
                break
            name = name[:-1]


def _places(character: str, text: str) -> list[int]:
    place = text.find(character)
    return [place] if place > 0 else []


def _ascii_length(text: str) -> int:
    return next((at for at, one in enumerate(text) if not one.isascii()), len(text))


def _is_there(name: str) -> bool:
    return name in CHANGES or (name not in NEVER and is_attachable(name) and not _is_root(name))


def _is_root(name: str) -> bool:
    """`@/lib` is how TypeScript spells a module; no one attaches a folder of the system."""
    return name.rfind("/") == 0 and is_folder(name)


def _fenced(text: str) -> Iterator[tuple[int, int]]:
    """From each fence to the one that closes it, or to the end."""
    opened: re.Match[str] | None = None
    for fence in FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence["marks"].startswith(opened["marks"]) and not fence["rest"].strip():
            yield opened.start(), fence.end()
            opened = None
    if opened is not None:
        yield opened.start(), len(text)


def _with_plain_names(text: str, mentions: Sequence[Mention]) -> str:
    pieces, done = [], 0
    for mention in mentions:
        pieces += [text[done : mention.start], mention.shown]
        done = mention.end
    return "".join(pieces) + text[done:]
