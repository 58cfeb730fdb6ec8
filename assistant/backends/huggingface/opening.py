"""From a path to a running model: what it is, where it runs, in which numbers, and loading it."""

from dataclasses import dataclass
from typing import Any

import torch
import transformers
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

from assistant import paths
from assistant.backends.base import Abilities, Backend, BackendInfo, ModelSpec, OnProgress
from assistant.backends.huggingface.attention import NAME
from assistant.backends.huggingface.attention_check import check_attention, unknown_attention
from assistant.backends.huggingface.decoder import Decoder
from assistant.backends.huggingface.encoder_decoder import EncoderDecoder
from assistant.backends.huggingface.failures import first_line, is_out_of_memory
from assistant.backends.huggingface.gguf_conversion import convert
from assistant.backends.huggingface.int8_linear import in_int8, is_worth_it
from assistant.backends.huggingface.short_linear import shorten
from assistant.backends.huggingface.tokenizer import load_tokenizer
from assistant.errors import ModelError, NotEnoughMemory, UsageError
from assistant.events import ModelLoading
from assistant.model_store.gguf_file import read_gguf
from assistant.model_store.machine import available_bytes, cpu_threads
from assistant.model_store.memory import (
    GPU_MEMORY,
    MAIN_MEMORY,
    check_folder_fits,
    folder_kv_bytes,
    int8_weight_bytes,
)
from assistant.model_store.safetensors_folder import ModelFolder, read_folder

