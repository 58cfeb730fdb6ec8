"""Picks the backend that runs a model."""

import os

from assistant.backends.base import Backend, ModelSpec, OnProgress, Runtime
from assistant.errors import ModelError
from assistant.events import ModelLoading


def open_backend(spec: ModelSpec, on_progress: OnProgress) -> Backend:
    """Load the model. Raises `ModelError` and `NotEnoughMemory`."""
    if spec.runtime is Runtime.TORCH:
        return _open_torch(spec, on_progress)
    from assistant.backends.llamacpp import LlamaCppBackend  # loads native libraries

    return LlamaCppBackend(spec, on_progress)


def _open_torch(spec: ModelSpec, on_progress: OnProgress) -> Backend:
    if not on_progress(ModelLoading("starting PyTorch")):
        raise ModelError("loading was given up")
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when it is imported; nothing is ever downloaded
    try:
        from assistant.backends.huggingface.opening import open_model  # takes seconds
    except (ImportError, OSError) as err:  # OSError: one of its libraries does not load
        raise ModelError(
            f"hf: models run on PyTorch, which cannot be imported: {err}",
            "install it: pip install 'llmchat[torch]'",
        ) from err
    return open_model(spec, on_progress)
