"""The GPUs that this build of llama.cpp sees: their names, and how many layers fit them."""

import ctypes
from typing import Any

from assistant.model_store.gguf_file import GgufFile
from assistant.model_store.memory import context_bytes

GPU_KINDS = (1, 2)  # enum ggml_backend_dev_type: GPU, integrated GPU
WORKING_BYTES = 1 << 30  # compute buffers and what the driver itself takes
PLANNED_TOKENS = 4096  # of context that should stay on the GPU beside the weights


def free_gpu_bytes(ggml: Any) -> int:
    """Free memory of all GPUs, in bytes, as ggml's device registry tells it."""
    ggml.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    free, total, sum_free = ctypes.c_size_t(), ctypes.c_size_t(), 0
    for device in _gpus(ggml):
        ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        sum_free += free.value
    return sum_free


def gpu_names(ggml: Any) -> list[str]:
    """What the makers call the GPUs."""
    ggml.ggml_backend_dev_description.restype = ctypes.c_char_p
    ggml.ggml_backend_dev_description.argtypes = [ctypes.c_void_p]
    return [
        (ggml.ggml_backend_dev_description(device) or b"").decode("utf-8", "replace")
        for device in _gpus(ggml)
    ]


def _gpus(ggml: Any) -> list[int]:
    """ggml's handles of them."""
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    devices = map(ggml.ggml_backend_dev_get, range(ggml.ggml_backend_dev_count()))
    return [device for device in devices if ggml.ggml_backend_dev_type(device) in GPU_KINDS]


def layers_that_fit(file: GgufFile, kv_type: str, free_bytes: int) -> int:
    """All layers and the output (`block_count` + 1) when they fit, else as many as do."""
    layers = file.block_count + 1
    planned = context_bytes(file, min(PLANNED_TOKENS, file.window), kv_type)
    per_layer = (file.size_bytes + planned) / layers
    return max(0, min(layers, int((free_bytes - WORKING_BYTES) / per_layer)))