SLOTS = 8
SMALLEST_WINDOW = 512  # tokens that must fit, else the model is refused
DEFAULT_WINDOW = 2048  # tokens, where the model does not say
ENCODER_WINDOW = 512  # tokens; T5 was trained with it and does not say
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
NAMES = {dtype: name.upper() for name, dtype in DTYPES.items()}
ATTENTION_LAYERS = {"full_attention", "sliding_attention"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model runs and in which numbers."""

    device: torch.device
    dtype: torch.dtype
    int8: bool

    @property
    def loaded_as(self) -> torch.dtype:
        """With 8 bits the layers come in 16 and are turned over one by one."""
        return torch.bfloat16 if self.int8 else self.dtype

    @property
    def free_bytes(self) -> int:
        if self.device.type == "cpu":
            return available_bytes()
        return int(torch.cuda.mem_get_info(self.device)[0])

    @property
    def memory(self) -> str:
        return MAIN_MEMORY if self.device.type == "cpu" else GPU_MEMORY


def open_model(spec: ModelSpec, on_progress: OnProgress) -> Backend:
    """Load a safetensors folder, or a GGUF file by way of one.

    Raises `ModelError`, `NotEnoughMemory` and `UsageError` with what to type next.
    """
    place = choose_place(spec)
    if place.device.type == "cpu" and not spec.device and torch.cuda.is_available():
        on_progress(ModelLoading("the GPU does not answer: loading on the CPU"))
    torch.set_num_threads(spec.threads or cpu_threads())
    path = spec.path
    if path.is_file():
        path = convert(read_gguf(path), paths.cache_folder(), on_progress)
    folder = read_folder(path)
    _refuse_unknown(folder)
    window = _window(folder, spec.window)
    _check_fits(folder, place, min(window, SMALLEST_WINDOW))
    if not on_progress(ModelLoading("loading the model", 0.0)):
        raise ModelError("loading was given up")
    model = _load(folder, place)
    if not on_progress(ModelLoading("loading the model", 0.9)):
        raise ModelError("loading was given up")
    window = min(window, _window_without_stretching(model) or window)
    tokenizer = load_tokenizer(folder.path, framed=folder.is_encoder_decoder)
    info = _describe(folder, place, window)
    if folder.is_encoder_decoder:
        return EncoderDecoder(model, tokenizer, info)
    slots = _slots(folder, place, window)
    return Decoder(model, tokenizer, info, slots=slots, chat_template=folder.chat_template)


def choose_place(spec: ModelSpec) -> Place:
    """A GPU when there is one that works, else the CPU; the numbers that it computes fastest."""
    device = torch.device(spec.device or ("cuda" if _has_gpu() else "cpu"))
    if device.type == "cuda" and not _has_gpu():
        raise UsageError(
            "LLMCHAT_DEVICE=cuda: PyTorch finds no GPU that works",
            "unset LLMCHAT_DEVICE; docs/gpu.md says what a GPU needs",
        )
    if spec.int8 and device.type != "cpu":
        raise UsageError("--int8 is for the CPU only", "leave it out, or set LLMCHAT_DEVICE=cpu")
    if spec.int8 and spec.dtype not in ("", "f32"):
        raise UsageError(
            f"--int8 computes the rest in f32, not in {spec.dtype}", "unset LLMCHAT_DTYPE"
        )
    if spec.int8:
        return Place(device, torch.float32, int8=True)
    return Place(device, DTYPES[spec.dtype or _fastest_dtype(device)], int8=False)


def _has_gpu() -> bool:
    """Also false when it was lost: PyTorch still lists it then, but nothing runs on it."""
    if not torch.cuda.is_available():
        return False
    try:
        torch.zeros(1, device="cuda").item()
    except RuntimeError:
        return False
    return True


def _fastest_dtype(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "f16"
    has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if has_bf16 else "f32"


def _refuse_unknown(folder: ModelFolder) -> None:
    known = (
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
        if folder.is_encoder_decoder
        else MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    )
    if folder.architecture in known:
        return
    if folder.asks_for_code:
        raise ModelError(
            f"{folder.name} asks to run code of its own, which llmchat never does",
            "take the model as GGUF without hf:, or one that transformers knows",
        )
    raise ModelError(
        f"transformers {transformers.__version__} does not know the architecture "
        f"{folder.architecture!r} as a model that writes",
        "update it: pip install -U transformers; or take the model as GGUF without hf:",
    )


def _window(folder: ModelFolder, wanted: int) -> int:
    own = folder.window or (ENCODER_WINDOW if folder.is_encoder_decoder else DEFAULT_WINDOW)
    return min(wanted or own, own)


def _window_without_stretching(model: Any) -> int:
    """Positions with the angles of short texts, for models that use others for long ones; or 0.

    transformers takes the angles from the longest text of a call, so that texts beside it, and
    what was cached before, would be read with the wrong ones.
    """
    config = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    kind = rope.get("rope_type", "")
    if kind == "longrope":
        own = getattr(config, "original_max_position_embeddings", 0)
        return int(rope.get("original_max_position_embeddings") or own or 0)
    return int(config.max_position_embeddings) if "dynamic" in kind else 0


def _check_fits(folder: ModelFolder, place: Place, tokens: int) -> None:
    weight_bytes = float(place.loaded_as.itemsize)
    if place.int8:
        weight_bytes = max(weight_bytes, int8_weight_bytes(folder))
    check_folder_fits(
        folder,
        tokens=tokens,
        weight_bytes=weight_bytes,
        kv_bytes=place.dtype.itemsize,
        available=place.free_bytes,
        place=place.memory,
    )


def _slots(folder: ModelFolder, place: Place, window: int) -> int:
    """On a GPU every slot must be able to grow to the whole window.

    Raises `NotEnoughMemory` when not one can: the window has to be smaller then.
    """
    if place.device.type == "cpu":
        return SLOTS
    whole_slot = folder_kv_bytes(folder, window, place.dtype.itemsize)
    room = place.free_bytes * 8 // 10  # the rest is for what a call needs
    slots = min(SLOTS, room // max(1, whole_slot))
    if slots < 1:
        raise NotEnoughMemory(
            f"a window of {window:,} tokens does not fit {place.memory} beside the weights",
            f"LLMCHAT_WINDOW={window * room // whole_slot // 256 * 256}",
        )
    return slots


def _load(folder: ModelFolder, place: Place) -> Any:
    """The model in eval mode on its device."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    auto = transformers.AutoModelForCausalLM
    options: dict[str, Any] = {"attn_implementation": NAME}
    if folder.is_encoder_decoder:
        auto, options = transformers.AutoModelForSeq2SeqLM, {"attn_implementation": "eager"}
    if place.device.type == "cuda":
        options["device_map"] = {"": place.device}
    try:
        model, report = auto.from_pretrained(
            folder.path,
            dtype=place.loaded_as,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except Exception as err:  # whatever a file can make transformers say
        if is_out_of_memory(err):
            raise NotEnoughMemory(
                f"{folder.name} does not fit {place.memory}",
                "close other programs, or take a smaller model: -m starter",
            ) from err
        raise ModelError(
            f"transformers cannot load {folder.name}: {first_line(err)}",
            "download it again, or take the model as GGUF without hf:",
        ) from err
    _refuse_holes(folder, report, model)
    model.eval().requires_grad_(False)
    if not folder.is_encoder_decoder:
        check_attention(model)
    if place.int8:
        if not is_worth_it(model):
            raise ModelError(
                f"--int8 is of no use for {folder.name}: few of its weights are in linear layers",
                "leave --int8 out",
            )
        return in_int8(model)
    if place.device.type == "cpu" and place.dtype is torch.float32:
        return shorten(model)
    return model


def _refuse_holes(folder: ModelFolder, report: Any, model: Any) -> None:
    """transformers fills weights that are missing with random numbers."""
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"{folder.name} lacks weights: {', '.join(missing[:3])}"
            + (f" and {len(missing) - 3} more" if len(missing) > 3 else ""),
            "download it again, whole",
        )
    if folder.is_encoder_decoder:
        return
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    if not (model._supports_attention_backend and kinds <= ATTENTION_LAYERS):
        reason = ", ".join(sorted(kinds - ATTENTION_LAYERS)) or "their attention is their own"
        raise unknown_attention(folder.architecture, reason)


def _describe(folder: ModelFolder, place: Place, window: int) -> BackendInfo:
    from hashlib import sha256

    template = folder.chat_template
    return BackendInfo(
        name=folder.name,
        fingerprint=folder.fingerprint,
        parameters=folder.parameters,
        size_bytes=folder.size_bytes,
        window=window,
        device="GPU" if place.device.type == "cuda" else "CPU",
        quantisation="int8" if place.int8 else NAMES[place.dtype],
        template_hash=sha256(template.encode()).hexdigest()[:16] if template else "",
        abilities=Abilities(
            trims=not folder.is_encoder_decoder,
            grammar=False,
            candidates=not folder.is_encoder_decoder,
            chat=template is not None and not folder.is_encoder_decoder,
            encoder=folder.is_encoder_decoder,
        ),
        build=_describe_build(place),
    )


def _describe_build(place: Place) -> str:
    """See `BackendInfo.build`."""
    words = [f"PyTorch {torch.__version__} (transformers {transformers.__version__})"]
    if place.device.type == "cuda":
        words += [torch.cuda.get_device_name(place.device), f"cuda {torch.version.cuda}"]
    else:
        words.append(f"cpu {torch.backends.cpu.get_cpu_capability().lower()}")
    words.append("int8" if place.int8 else NAMES[place.dtype].lower())
    if place.device.type == "cpu":
        threads = torch.get_num_threads()
        words.append(f"{threads} thread" + "s" * (threads != 1))
    return " · ".join(words)
