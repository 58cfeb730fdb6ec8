"""What .gitignore files say about a folder: its own, and those of the folders around it."""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.attachments.files import OPEN_FLAGS

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

NAME = ".gitignore"
MAX_RULES_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Level:
    prefix: str  # of every path inside the folder
    rules: "GitIgnoreSpec"


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules that hold in one folder, those of the innermost folder last. Paths are real."""

    levels: tuple[_Level, ...] = ()

    def inside(self, folder: str) -> "IgnoreRules":
        """With the rules of `folder`, which lies in the folder of these, if it has any."""
        rules = _read_rules(os.path.join(folder, NAME))  # noqa: PTH118 # a Path for each is slow
        return (
            self
            if rules is None
            else IgnoreRules((*self.levels, _Level(folder.rstrip("/") + "/", rules)))
        )

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """The innermost rules that say anything decide, as git does it."""
        for level in reversed(self.levels):
            if path.startswith(level.prefix):
                inner = path[len(level.prefix) :] + "/" * is_folder
                decision = level.rules.check_file(inner).include
                if decision is not None:
                    return decision
        return False


def rules_around(folder: Path) -> IgnoreRules:
    """From the root of the repository down to the folder that holds `folder`, a real path.

    A folder that these rules ignore was named on purpose: then they do not count.
    """
    inner_first = [folder, *folder.parents]
    root = next((at for at, one in enumerate(inner_first) if _is_repository(one)), 0)
    rules = IgnoreRules()
    for around in reversed(inner_first[1 : root + 1]):
        rules = rules.inside(str(around))
    is_ignored = any(rules.ignores(str(one), is_folder=True) for one in inner_first[:root])
    return IgnoreRules() if is_ignored else rules


def _is_repository(folder: Path) -> bool:
    return os.path.exists(folder / ".git")  # noqa: PTH110 # a Path raises where it may not look


def _read_rules(path: str) -> "GitIgnoreSpec | None":
    """None when there is no such file, or when it cannot be read."""
    try:
        with os.fdopen(os.open(path, OPEN_FLAGS | os.O_NOFOLLOW), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            lines = os.fsdecode(file.read(MAX_RULES_BYTES)).split("\n")
    except OSError:
        return None
    from pathspec import GitIgnoreSpec  # takes 20 ms, and many folders have no rules

    lines = [line.removesuffix("\r") for line in lines]
    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error):  # git passes over the lines that are no patterns
        return GitIgnoreSpec.from_lines(filter(_is_pattern, lines))


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec  # loaded by then

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True
