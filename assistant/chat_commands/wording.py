"""Pieces of the sentences that commands say."""

import re

from assistant.rendering.tables import one_line


def as_code(text: str) -> str:
    """One line of what somebody else wrote, as a code span that nothing in it can end."""
    shown = one_line(text) or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    marks = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{marks}{pad}{shown}{pad}{marks}"


def counted(count: int, what: str) -> str:
    """ "1 message", "2,000 messages"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
