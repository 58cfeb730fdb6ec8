"""Models that can be named without looking for them: on this machine, where models usually are."""

import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from assistant import paths
from assistant.errors import ModelError
from assistant.model_store.local_models import (
    STARTER,
    STARTER_DESCRIPTION,
    TORCH_PREFIX,
    find_model,
    models_in,
)
from assistant.rendering.quantities import size_text


class KnownModel(Struct, frozen=True):
    """`name` is what one types to get it."""

    name: str
    about: str


def known_models(current: str = "") -> list[KnownModel]:
    """The starter, those of llmchat's own folder, and the neighbours of the `current` one."""
    found = [*_starters(), *_in_folder(paths.data_folder() / "models")]
    if current not in ("", STARTER):
        found += _neighbours(current)
    return list({one.name: one for one in found}.values())


def _starters() -> Iterator[KnownModel]:
    with suppress(ModelError):
        find_model(STARTER)
        yield KnownModel(STARTER, STARTER_DESCRIPTION)
        if importlib.util.find_spec("torch") is not None:
            yield KnownModel(TORCH_PREFIX + STARTER, "the same one on PyTorch")


def _neighbours(current: str) -> Iterator[KnownModel]:
    try:
        path = Path(current).expanduser()
        folder = path if path.is_dir() else path.parent
        is_file = current.lower().endswith(".gguf")
    except (OSError, RuntimeError, ValueError):
        return
    if is_file or path == folder:
        yield from _in_folder(folder)
    else:
        yield KnownModel(current, "the one that was chosen")


def _in_folder(folder: Path) -> Iterator[KnownModel]:
    try:
        for path in models_in(folder):
            yield KnownModel(str(path), size_text(path.stat().st_size))
    except OSError:
        return
