"""Whether a model and its context fit the memory, said before anything is allocated.

mmap and overcommit end in SIGKILL, not in an error: a failing malloc is never waited for.
"""

from collections.abc import Iterator

from assistant.errors import NotEnoughMemory, UsageError
from assistant.model_store.gguf_file import GgufFile
from assistant.model_store.safetensors_folder import ModelFolder

KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}  # per element; see ggml-common.h
WINDOW_STEP = 256  # llama.cpp rounds windows up to it
BATCH_ROWS = 512  # of one native call
PROCESS_BYTES = 150 << 20  # Python, the libraries and llama.cpp's own tables
SMALLER = {"Q8_0": 8.5, "Q4_K_M": 4.85, "Q2_K": 3.35}  # bits per weight, mixed types included
STARTER_BYTES = 570_000_000  # needed_bytes of the starter with its full window

MAIN_MEMORY = "main memory"
GPU_MEMORY = "the GPU's memory"
TORCH_BYTES = 200 << 20  # what PyTorch allocates beside tensors: buffers of threads and kernels
INT8_REST_BYTES = 4  # per number of what --int8 leaves alone: embeddings, keys and values
HALF_BYTES = 2  # per number in bf16 and f16


def context_bytes(gguf: GgufFile, tokens: int, kv_type: str) -> int:
    """KV cache of `tokens` positions: Σ over layers of KV heads × (key + value) × bytes.

    The window is rounded up to 256. Layers with a sliding window count in full, because
    llama.cpp keeps all their positions unless told otherwise (`swa_full`).
    """
    if kv_type not in KV_BYTES:
        raise UsageError(f"unknown KV type {kv_type!r}", f"choose one of {', '.join(KV_BYTES)}")
    per_head = (gguf.key_length + gguf.value_length) * KV_BYTES[kv_type]
    heads = sum(_heads_with_kv(gguf))
    return int(-(-tokens // WINDOW_STEP) * WINDOW_STEP * heads * per_head)


def needed_bytes(gguf: GgufFile, tokens: int, kv_type: str) -> int:
    """Weights, KV cache, the buffers of one native call, and the process itself."""
    logits_and_layers = gguf.vocabulary_size + 16 * gguf.embedding_length  # float32 per row
    working = BATCH_ROWS * 4 * logits_and_layers + PROCESS_BYTES
    return gguf.size_bytes + context_bytes(gguf, tokens, kv_type) + working


def check_fits(gguf: GgufFile, tokens: int, kv_type: str, available: int) -> None:
    """Raises `NotEnoughMemory` with the choices that would fit; 0 tokens: the model's window."""
    tokens = tokens or gguf.window
    needed = needed_bytes(gguf, tokens, kv_type)
    if needed <= available:
        return
    choices = [*_choices(gguf, tokens, kv_type, available)]
    raise NotEnoughMemory(
        f"{gguf.path.name} with a window of {tokens:,} tokens needs {_size(needed)}, "
        f"and {_size(available)} are free",
        "; or ".join(choices) or "close other programs, or use a machine with more memory",
    )


def largest_window(gguf: GgufFile, kv_type: str, available: int) -> int:
    """The most tokens that fit, a multiple of 256, at most the model's window; 0 if none do."""
    per_step = context_bytes(gguf, WINDOW_STEP, kv_type)
    room = available - needed_bytes(gguf, 0, kv_type)
    if room < per_step:
        return 0
    steps = room // per_step if per_step else gguf.window // WINDOW_STEP
    return min(steps * WINDOW_STEP, gguf.window or steps * WINDOW_STEP)


def _choices(gguf: GgufFile, tokens: int, kv_type: str, available: int) -> Iterator[str]:
    window = largest_window(gguf, kv_type, available)
    if 0 < window < tokens:
        yield f"LLMCHAT_WINDOW={window} (the largest that fits)"
    smaller_kv = needed_bytes(gguf, tokens, "q8_0")
    if kv_type == "f16" and smaller_kv <= available:
        yield f"LLMCHAT_KV_TYPE=q8_0 (needs {_size(smaller_kv)})"
    beside_weights = needed_bytes(gguf, tokens, kv_type) - gguf.size_bytes
    for name, bits_per_weight in SMALLER.items():
        weights = int(gguf.parameters * bits_per_weight / 8)
        is_worth_it = 0 < weights < 0.85 * gguf.size_bytes
        if is_worth_it and weights + beside_weights <= available:
            yield f"a {name} file of this model (about {_size(weights)})"
            break
    if min(available, gguf.size_bytes) > STARTER_BYTES:
        yield "the starter model: -m starter"


def _heads_with_kv(gguf: GgufFile) -> tuple[int, ...]:
    """KV heads of each layer; hybrid models attend only in every n-th one."""
    every = gguf.metadata.get(f"{gguf.architecture}.full_attention_interval")
    if isinstance(every, int) and every > 0:
        return gguf.head_count_kv[every - 1 :: every]
    return gguf.head_count_kv


def _size(size_bytes: int) -> str:
    if size_bytes < 1_000_000_000:
        return f"{size_bytes / 1e6:.0f} MB"
    return f"{size_bytes / 1e9:.1f} GB"


# ── on PyTorch ──────────────────────────────────────────────────────────────────────────────


def folder_kv_bytes(folder: ModelFolder, tokens: int, kv_bytes: float) -> int:
    """Keys and values of `tokens` positions, `kv_bytes` each number.

    An encoder's positions cost as much as the answer's: each layer keeps them for its
    cross-attention.
    """
    return int(
        tokens * 2 * folder.block_count * folder.head_count_kv * folder.head_length * kv_bytes
    )


def folder_needed_bytes(
    folder: ModelFolder, tokens: int, weight_bytes: float, kv_bytes: float
) -> int:
    """Weights of `weight_bytes` each, keys and values, and the buffers of one pass."""
    logits_and_layers = folder.vocabulary_size + 16 * folder.embedding_length  # float32 per row
    working = BATCH_ROWS * 4 * logits_and_layers + TORCH_BYTES
    weights = int(folder.parameters * weight_bytes)
    return weights + folder_kv_bytes(folder, tokens, kv_bytes) + working


def check_folder_fits(
    folder: ModelFolder,
    *,
    tokens: int,
    weight_bytes: float,
    kv_bytes: float,
    available: int,
    place: str,
) -> None:
    """Raises `NotEnoughMemory` with what else could be done; 0 tokens: the model's window.

    `place` is MAIN_MEMORY or GPU_MEMORY, of which `available` bytes are free.
    """
    tokens = tokens or folder.window
    needed = folder_needed_bytes(folder, tokens, weight_bytes, kv_bytes)
    if needed <= available:
        return
    choices = [
        *_smaller_windows(folder, tokens, weight_bytes, kv_bytes, available),
        *_other_numbers(folder, tokens, weight_bytes, available, place),
        *_other_models(folder, tokens, available),
    ]
    raise NotEnoughMemory(
        f"{folder.name} with a window of {tokens:,} tokens needs {_size(needed)}, "
        f"and {_size(available)} are free in {place}",
        "; or ".join(choices) or "close other programs, or use a machine with more memory",
    )


def _smaller_windows(
    folder: ModelFolder, tokens: int, weight_bytes: float, kv_bytes: float, available: int
) -> Iterator[str]:
    room = available - folder_needed_bytes(folder, 0, weight_bytes, kv_bytes)
    per_step = folder_kv_bytes(folder, WINDOW_STEP, kv_bytes)
    window = room // per_step * WINDOW_STEP if per_step else 0
    if 0 < window < tokens:
        yield f"LLMCHAT_WINDOW={window} (the largest that fits)"


def _other_numbers(
    folder: ModelFolder, tokens: int, weight_bytes: float, available: int, place: str
) -> Iterator[str]:
    if place == GPU_MEMORY:
        yield "LLMCHAT_DEVICE=cpu (in main memory)"
    else:
        int8 = folder_needed_bytes(folder, tokens, int8_weight_bytes(folder), INT8_REST_BYTES)
        if int8 <= available:
            yield f"--int8 (needs {_size(int8)})"
    half = folder_needed_bytes(folder, tokens, HALF_BYTES, HALF_BYTES)
    if weight_bytes > HALF_BYTES and half <= available:
        yield f"LLMCHAT_DTYPE=bf16 (needs {_size(half)})"


def int8_weight_bytes(folder: ModelFolder) -> float:
    """Per parameter with --int8: a table of embeddings is no linear layer."""
    embeddings = min(folder.vocabulary_size * folder.embedding_length, folder.parameters)
    others = folder.parameters - embeddings
    return (others + INT8_REST_BYTES * embeddings) / max(1, folder.parameters)


def _other_models(folder: ModelFolder, tokens: int, available: int) -> Iterator[str]:
    """llama.cpp runs no encoders here, so only decoders are offered as GGUF."""
    beside_weights = folder_needed_bytes(folder, tokens, 0, KV_BYTES["f16"])
    for name, bits_per_weight in SMALLER.items():
        weights = int(folder.parameters * bits_per_weight / 8)
        if not folder.is_encoder_decoder and 0 < weights <= available - beside_weights:
            yield f"a {name} GGUF file of this model, without hf: (about {_size(weights)})"
            break
    if min(available, folder.size_bytes) > STARTER_BYTES:
        yield "the starter model: -m starter"
