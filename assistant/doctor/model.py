"""The model that the settings choose: whether it is whole, and whether it fits the memory."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assistant.backends.base import ModelSpec, Runtime
from assistant.doctor.check import Check, check, ok, warning
from assistant.engine.remote_spec import RemoteSpec
from assistant.errors import AssistantError, NotEnoughMemory
from assistant.model_store.gguf_file import GgufFile, read_gguf
from assistant.model_store.machine import ROOT, available_bytes
from assistant.model_store.memory import (
    HALF_BYTES,
    INT8_REST_BYTES,
    MAIN_MEMORY,
    check_fits,
    check_folder_fits,
    folder_needed_bytes,
    int8_weight_bytes,
    needed_bytes,
)
from assistant.model_store.safetensors_folder import ModelFolder, read_folder
from assistant.rendering.quantities import size_text

SMALLEST_WINDOW = 512  # tokens that must fit; the context grows as long as the memory lasts
FULL_BYTES = 4  # per number in f32


@dataclass(frozen=True, slots=True)
class Model:
    """What was asked for (as typed), what that chose, and what its header says."""

    asked: str
    spec: ModelSpec
    file: GgufFile | ModelFolder

    @property
    def window(self) -> int:
        """Tokens; 0 when neither the model nor the settings say."""
        given, own = self.spec.window, self.file.window
        return min(given, own) if given and own else given or own


def read_model(
    asked: str, choose: Callable[[], ModelSpec | RemoteSpec]
) -> Model | RemoteSpec | AssistantError:
    """Reads headers only, and asks no server."""
    try:
        spec = choose()
        if isinstance(spec, RemoteSpec):
            return spec
        file = read_folder(spec.path) if spec.path.is_dir() else read_gguf(spec.path)
    except AssistantError as err:
        return err
    return Model(asked, spec, file)


@check("model")
def check_model(model: Model | RemoteSpec | AssistantError) -> Check:
    if isinstance(model, RemoteSpec):
        return _check_server(model)
    if isinstance(model, AssistantError):
        raise model
    file = model.file
    name = file.name if isinstance(file, ModelFolder) else file.short_name
    facts = [
        f"{name} ({model.asked or 'the default'})",
        f"architecture {file.architecture}",
        f"{file.parameters / 1e6:,.0f} M parameters",
        f"{file.quantisation}, {size_text(file.size_bytes)}",
        _window(model),
        *(["on PyTorch"] if model.spec.runtime is Runtime.TORCH else []),
    ]
    if not file.window:
        return warning(
            ", ".join(facts),
            "LLMCHAT_WINDOW=4096, or what the model was made for",
        )
    return ok(", ".join(facts))


def _window(model: Model) -> str:
    if not model.file.window:
        return "it does not say how large its window is"
    if model.window == model.file.window:
        return f"window {model.window:,} tokens"
    return f"window {model.window:,} of {model.file.window:,} tokens"


# ── memory ──────────────────────────────────────────────────────────────────────────────────


def _check_server(spec: RemoteSpec) -> Check:
    """Asks it which models it has."""
    from assistant.engine.remote import RemoteEngine  # few ask a server

    engine = RemoteEngine(spec)
    try:
        for _ in engine.load():
            pass
        return ok(f"{engine.info.name} of {spec.host}, window {engine.info.window:,} tokens")
    finally:
        engine.close()


@check("memory")
def check_memory(model: Model, root: Path = ROOT) -> Check:
    """Failed when not even a short conversation fits, a warning when not the whole window does."""
    available = available_bytes(root)
    try:
        _must_fit(model, min(model.window or SMALLEST_WINDOW, SMALLEST_WINDOW), available)
    except NotEnoughMemory as err:
        if not _may_be_on_a_gpu(model):
            raise NotEnoughMemory(err.message, f"{err.hint}{_swap_hint(root)}") from err
        return warning(f"{err.message}, unless it runs on a GPU", err.hint)
    try:
        _must_fit(model, model.window, available)
    except NotEnoughMemory as err:
        return warning(f"long conversations: {err.message}", f"{err.hint}{_swap_hint(root)}")
    return ok(
        f"{size_text(available)} free, {size_text(_needed(model))} needed "
        f"with all {model.window:,} tokens of the window"
    )


def _must_fit(model: Model, tokens: int, available: int) -> None:
    file = model.file
    if isinstance(file, GgufFile):
        check_fits(file, tokens, model.spec.kv_type, available)
        return
    weight_bytes, kv_bytes = _number_bytes(file, model.spec)
    check_folder_fits(
        file,
        tokens=tokens,
        weight_bytes=weight_bytes,
        kv_bytes=kv_bytes,
        available=available,
        place=MAIN_MEMORY,
    )


def _needed(model: Model) -> int:
    if isinstance(model.file, GgufFile):
        return needed_bytes(model.file, model.window, model.spec.kv_type)
    return folder_needed_bytes(model.file, model.window, *_number_bytes(model.file, model.spec))


def _number_bytes(folder: ModelFolder, spec: ModelSpec) -> tuple[float, float]:
    """Of a weight, and of a number in the KV cache."""
    if spec.int8:
        return int8_weight_bytes(folder), INT8_REST_BYTES
    size = HALF_BYTES if spec.dtype in ("bf16", "f16") else FULL_BYTES
    return size, size


def _may_be_on_a_gpu(model: Model) -> bool:
    return model.spec.runtime is Runtime.TORCH and model.spec.device != "cpu"


def _swap_hint(root: Path) -> str:
    """Swap is counted nowhere: every token reads all weights, so a model in swap stands still."""
    if _swap_bytes(root):
        return "; swap does not help, because every token reads all of the model"
    return ""


def _swap_bytes(root: Path) -> int:
    try:
        lines = (root / "proc/meminfo").read_text("utf-8", "replace").split("\n")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("SwapTotal:")), 0) * 1024
