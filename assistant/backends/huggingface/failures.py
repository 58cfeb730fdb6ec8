"""What PyTorch's exceptions mean."""

from contextlib import suppress

import torch

OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "not enough memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


def first_line(error: BaseException) -> str:
    """The reason, in one line of at most 300 characters."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def is_out_of_memory(error: BaseException) -> bool:
    """A GPU's allocator has its own exception; the CPU's says so in words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in OUT_OF_MEMORY)


def empty_gpu_cache() -> None:
    """Give back what is free. A lost GPU refuses even that, and nothing is to be done."""
    with suppress(RuntimeError):
        torch.cuda.empty_cache()
