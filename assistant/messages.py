"""What is sent to a model: messages made of parts, and the prompts that hold them."""

import struct
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path

from msgspec import Struct


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Part(Struct, frozen=True):
    """A piece of a message: its text and where it came from ("question", "quicksort.py")."""

    text: str
    source: str


class Message(Struct, frozen=True):
    """One chat message. `reasoning` is kept apart from the text.

    `token_ids` are the tokens of an answer that the model with `fingerprint` wrote. They
    replace the text's own tokens when the same model reads the message again and they still
    spell the text, so that a past answer is the prefix that is already in the KV cache.
    """

    role: Role
    parts: tuple[Part, ...]
    reasoning: str = ""
    token_ids: tuple[int, ...] = ()
    fingerprint: str = ""

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


def message(role: Role, text: str, source: str | None = None) -> Message:
    """A message of one part; its source is the role unless said otherwise."""
    return Message(role, (Part(text, source or role.value),))


class ChatPrompt(Struct, frozen=True, tag=True):
    """Messages for the model's own chat template.

    `first_day` is the day a template is told when it asks for today's date: the
    conversation's first, so that the head of the prompt never changes. `snapshot_after`
    is the index of the message after which the KV state is worth keeping.
    """

    messages: tuple[Message, ...]
    first_day: date
    snapshot_after: int | None = None


class RawPrompt(Struct, frozen=True, tag=True):
    """Text or ids as they are, with no template. `has_control_tokens`: the text may spell them."""

    text: str = ""
    token_ids: tuple[int, ...] = ()
    has_control_tokens: bool = False


Prompt = ChatPrompt | RawPrompt


class PartTokens(Struct, frozen=True):
    """Tokens of one part of one message; the template's own count as message None.

    `cached` of them need not be computed; 0 unless an engine was asked to measure.
    """

    message: int | None
    source: str
    tokens: int
    cached: int = 0


class TokensInARow(Struct, frozen=True, array_like=True):
    """So many tokens of a prompt that come one after another and count for `parts[part]`."""

    part: int
    tokens: int


class Span(Struct, frozen=True):
    """A stretch of rendered text; `control_token` is its id when it is one token that steers."""

    text: str
    control_token: int | None = None


class Rendered(Struct, frozen=True):
    """A prompt as the model will see it: text with control tokens marked, ids, ids per part.

    The counts of `parts` add up to `len(token_ids)`, and so do those of `order`, which tells
    which part has its tokens where.
    """

    spans: tuple[Span, ...]
    token_ids: tuple[int, ...]
    parts: tuple[PartTokens, ...]
    order: tuple[TokensInARow, ...] = ()

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)

    def parts_with_cached(self, tokens_cached: int) -> tuple[PartTokens, ...]:
        """The parts when the first `tokens_cached` tokens are cached: theirs add up to that."""
        cached = [0] * len(self.parts)
        left = tokens_cached
        for row in self.order:
            if left <= 0:
                break
            cached[row.part] += min(row.tokens, left)
            left -= row.tokens
        return tuple(map(_with_cached, self.parts, cached))


def _with_cached(part: PartTokens, cached: int) -> PartTokens:
    return PartTokens(part.message, part.source, part.tokens, cached)


def hash_of_ids(token_ids: Sequence[int]) -> str:
    """16 hex digits that name these token ids: BLAKE2b over them as 32-bit numbers."""
    import hashlib  # takes 2 ms, and only the engine needs it

    data = struct.pack(f"<{len(token_ids)}I", *token_ids)
    return hashlib.blake2b(data, digest_size=8).hexdigest()


class SourceFile(Struct, frozen=True):
    """Where attached text stands on disk: what is needed to write it back changed.

    `data` is the whole file as it was read: a byte order mark `mark`, then text in what Python
    calls `encoding`. `lines` are the first and the last line attached, from 1; None: all.
    """

    path: Path
    data: bytes
    encoding: str = "utf-8"
    mark: bytes = b""
    lines: tuple[int, int] | None = None


class Attachment(Struct, frozen=True):
    """Text that a user adds to a message: a file, lines or a symbol of it, or "stdin".

    `name` is one line of visible text that says which. `language` is the fence's ("" when
    unknown). `source` is None for standard input.
    """

    name: str
    text: str
    language: str
    source: SourceFile | None = None
