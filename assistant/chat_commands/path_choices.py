"""Files and folders that the last word of a line may become."""

import os
from collections.abc import Iterator
from itertools import islice

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.command import Choice
from assistant.chat_commands.typed_words import quoted

MOST_LOOKED_AT = 5_000  # entries of a folder


def path_choices(_chat: Chat, rest: str) -> Iterator[Choice]:
    """Hidden ones where a dot was typed. A word with blanks has to be begun with a quote."""
    at = max(rest.rfind(" "), rest.rfind("\t")) + 1
    if (quote := rest.rfind('"')) >= 0 and rest.count('"') % 2:
        at = quote
    begun, typed = rest[:at], rest[at:].removeprefix('"')
    folder, _, start = typed.rpartition("/")
    parent = f"{folder}/" if "/" in typed else ""
    for name, is_folder in _entries(parent):
        if name.startswith(start) and (not name.startswith(".") or start.startswith(".")):
            path = f"{parent}{name}"
            yield Choice(begun + (f"{path}/" if is_folder else quoted(path)))


def _entries(folder: str) -> list[tuple[str, bool]]:
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as entries:  # noqa: PTH111 # without a home folder, Path raises
            found = [(one.name, one.is_dir()) for one in islice(entries, MOST_LOOKED_AT)]
    except (OSError, ValueError):
        return []
    return sorted(name for name in found if name[0].isprintable())
