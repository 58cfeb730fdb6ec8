"""What PyTorch's exceptions mean."""

import torch


def first_line(error: BaseException) -> str:
    """The reason, in one line of at most 300 characters."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def is_out_of_memory(error: BaseException) -> bool:
    """A GPU's allocator has its own exception; the CPU's says so in words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = ("DefaultCPUAllocator", "not enough memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
