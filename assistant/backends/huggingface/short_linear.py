"""Linear layers for a few rows at a time on the CPU.

For one to eight rows PyTorch's float32 product reads the weights at a fraction of the memory's
speed (measured on an AMD EPYC: 49,152 × 576 and one row in 10.3 ms; as weights × rowsᵀ in
3.6 ms). Decoding is nothing but such products.
"""

from typing import Any

import torch
from torch.nn.functional import linear

MOST_ROWS = 8  # with more the usual way is faster


class ShortLinear(torch.nn.Linear):  # type: ignore[misc]  # torch is untyped here
    """The same parameters and results, up to rounding, as the layer it is made of."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        torch.nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """From (…, in_features) to (…, out_features)."""
        flat = rows.reshape(-1, self.in_features)
        count = len(flat)
        if not 0 < count <= MOST_ROWS:
            return linear(rows, self.weight, self.bias)
        if count == 1:
            flat = flat.repeat(2, 1)  # one column alone would take the slow way again
        result = (self.weight @ flat.t()).t()[:count]
        if self.bias is not None:
            result = result + self.bias
        return result.reshape(*rows.shape[:-1], self.out_features)


def shorten(model: Any) -> Any:
    """The model with all its linear layers made so, in place."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear:
                setattr(parent, name, ShortLinear(child))
    return model
