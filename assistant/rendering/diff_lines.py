"""A unified diff for a terminal: visible, in git's colours. A pipe gets it as it is."""

import re
from collections.abc import Iterator

from assistant.visible_text import visible

_HUNK = re.compile(r"@@ -\d+(?:,(?P<old>\d+))? \+\d+(?:,(?P<new>\d+))? @@")

BOLD, RED, GREEN, CYAN, RESET = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[m"
COLORS = {"-": RED, "+": GREEN, "@": CYAN}


def diff_text(diff: str, *, is_terminal: bool, has_color: bool) -> str:
    """`diff` to be written as it is: unchanged for a pipe, visible and perhaps coloured else."""
    if not (is_terminal and diff):
        return diff
    if not has_color:
        return visible(diff)
    return "".join(_colored(diff))


def _colored(diff: str) -> Iterator[str]:
    old = new = 0  # lines of this hunk that are still to come
    for line in visible(diff).removesuffix("\n").split("\n"):
        color = COLORS.get(line[:1], "")
        if hunk := None if old or new else _HUNK.match(line):
            old, new = int(hunk["old"] or 1), int(hunk["new"] or 1)
        elif old or new:
            # A removed line may begin with "--": only outside of a hunk is that a header.
            old, new = old - (line[:1] in " -"), new - (line[:1] in " +")
        elif not line.startswith("\\"):
            color = BOLD
        yield f"{color}{line}{RESET}\n" if color else line + "\n"
