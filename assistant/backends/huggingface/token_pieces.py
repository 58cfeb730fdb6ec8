"""What bytes a token stands for, by the decoder that a tokenizer.json names.

Two spellings exist: GPT-2's, where each byte is one printable character, and SentencePiece's,
where "▁" is a blank and `<0x0A>` is a byte. Added tokens are spelt as they are in both.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from assistant.errors import ModelError

Spelling = Callable[[str], bytes]

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
# Decoders that change only the whole text: they join, or take away a blank put in front.
_WHOLE_TEXT = {"Fuse", "Strip"}


def spelling_of(decoder: Any) -> Spelling:
    """Turns a token of the vocabulary into its bytes; `decoder` is the tokenizer's own.

    Raises `ModelError` when the decoder is none of the known ones.
    """
    steps = list(_steps(json.loads(decoder.__getstate__()))) if decoder is not None else []
    kinds = {step["type"] for step in steps} - _WHOLE_TEXT
    if kinds == {"ByteLevel"}:
        return _from_byte_characters
    blanks = {_blank(step) for step in steps if step["type"] in {"Metaspace", "Replace"}}
    if len(blanks) == 1 and "" not in blanks and kinds <= {"Metaspace", "Replace", "ByteFallback"}:
        (blank,) = blanks
        has_byte_tokens = "ByteFallback" in kinds
        return lambda token: _from_pieces(token, blank, has_byte_tokens)
    names = " and ".join(sorted(kinds)) or "none"
    raise ModelError(
        f"the tokenizer's decoder ({names}) is of a kind that is not supported",
        "choose a model with a byte-level or a SentencePiece tokenizer",
    )


def _steps(decoder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if decoder["type"] == "Sequence":
        for part in decoder["decoders"]:
            yield from _steps(part)
    else:
        yield decoder


def _blank(step: dict[str, Any]) -> str:
    """The character that stands for a blank; "" when this step does something else."""
    if step["type"] == "Metaspace":
        return str(step["replacement"])
    return str(step["pattern"].get("String", "")) if step["content"] == " " else ""


def _from_pieces(token: str, blank: str, has_byte_tokens: bool) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(token) if has_byte_tokens else None
    return bytes.fromhex(byte[1]) if byte else token.replace(blank, " ").encode()


def _from_byte_characters(token: str) -> bytes:
    byte_of = _byte_characters()
    try:
        return bytes(byte_of[character] for character in token)
    except KeyError:  # it was put into the vocabulary as it is
        return token.encode()


@cache
def _byte_characters() -> dict[str, int]:
    """GPT-2's alphabet: printable Latin-1 stands for itself, all else follows from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    shifted = {chr(0x100 + place): byte for place, byte in enumerate(others)}
    return {**{chr(byte): byte for byte in printable}, **shifted}
