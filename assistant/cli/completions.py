"""What a shell offers after Tab. Nothing here reads a model or a prompt file as a whole."""

from collections.abc import Callable, Sequence

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
VARIABLE = "_LLMCHAT_COMPLETE"  # set by the shell's script; its value says what is wanted
MOST_OFFERED = 50  # conversations


def complete_models(incomplete: str) -> list[str]:
    """The starter, and files in llmchat's own folder of models; other paths the shell knows."""
    from assistant import paths
    from assistant.model_store.local_models import STARTER, TORCH_PREFIX

    own = sorted(map(str, (paths.data_folder() / "models").glob("*.gguf")))
    names = [STARTER, f"{TORCH_PREFIX}{STARTER}", *own]
    return [name for name in names if name.startswith(incomplete)]


def complete_prompts(incomplete: str) -> list[str]:
    from assistant.prompts.folders import prompt_names

    return [name for name in prompt_names() if name.startswith(incomplete)]


def complete_conversations(incomplete: str) -> list[str]:
    """The newest first. Their titles are not offered: a shell would read them as its own words."""
    import sqlite3
    from contextlib import closing, suppress

    from assistant import paths

    found: list[str] = []
    place = f"{(paths.data_folder() / 'history.db').as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(place, timeout=0.1, uri=True)) as db:
        # The store would import what an engine needs.
        rows = db.execute("SELECT name FROM conversations ORDER BY updated DESC, id DESC")
        found = [name for (name,) in rows if name.startswith(incomplete)]
    return found[:MOST_OFFERED]


def complete_settings(incomplete: str) -> list[str]:
    from assistant.config import SETTINGS

    return [name for name in SETTINGS if name.startswith(incomplete)]


def complete_languages(incomplete: str) -> list[str]:
    from assistant.spoken_languages import LANGUAGES

    return [code for code in LANGUAGES if code.startswith(incomplete)]


def _one_of(words: Sequence[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


complete_shells = _one_of(SHELLS)
complete_outputs = _one_of(("text", "json", "stream-json"))
complete_reasoning = _one_of(("show", "hide", "only"))
complete_colors = _one_of(("auto", "always", "never"))
