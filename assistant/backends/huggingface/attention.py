"""Attention over the slots of a `SlotCache`, registered with transformers under `NAME`.

transformers calls the function of `config._attn_implementation` in every layer, just after it
has updated the cache: https://huggingface.co/docs/transformers/attention_interface
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

if TYPE_CHECKING:
    from assistant.backends.huggingface.slot_cache import SlotCache

NAME = "llmchat_slots"
CHANGES_RESULT = ("position_bias", "alibi", "head_mask")  # of attention; not done here


class Plan(Protocol):
    """What one call writes and reads. `cells` is one layer's tensor for all slots."""

    def write(self, cells: torch.Tensor, new: torch.Tensor) -> None: ...

    def attend(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        *,
        window: int | None,
        **how: Any,
    ) -> torch.Tensor: ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """`count` tokens of one slot from position `start` on: rows `first` … of the call."""

    slot: int
    start: int
    first: int
    count: int


@dataclass(slots=True)
class Stretches:
    """The plan of a call whose tokens stand one after another in a batch of one."""

    stretches: Sequence[Stretch]
    _masks: dict[tuple[int, int, int], torch.Tensor] = field(default_factory=dict)

    def write(self, cells: torch.Tensor, new: torch.Tensor) -> None:
        for one in self.stretches:
            part = new[0, :, one.first : one.first + one.count]
            cells[one.slot, :, one.start : one.start + one.count] = part

    def attend(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        *,
        window: int | None,
        **how: Any,
    ) -> torch.Tensor:
        """From a query of (1, heads, tokens, length) to (1, tokens, heads, value length)."""
        parts = []
        for one in self.stretches:
            end = one.start + one.count
            begin = max(0, one.start + 1 - window) if window else 0  # earlier ones nobody sees
            part = _weigh(
                query[:, :, one.first : one.first + one.count],
                keys[one.slot : one.slot + 1, :, begin:end],
                values[one.slot : one.slot + 1, :, begin:end],
                self._mask(one.count, end - begin, window, query.device),
                **how,
            )
            parts.append(part)
        whole = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
        return whole.transpose(1, 2)

    def _mask(
        self, count: int, length: int, window: int | None, device: torch.device
    ) -> torch.Tensor | None:
        """(count, length), true where the last `count` of `length` positions may look."""
        if count == 1:
            return None
        key = (count, length, window or 0)
        if key not in self._masks:
            mask = torch.ones(count, length, dtype=torch.bool, device=device)
            mask = mask.tril(length - count)
            if window:
                mask = mask.triu(length - count - window + 1)
            self._masks[key] = mask
        return self._masks[key]


def _weigh(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    scaling: float | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """Attention over (batch, heads, tokens, length), with more query heads than key heads."""
    if softcap is None and sinks is None:
        has_groups = query.shape[1] != keys.shape[1]
        if has_groups and mask is not None and query.is_cuda:
            # With groups and a mask no fast kernel is left on a GPU.
            keys, values = (_for_each_head(t, query.shape[1]) for t in (keys, values))
            has_groups = False
        return scaled_dot_product_attention(
            query, keys, values, attn_mask=mask, scale=scaling, enable_gqa=has_groups
        )
    return weigh(query, keys, values, mask, scaling, softcap, sinks)


def weigh(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """Also with capped logits (Gemma 2) and a learnt sink per head (gpt-oss)."""
    batch, heads, tokens, size = query.shape
    groups = heads // keys.shape[1]
    grouped = query.reshape(batch, keys.shape[1], groups * tokens, size)
    scores = grouped @ keys.transpose(-1, -2)  # broadcasting the groups would copy the keys
    scores = scores.view(batch, keys.shape[1], groups, tokens, -1).float() * (
        size**-0.5 if scaling is None else scaling
    )
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    if sinks is not None:
        sink = sinks.float().view(1, -1, groups, 1, 1).expand(batch, -1, -1, tokens, 1)
        scores = torch.cat([scores, sink], dim=-1)
    weights = scores.softmax(dim=-1)
    if sinks is not None:
        weights = weights[..., :-1]
    weights = weights.to(values.dtype).reshape(batch, keys.shape[1], groups * tokens, -1)
    return (weights @ values).reshape(batch, heads, tokens, -1)


def _for_each_head(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    batch, groups, length, size = tensor.shape
    return (
        tensor.unsqueeze(2)
        .expand(batch, groups, heads // groups, length, size)
        .reshape(batch, heads, length, size)
    )


# ── the function that transformers calls ────────────────────────────────────────────────────

_running = threading.local()


@contextmanager
def attending(cache: "SlotCache", plan: Plan) -> Iterator[None]:
    """Forward passes of this thread attend to this cache by this plan."""
    cache.plan, _running.cache = plan, cache
    try:
        yield
    finally:
        _running.cache = None


def _attend(
    _module: torch.nn.Module,
    query: torch.Tensor,
    _key: torch.Tensor,
    _value: torch.Tensor,
    _mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **other: Any,
) -> tuple[torch.Tensor, None]:
    for name in CHANGES_RESULT:
        if other.get(name) is not None:
            raise NotImplementedError(f"its attention uses {name}")
    how = {"window": sliding_window, "scaling": scaling, "softcap": softcap, "sinks": s_aux}
    return _running.cache.attend(query, **how), None


AttentionInterface.register(NAME, _attend)
