"""The keys of the chat: each action with its name, its keys and what it does.

`keys` in the settings gives an action other keys: "sidebar=f2, stop=ctrl+s".
"""

from typing import NamedTuple

from assistant.config import nearest
from assistant.errors import UsageError


class Key(NamedTuple):
    """`keys` as Textual spells them, separated by commas; `is_first`: before the text has them."""

    action: str
    keys: str
    does: str
    is_shown: bool = False
    is_first: bool = False


KEYS: dict[str, Key] = {
    "stop": Key("stop", "escape", "Stop the answer, close what is open", True),
    "interrupt": Key("interrupt", "ctrl+c", "Stop the answer, clear the text; twice: leave"),
    "sidebar": Key("sidebar", "ctrl+b", "Past conversations", True, True),
    "new": Key("new", "ctrl+n", "A new conversation", False, True),
    "regenerate": Key("regenerate", "ctrl+r", "Another answer to the last question", False, True),
    "copy": Key("copy", "ctrl+y", "Copy the last answer", False, True),
    "previous": Key("move(-1)", "alt+up", "To the message or code block above", False, True),
    "next": Key("move(1)", "alt+down", "To the one below", False, True),
    "older": Key("page(-1)", "pageup", "Scroll up", False, True),
    "newer": Key("page(1)", "pagedown", "Scroll down", False, True),
    "end": Key("end", "ctrl+end", "To the newest message", False, True),
    "help": Key("help", "f1", "All keys", True, True),
    "palette": Key("app.command_palette", "ctrl+p", "All commands", False, True),
    "suspend": Key("suspend", "ctrl+z", "Into the background; fg comes back", False, True),
    "leave": Key("leave", "ctrl+q", "Leave", True, True),
}
NAMES = {"escape": "Esc", "pageup": "Page Up", "pagedown": "Page Down"}
COMPOSER_KEYS = (
    ("Enter", "Send"),
    ("Ctrl+J, Shift+Enter", "New line"),
    ("Up, Down", "Earlier questions; in a list the entry above or below"),
    ("Tab", "Take what the list offers; open it again"),
    ("Ctrl+_", "Undo"),
    ("Ctrl+G", "Write in $EDITOR"),
    ("@", "Attach a file, FILE:10-40, FILE::symbol, @diff"),
    ("/", "A command or a prompt"),
    ("!", "Run a shell command"),
)
MESSAGE_KEYS = (
    ("Alt+Up, Alt+Down", "To the message or code block above or below; Esc goes back"),
    ("Enter", "Edit a question, copy code, show or hide what was thought"),
    ("Left, Right", "Through the links of a message; Enter opens one"),
    ("c", "Copy"),
    ("s", "Save to a file"),
    ("i", "Insert into the text you write"),
    ("r", "Write the answer again"),
    ("e", "Edit the question and ask again"),
    ("f", "Fork: go on from here in a new conversation"),
    ("a", "The other answers, one at a time"),
    ("d", "Details: prompt, seed, times"),
    ("x", "Do not ask a question that waits"),
)


def read_keys(text: str) -> dict[str, str]:
    """Actions and the keys that were chosen for them. Raises `UsageError`."""
    chosen: dict[str, str] = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        name, equals, key = (word.strip() for word in pair.partition("="))
        if name not in KEYS:
            raise UsageError(f"keys: there is nothing called {name!r}", nearest(name, KEYS))
        if not equals or not key:
            raise UsageError(f"keys: {pair!r} names no key", f"{name}={KEYS[name].keys}")
        chosen[name] = f"{chosen[name]},{key}" if name in chosen else key
    return chosen


def all_keys(chosen: dict[str, str]) -> list[tuple[str, str]]:
    """Each action's keys as people write them, and what it does."""
    return [(_spelt(chosen.get(name, key.keys)), key.does) for name, key in KEYS.items()]


def _spelt(keys: str) -> str:
    return ", ".join("+".join(map(_part, key.strip().split("+"))) for key in keys.split(","))


def _part(key: str) -> str:
    return NAMES.get(key, key.capitalize())
