"""Decoding steps on a GPU, captured once as a CUDA graph and replayed for every token.

At one token per slot a forward pass is hundreds of small kernels; launching them one by one
from Python takes longer than running them. A captured step needs fixed shapes and addresses, so
its plan reads a bucket of positions and hides those that a slot does not hold.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from assistant.backends.base import Row
from assistant.backends.huggingface.attention import attending, weigh
from assistant.backends.huggingface.slot_cache import SlotCache

SMALLEST_BUCKET = 256  # positions
WARM_UPS = 2  # passes before a capture: kernels choose their workspace


@dataclass(slots=True)
class Step:
    """The plan of a step: a batch of slots with one token each.

    `slots` and `positions` are tensors of (batch,) that a replay reads anew; `slot` is set when
    the batch is one slot, whose cells can be read in place. `bucket` positions are read.
    """

    slots: torch.Tensor
    positions: torch.Tensor
    bucket: int
    slot: int | None

    def write(self, cells: torch.Tensor, new: torch.Tensor) -> None:
        """`new` is (batch, heads, 1, length)."""
        cells[self.slots, :, self.positions] = new[:, :, 0]

    def attend(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        *,
        window: int | None,
        **how: Any,
    ) -> torch.Tensor:
        """From (batch, heads, 1, length) to (batch, 1, heads, value length)."""
        places = torch.arange(self.bucket, device=query.device)
        seen = places <= self.positions[:, None]
        if window:
            seen &= places > self.positions[:, None] - window
        mask = seen[:, None, None, None, :]  # (batch, key heads, groups, tokens, bucket)
        result = weigh(query, self._cells(keys), self._cells(values), mask, **how)
        return result.transpose(1, 2)

    def _cells(self, cells: torch.Tensor) -> torch.Tensor:
        near = cells[:, :, : self.bucket]
        if self.slot is not None:
            return near[self.slot : self.slot + 1]
        return near.index_select(0, self.slots)


@dataclass(slots=True)
class _Captured:
    graph: Any  # torch.cuda.CUDAGraph
    plan: Step
    tokens: torch.Tensor  # (batch, 1)
    logits: torch.Tensor  # (batch, vocabulary)


class CapturedSteps:
    """Graphs by slot (a batch of one) or batch size, and by bucket."""

    def __init__(self, model: Any, cache: SlotCache) -> None:
        self._model = model
        self._cache = cache
        self._captured: dict[tuple[int | None, int, int], _Captured] = {}
        self._pool = torch.cuda.graph_pool_handle()  # one for all: they never run together
        self._side = torch.cuda.Stream(model.device)

    def run(self, rows: Sequence[Row]) -> torch.Tensor:
        """Logits after each row, (rows, vocabulary) in float32. The rows have one token each."""
        bucket = bucket_of(max(row.start for row in rows) + 1, self._cache.capacity)
        slot = rows[0].slot if len(rows) == 1 else None
        batch = batch_of(len(rows))
        key = (slot, batch, bucket)
        step = self._captured.get(key)
        if step is None:
            step = self._captured[key] = self._capture(rows, slot, batch, bucket)
        self._fill(step, rows)
        step.graph.replay()
        return step.logits[: len(rows)].to(torch.float32, copy=True)

    def forget(self) -> None:
        """The cache's tensors are about to move."""
        self._captured.clear()
        self._pool = torch.cuda.graph_pool_handle()  # the old one went with its graphs

    def are_possible(self) -> bool:
        """Whether a step of this model never waits for the GPU, which cannot be captured."""
        numbers = [torch.zeros(1, dtype=torch.long, device=self._model.device) for _ in range(3)]
        plan = Step(numbers[0], numbers[1], bucket_of(1, self._cache.capacity), 0)
        torch.cuda.set_sync_debug_mode("error")
        try:
            with attending(self._cache, plan):
                forward(self._model, self._cache, numbers[2][:, None], plan)
        except RuntimeError:
            return False
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return True

    def _fill(self, step: _Captured, rows: Sequence[Row]) -> None:
        tokens, slots, positions = padded(rows, len(step.tokens))
        step.tokens.copy_(torch.tensor(tokens).view(-1, 1), non_blocking=True)
        step.plan.slots.copy_(torch.tensor(slots), non_blocking=True)
        step.plan.positions.copy_(torch.tensor(positions), non_blocking=True)

    def _capture(self, rows: Sequence[Row], slot: int | None, batch: int, bucket: int) -> _Captured:
        device = self._model.device
        numbers = [torch.zeros(batch, dtype=torch.long, device=device) for _ in range(3)]
        plan = Step(numbers[0], numbers[1], bucket, slot)
        graph = torch.cuda.CUDAGraph()
        step = _Captured(graph, plan, numbers[2].view(-1, 1), torch.empty(0))
        self._fill(step, rows)
        here = torch.cuda.current_stream(device)
        with attending(self._cache, plan), _undisturbed(self._cache):
            self._side.wait_stream(here)
            try:
                with torch.cuda.stream(self._side):
                    for _ in range(WARM_UPS):  # they write what the replay writes again
                        forward(self._model, self._cache, step.tokens, plan)
            finally:
                here.wait_stream(self._side)
            with torch.cuda.graph(graph, pool=self._pool):
                step.logits = forward(self._model, self._cache, step.tokens, plan)
        return step


@contextmanager
def _undisturbed(cache: SlotCache) -> Iterator[None]:
    """No interrupt: what is half captured could not be taken back."""
    on_layer, cache.on_layer = cache.on_layer, lambda: None
    try:
        yield
    finally:
        cache.on_layer = on_layer


def forward(model: Any, cache: SlotCache, tokens: torch.Tensor, plan: Step) -> torch.Tensor:
    """One pass over (batch, 1) tokens; logits of (batch, vocabulary)."""
    result = model(
        input_ids=tokens,
        position_ids=plan.positions[:, None],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: torch.Tensor = result.logits[:, -1]
    return logits


def bucket_of(positions: int, capacity: int) -> int:
    """The next power of two, so that few graphs serve all lengths."""
    bucket = SMALLEST_BUCKET
    while bucket < positions:
        bucket *= 2
    return min(bucket, capacity)


def batch_of(rows: int) -> int:
    """The next power of two."""
    return 1 << (rows - 1).bit_length()


def padded(rows: Sequence[Row], batch: int) -> tuple[list[int], list[int], list[int]]:
    """Tokens, slots and positions of a batch; the last row stands in for those that lack.

    It computes and writes the same numbers again at the same place, which changes nothing.
    """
    full = [*rows, *[rows[-1]] * (batch - len(rows))]
    return [r.tokens[0] for r in full], [r.slot for r in full], [r.start for r in full]
