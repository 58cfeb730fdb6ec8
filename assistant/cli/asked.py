"""What was asked for on the command line; nothing of it has been read yet."""

import os
import stat
from collections.abc import Mapping, Sequence

from msgspec import Struct

NO_QUESTION = ("there is no question", 'llmchat "how do I …?"')


class Target(Struct, frozen=True):
    """What becomes of the code of an answer besides being shown.

    `file`, if there is one, is written with it; `shows_diff` and `changes_file` are about the
    file that it was made from.
    """

    file: str | None = None
    shows_diff: bool = False
    changes_file: bool = False


class Asked(Struct, frozen=True):
    """What a command makes of its words. A draft is measured, though a question may be missing."""

    prompt: str
    text: str = ""
    files: Sequence[str] = ()
    variables: Mapping[str, str] = {}
    target: Target = Target()
    is_draft: bool = False


def is_piped() -> bool:
    """Whether something may come on standard input: a pipe, a file or a socket."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return not stat.S_ISCHR(mode)
