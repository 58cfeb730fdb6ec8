"""Whether a stream gets colours, and whether a terminal obeys a cursor."""

import os
from typing import TextIO

from assistant.config import Color


def has_color(color: Color, stream: TextIO) -> bool:
    """https://no-color.org and the two variables that force colour, unless a flag says."""
    if color is not Color.AUTO:
        return color is Color.ALWAYS
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE") or os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and moves_cursor()


def moves_cursor() -> bool:
    """Whether a terminal, if there is one, obeys more than line ends."""
    return os.environ.get("TERM", "dumb") != "dumb"
