"""How a GGUF file's model turns positions into angles, for config.json.

transformers reads the base frequency of most architectures and nothing of what stretches the
window; without it a model answers, and answers worse.
https://huggingface.co/docs/transformers/internal/rope_utils
"""

import math
from typing import Any

import numpy
import numpy.typing

from assistant.errors import ModelError
from assistant.model_store.gguf_file import GgufFile

Factors = numpy.typing.NDArray[numpy.float32]

# Llama 3's rule, whose numbers the file does not name; only the factor differs between models.
LOW_FREQUENCY, HIGH_FREQUENCY, TRAINED_WINDOW = 1.0, 4.0, 8192


def rope_parameters(
    file: GgufFile, known: dict[str, Any] | None, factors: Factors | None
) -> dict[str, Any] | None:
    """What transformers found, `known`, completed; None for a model without such angles.

    `factors` is the tensor that divides the frequencies, (head length / 2,), where there is one.
    Raises `ModelError` when the file asks for more than can be said in config.json.
    """
    found = _base(file) | _stretch(file)
    if known is None:
        if found.keys() - {"rope_theta"} or factors is not None:
            raise ModelError("it stretches its window, which cannot be carried over")
        return None
    nested = [kind for kind, value in known.items() if isinstance(value, dict)]
    if nested:  # layers with a sliding window keep their own angles
        if "full_attention" not in nested:
            raise ModelError("its layers turn positions into angles in unknown ways")
        return known | {"full_attention": known["full_attention"] | found}
    mended = known | found
    return mended if factors is None else mended | _llama3(factors, float(mended["rope_theta"]))


def _base(file: GgufFile) -> dict[str, Any]:
    base = file.metadata.get(f"{file.architecture}.rope.freq_base")
    return {"rope_theta": float(base)} if isinstance(base, int | float) else {}


def _stretch(file: GgufFile) -> dict[str, Any]:
    prefix = f"{file.architecture}.rope"
    get = file.metadata.get
    factor = get(f"{prefix}.scaling.factor", get(f"{prefix}.scale_linear", 1.0))
    kind = get(f"{prefix}.scaling.type", "linear")
    if kind == "none" or (kind == "linear" and factor == 1.0):
        return {}
    if kind == "linear" and isinstance(factor, int | float):
        return {"rope_type": "linear", "factor": float(factor)}
    window = get(f"{prefix}.scaling.original_context_length")
    is_plain = get(f"{prefix}.scaling.attn_factor", 1.0) == 1.0
    if kind == "yarn" and is_plain and isinstance(window, int) and isinstance(factor, int | float):
        trained = {"original_max_position_embeddings": window}
        return {"rope_type": "yarn", "factor": float(factor), **trained}
    raise ModelError(f"it stretches its window by {kind!r}, which cannot be carried over")


def _llama3(factors: Factors, theta: float) -> dict[str, Any]:
    """The rule that makes these factors; they are computed again to see that it is this one."""
    factor, count = float(factors.max()), len(factors)
    wavelengths = 2 * math.pi * theta ** (numpy.arange(count) / count)
    turns = TRAINED_WINDOW / wavelengths
    smooth = ((turns - LOW_FREQUENCY) / (HIGH_FREQUENCY - LOW_FREQUENCY)).clip(0, 1)
    expected = 1 / ((1 - smooth) / factor + smooth)
    if not numpy.allclose(factors, expected, rtol=1e-3):
        raise ModelError("it divides frequencies by a rule that is unknown here")
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": LOW_FREQUENCY,
        "high_freq_factor": HIGH_FREQUENCY,
        "original_max_position_embeddings": TRAINED_WINDOW,
    }
