"""Which colours the chat has where nobody chose any."""

import os

DEFAULT, SIXTEEN_COLORS = "textual-dark", "ansi-dark"


def theme_of_terminal() -> str:
    """One with the terminal's own sixteen colours where it has no more."""
    has_many = "256" in os.environ.get("TERM", "") or os.environ.get("COLORTERM")
    return DEFAULT if has_many else SIXTEEN_COLORS
