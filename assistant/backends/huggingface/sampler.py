"""Draws tokens from logits, in the order of llama.cpp's chain.

Penalties, top-k, top-p, min-p, temperature. The random numbers come from the sampler's own
generator, one for each token, so a seed means the same on every device.
"""

from collections import deque

import numpy
import torch

from assistant.backends.base import SamplingOptions
from assistant.errors import UsageError

PENALTY_WINDOW = 64  # tokens that repeat_penalty looks back over


class TokenSampler:
    """One answer's sampler; it remembers the tokens it drew."""

    def __init__(self, options: SamplingOptions, seed: int, grammar: str = "") -> None:
        if grammar:
            raise UsageError(
                "a model on PyTorch cannot be bound to a grammar",
                "take the model as GGUF without hf:, or leave the grammar out",
            )
        self._options = options
        self._random = numpy.random.default_rng(seed)
        self._drawn: deque[int] = deque(maxlen=PENALTY_WINDOW)

    def close(self) -> None:
        """Nothing native is held."""

    def draw(self, logits: torch.Tensor) -> int:
        """A token id from float32 logits of shape (vocabulary,)."""
        if self._options.repeat_penalty != 1.0 and self._drawn:
            logits = self._penalised(logits)
        token = int(logits.argmax()) if self._options.temperature == 0 else self._pick(logits)
        self._drawn.append(token)
        return token

    def _penalised(self, logits: torch.Tensor) -> torch.Tensor:
        """Positive logits divided by the penalty, negative ones multiplied (arXiv 1909.05858)."""
        ids = torch.tensor(sorted(set(self._drawn)), device=logits.device)
        penalty = self._options.repeat_penalty
        old = logits[ids]
        logits = logits.clone()
        logits[ids] = torch.where(old > 0, old / penalty, old * penalty)
        return logits

    def _pick(self, logits: torch.Tensor) -> int:
        options, random = self._options, self._random.random()
        k = min(options.top_k, len(logits)) or len(logits)
        best = torch.topk(logits, k)  # sorted, the best first
        values = best.values.double().cpu().numpy()  # (k,)
        ids = best.indices
        kept = _count_kept(values, options.top_p, options.min_p)
        weights = numpy.exp((values[:kept] - values[0]) / options.temperature)
        cumulative = weights.cumsum()
        place = int(numpy.searchsorted(cumulative, random * cumulative[-1], side="right"))
        return int(ids[min(place, kept - 1)])


def _count_kept(values: "numpy.typing.NDArray[numpy.float64]", top_p: float, min_p: float) -> int:
    """How many of the logits, sorted downwards, top-p and then min-p leave; at least one."""
    weights = numpy.exp(values - values[0])
    kept = len(values)
    if top_p < 1:
        share = weights.cumsum() / weights.sum()
        kept = min(kept, int(numpy.searchsorted(share, top_p)) + 1)
    if min_p > 0:
        kept = min(kept, int((weights >= min_p).sum()))
    return max(1, kept)
