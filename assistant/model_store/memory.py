"""Whether a model and its context fit the memory, said before anything is allocated.

mmap and overcommit end in SIGKILL, not in an error: a failing malloc is never waited for.
"""

from collections.abc import Iterator

from assistant.errors import NotEnoughMemory, UsageError
from assistant.model_store.gguf_file import GgufFile

KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}  # per element; see ggml-common.h
WINDOW_STEP = 256  # llama.cpp rounds windows up to it
BATCH_ROWS = 512  # of one native call
PROCESS_BYTES = 150 << 20  # Python, the libraries and llama.cpp's own tables
SMALLER = {"Q8_0": 8.5, "Q4_K_M": 4.85, "Q2_K": 3.35}  # bits per weight, mixed types included
STARTER_BYTES = 570_000_000  # needed_bytes of the starter with its full window


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
