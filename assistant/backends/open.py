"""Picks the backend from the file."""

from collections.abc import Callable

from assistant.backends.base import Backend, ModelSpec


def open_backend(spec: ModelSpec, on_progress: Callable[[float], bool]) -> Backend:
    """Load the model. `on_progress` gets the share done and returns False to give up.

    Raises `ModelError` and `NotEnoughMemory`.
    """
    from assistant.backends.llamacpp import LlamaCppBackend  # loads native libraries

    return LlamaCppBackend(spec, on_progress)
