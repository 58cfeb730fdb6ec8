"""Text that a file can hold: half of a character, from a broken argument or name, is replaced."""

import re

SURROGATES = re.compile("[\ud800-\udfff]")


def whole_characters(text: str) -> str:
    return text if text.isascii() else SURROGATES.sub("\ufffd", text)
