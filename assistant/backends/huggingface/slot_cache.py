"""The KV cache of a decoder: for every layer, one tensor of keys and one of values for all slots.

It stands where transformers expects its own cache. What a call writes and reads is the call's
plan (see attention.py); nothing is committed here, so a call that was given up leaves no trace:
positions that a slot does not hold are never read.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from transformers import Cache

from assistant.backends.huggingface.attention import Plan

SMALLEST_CAPACITY = 512  # positions of a slot


class GivenUp(Exception):
    """Raised inside a forward pass to leave it."""


class SlotCache(Cache):  # type: ignore[misc]  # transformers is untyped
    """`on_layer` is called before each layer's attention; it may raise `GivenUp`."""

    def __init__(self, slots: int, on_layer: Callable[[], None]) -> None:
        super().__init__(layers=[])
        self.slots = slots
        self.capacity = 0  # positions of each slot
        self.keys: list[torch.Tensor] = []  # by layer: (slots, heads, capacity, key length)
        self.values: list[torch.Tensor] = []  # by layer: (slots, heads, capacity, value length)
        self.plan: Plan
        self.on_layer = on_layer
        self._layer = 0  # the one whose attention comes next

    # ── what transformers calls ─────────────────────────────────────────────────────────────

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values, (batch, heads, tokens, length); `attend` comes next."""
        self.on_layer()
        if layer_idx == len(self.keys):  # the very first call tells the shapes
            self.keys.append(self._empty_like(key, self.capacity))
            self.values.append(self._empty_like(value, self.capacity))
        self.plan.write(self.keys[layer_idx], key)
        self.plan.write(self.values[layer_idx], value)
        self._layer = layer_idx
        return key, value

    def get_seq_length(self, *_: int) -> int:
        """Positions are always given, so nobody needs it."""
        return 0

    # ── what attention.py calls ─────────────────────────────────────────────────────────────

    def attend(self, query: torch.Tensor, **how: Any) -> torch.Tensor:
        """Attention of the layer that was updated last; (batch, tokens, heads, length)."""
        return self.plan.attend(query, self.keys[self._layer], self.values[self._layer], **how)

    # ── what the backend calls ──────────────────────────────────────────────────────────────

    @property
    def bytes_per_position(self) -> int:
        """Bytes that a token takes, over all layers; 0 before the first call."""
        return sum(t.shape[1] * t.shape[3] * t.element_size() for t in self._tensors())

    def grow(self, capacity: int, lengths: Sequence[int]) -> None:
        """Room for `capacity` positions in every slot, which hold `lengths` of them.

        Layer by layer, so that little is there twice. Raises what torch raises without memory;
        then layers differ in capacity, the smallest of which is still the cache's.
        """
        for tensors in (self.keys, self.values):
            for layer, old in enumerate(tensors):
                if old.shape[2] < capacity:
                    new = self._empty_like(old, capacity)
                    for slot, held in enumerate(lengths):
                        new[slot, :, :held] = old[slot, :, :held]
                    tensors[layer] = new
        self.capacity = capacity

    def copy(self, source: int, target: int, length: int) -> None:
        for tensor in self._tensors():
            tensor[target, :, :length] = tensor[source, :, :length]

    def export(self, slot: int, length: int) -> Iterator[bytes]:
        """The raw bytes of each layer's keys, then of its values."""
        for tensor in self._tensors():
            held = tensor[slot, :, :length].contiguous().cpu()
            yield held.view(torch.uint8).numpy().tobytes()

    def load(self, slot: int, length: int, state: memoryview) -> None:
        """What `export` gave; the caller has checked its size."""
        at = 0
        for tensor in self._tensors():
            heads, size = tensor.shape[1], tensor.shape[3]
            count = heads * length * size * tensor.element_size()
            raw = torch.frombuffer(bytearray(state[at : at + count]), dtype=tensor.dtype)
            tensor[slot, :, :length] = raw.view(heads, length, size).to(tensor.device)
            at += count

    def clear(self) -> None:
        self.keys.clear()
        self.values.clear()

    def _tensors(self) -> Iterator[torch.Tensor]:
        yield from self.keys
        yield from self.values

    def _empty_like(self, example: torch.Tensor, capacity: int) -> torch.Tensor:
        """Pages that are never written cost nothing on a CPU.

        A GPU's captured steps read what they then weigh with 0, which must not be NaN.
        """
        shape = (self.slots, example.shape[1], capacity, example.shape[3])
        return example.new_zeros(shape) if example.is_cuda else example.new_empty(shape)
