"""The folders of llmchat: can they be written, by nobody else, and is there room?"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from assistant import paths
from assistant.doctor.check import Check, check, failed, ok, warning
from assistant.rendering.quantities import size_text

LITTLE_BYTES = 1 << 30
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def folder_checks() -> Iterator[Check]:
    """One for each kind of folder."""
    yield check_folder("config", paths.config_folder())
    yield check_folder("data", paths.data_folder())
    yield check_folder("cache", paths.cache_folder())
    yield check_folder("state", paths.state_folder())
    # Sockets take no room, and their file system is often a small one in memory.
    yield check_folder("runtime", paths.runtime_folder(), least_bytes=0)


def check_folder(kind: str, folder: Path, *, least_bytes: int = LITTLE_BYTES) -> Check:
    """`least_bytes` should be free on its disk; 0: any number will do."""
    return check(f"{kind} folder")(_look_at)(folder, least_bytes)


def _look_at(folder: Path, least_bytes: int) -> Check:
    """Creates nothing, unless the folder cannot be used and another must be named."""
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    try:
        with tempfile.TemporaryFile(dir=there):  # nothing else asks quotas and odd file systems
            pass
    except OSError as err:
        return _replaced(folder, err.strerror or str(err))
    if there == folder:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & OTHERS:
            return warning(
                f"{folder} is open to others (mode {mode:04o})", f"chmod 700 {quote(str(folder))}"
            )
    free = shutil.disk_usage(there).free
    if free < least_bytes:
        return warning(
            f"{folder}: only {size_text(free)} are free on its disk", "llmchat doctor --disk"
        )
    state = "" if there == folder else " (made when it is needed)"
    return ok(f"{folder}{state}" + (f", {size_text(free)} free" if least_bytes else ""))


def _replaced(folder: Path, reason: str) -> Check:
    used = paths.writable(folder)  # raises what there is to say when nothing is left
    if used == folder:
        return failed(f"{folder} cannot be written ({reason})", "llmchat doctor --disk")
    return warning(
        f"{folder} cannot be written ({reason}): {used} is used instead, and may be gone after "
        "a restart",
        "set LLMCHAT_HOME to a folder that you may write",
    )
