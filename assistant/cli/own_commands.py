"""The commands that are no prompts. Each is imported when it is used: help and questions are not
to wait for them.
"""

from importlib import import_module
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """Functions of `assistant.cli.MODULE`; a group is called like its first function's name."""

    module: str
    summary: str
    functions: tuple[str, ...]
    is_for_answers: bool = False  # it takes what a question takes

    @property
    def is_group(self) -> bool:
        return len(self.functions) > 1


OWN_COMMANDS = {
    "chat": Entry(
        "chat_command",
        "Open the chat; a question is asked at once, standard input comes along.",
        ("chat",),
        is_for_answers=True,
    ),
    "prompts": Entry(
        "prompts_command", "See, write and edit prompt files.", ("list_", "show", "edit", "new")
    ),
    "config": Entry(
        "config_command", "See and change settings.", ("show", "path", "set_", "unset")
    ),
    "context": Entry(
        "context_command",
        "Say what a question would send, in exact tokens, and how long reading it takes.",
        ("context",),
        is_for_answers=True,
    ),
    "engine": Entry(
        "engine_command",
        "See and stop the engines that stay in the background.",
        ("status", "start", "stop", "logs", "cache"),
    ),
    "history": Entry(
        "history_command",
        "See, search, export and delete past conversations.",
        (
            *("list_", "show", "search", "rename", "fork", "export", "import_", "delete"),
            *("stats", "compact", "replay"),
        ),
    ),
    "trust": Entry(
        "trust_command",
        "Use what a project brings: settings, prompts and AGENTS.md.",
        ("trust",),
    ),
    "undo": Entry("undo_command", "Take back the last file that llmchat wrote.", ("undo",)),
    "doctor": Entry(
        "doctor_command", "Check that everything works here, or say what to do.", ("doctor",)
    ),
    "completion": Entry(
        "completion_command",
        "Make Tab complete llmchat's words in bash, zsh, fish or PowerShell.",
        ("completion",),
    ),
}


def own_command(name: str) -> Any:
    """Typer's command, or None. The first function of a group is what its own name does."""
    entry = OWN_COMMANDS.get(name)
    if entry is None:
        return None
    from assistant.cli.parsing import make_command, make_group  # Typer

    module = import_module(f"assistant.cli.{entry.module}")
    functions = {name.rstrip("_"): getattr(module, name) for name in entry.functions}
    if entry.is_group:
        return make_group(name, entry.summary, functions)
    return make_command(name, functions[name], is_for_answers=entry.is_for_answers)
