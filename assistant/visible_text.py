"""Makes visible what a terminal would obey or hide: control, bidi and zero-width characters.

Every string that a model, a file or another program wrote passes here once before a terminal
gets it. Nothing is parsed and nothing is dropped: each such character becomes its escape.
"""

# Beside C0 (without tab and newline), DEL, C1 and every noncharacter. ZERO WIDTH JOINER and
# its like are here although some emoji and scripts use them, because text can hide in them;
# U+FE0E and U+FE0F stay: they only choose between a black and a coloured emoji.
_HIDDEN_RANGES = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer vowels without a shape
    (0x180B, 0x180F),  # Mongolian selectors and vowel separator
    (0x200B, 0x200F),  # zero-width space, joiners, direction marks
    (0x2028, 0x202E),  # line and paragraph separator, bidi embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, bidi isolates, deprecated controls
    (0x3164, 0x3164),  # Hangul filler
    (0xD800, 0xDFFF),  # lone surrogates
    (0xFDD0, 0xFDEF),  # noncharacters
    (0xFE00, 0xFE0D),  # variation selectors
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # Hangul filler
    (0xFFF0, 0xFFFB),  # unassigned and annotation controls
    (0x13430, 0x1343F),  # hieroglyph joiners
    (0x1BCA0, 0x1BCA3),  # shorthand controls
    (0x1D173, 0x1D17A),  # musical controls
    (0xE0000, 0xE0FFF),  # tag characters and variation selectors
)


class _Escapes(dict[int, str]):
    """A `str.translate` table that is filled as characters are met."""

    def __missing__(self, code: int) -> str:
        self[code] = shown = _escape(code)
        return shown


def _escape(code: int) -> str:
    if code in (0x09, 0x0A):
        return chr(code)
    if code < 0x20 or 0x7F <= code < 0xA0:
        return f"\\x{code:02x}"
    if code & 0xFFFE == 0xFFFE or any(low <= code <= high for low, high in _HIDDEN_RANGES):
        return f"\\u{{{code:04x}}}"
    return chr(code)


_ESCAPES = _Escapes()


def visible(text: str) -> str:
    """`text` with every hidden character as an escape; idempotent.

    A line may end with CR LF; any other CR is escaped. Text in pieces, which may end between
    the two, goes through `VisibleStream`.
    """
    return text.replace("\r\n", "\n").translate(_ESCAPES)


class VisibleStream:
    """`visible` for text that arrives in pieces."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        text = self._held + text
        self._held = "\r" if text.endswith("\r") else ""
        return visible(text.removesuffix("\r") if self._held else text)

    def close(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return visible(held)
