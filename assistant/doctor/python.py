"""The Python that runs llmchat."""

import sys
from collections.abc import Sequence

from assistant.doctor.check import Check, check, failed, ok

OLDEST = (3, 11)


@check("Python")
def check_python(
    version: Sequence[int] = sys.version_info[:3],
    largest_number: int = sys.maxsize,
    executable: str = sys.executable,
) -> Check:
    """`largest_number` is sys.maxsize, which tells 32 from 64 bits."""
    shown = ".".join(map(str, version))
    if tuple(version[:2]) < OLDEST:
        return failed(
            f"{shown} is too old ({executable})",
            "install Python 3.11 or newer, then llmchat with it",
        )
    if largest_number < 2**32:
        return failed(
            f"{shown} of 32 bits cannot hold a model ({executable})",
            "install a Python of 64 bits, then llmchat with it",
        )
    return ok(f"{shown}, 64 bits, {executable}")
