"""Decoder-only models: several slots in one forward pass, over a `SlotCache`."""

import struct
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from assistant.backends.base import (
    BackendInfo,
    DecodeResult,
    Row,
    Sampler,
    SamplingOptions,
    Tokenizer,
)
from assistant.backends.huggingface.attention import Stretch, Stretches, attending
from assistant.backends.huggingface.captured_steps import CapturedSteps
from assistant.backends.huggingface.failures import empty_gpu_cache, first_line, is_out_of_memory
from assistant.backends.huggingface.sampler import TokenSampler
from assistant.backends.huggingface.slot_cache import SMALLEST_CAPACITY, GivenUp, SlotCache
from assistant.backends.rows import lengths_after
from assistant.errors import EngineFailed, NotEnoughMemory
from assistant.model_store.machine import available_bytes

if TYPE_CHECKING:
    import numpy
    import numpy.typing

BATCH_TOKENS = {"cpu": 512, "cuda": 2048}  # rows of one forward pass
OUTPUTS = 32  # logits of one call
MEMORY_CHECK_EVERY = 256  # positions written for the first time
STATE_MARK = b"llmchat2"
STATE_HEAD = struct.Struct("<8sI")  # mark, positions


class Decoder:
    """See `Backend`. `model` is in eval mode, on its device, with the attention `NAME`."""

    def __init__(
        self,
        model: Any,
        tokenizer: Tokenizer,
        info: BackendInfo,
        *,
        slots: int,
        chat_template: str | None,
    ) -> None:
        self._model = model
        self._device: torch.device = model.device
        self.tokenizer = tokenizer
        self.info = info
        self.slots = slots
        self.chat_template = chat_template
        self.max_rows = BATCH_TOKENS[self._device.type]
        self.max_outputs = OUTPUTS
        self._lengths = [0] * slots
        self._touched = [0] * slots  # positions of each slot whose memory is known to be there
        self._logits: torch.Tensor | None = None  # (rows that wanted them, vocabulary), float32
        self._outputs: dict[int, int] = {}  # row of the last call → its place in the logits
        self._interrupted = threading.Event()
        self._layers: int = max(1, model.config.get_text_config().num_hidden_layers)
        self._layers_done = 0
        self._cache = SlotCache(slots, self._on_layer)
        self._steps = CapturedSteps(model, self._cache) if self._device.type == "cuda" else None
        try:
            self._warm_up()
        except BaseException:
            self.close()
            raise

    @property
    def state_layout(self) -> str:
        kind = f"{self._device.type} {self._model.dtype}"
        return f"{STATE_MARK.decode()} torch {torch.__version__} {kind}"

    # ── decoding ────────────────────────────────────────────────────────────────────────────

    @torch.inference_mode()
    def decode(self, rows: Sequence[Row]) -> DecodeResult:
        lengths = lengths_after(rows, self._lengths, max_rows=self.max_rows, max_outputs=OUTPUTS)
        if max(lengths) > self.info.window:
            return DecodeResult.NO_ROOM
        try:
            if not self._make_room(lengths):
                return DecodeResult.NO_ROOM
            self._layers_done = 0
            logits = self._forward(rows)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)  # a failure shows here, and times are true
        except GivenUp:
            self._interrupted.clear()
            return DecodeResult.INTERRUPTED
        except Exception as err:
            if is_out_of_memory(err):
                self._free_scratch()
                return DecodeResult.NO_ROOM
            raise EngineFailed(f"PyTorch failed: {first_line(err)}") from err
        self._logits, self._lengths = logits, lengths
        wanted = [place for place, row in enumerate(rows) if row.wants_logits]
        self._outputs = {row: place for place, row in enumerate(wanted)}
        return DecodeResult.DECODED

    def _forward(self, rows: Sequence[Row]) -> torch.Tensor | None:
        if self._steps is not None and _is_step(rows):
            self._on_layer()
            return self._steps.run(rows)
        tokens = [token for row in rows for token in row.tokens]
        positions = [row.start + at for row in rows for at in range(len(row.tokens))]
        ends = torch.tensor(_ends(rows), dtype=torch.long, device=self._device)
        with attending(self._cache, Stretches(_stretches(rows))):
            return self._run(tokens, positions, ends)

    def _run(
        self, tokens: Sequence[int], positions: Sequence[int], ends: torch.Tensor
    ) -> torch.Tensor | None:
        """Logits after the tokens at `ends`, (ends, vocabulary) in float32."""
        result = self._model(
            input_ids=torch.tensor([tokens], device=self._device),
            position_ids=torch.tensor([positions], device=self._device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=ends,
        )
        return result.logits[0].float() if len(ends) else None

    def _on_layer(self) -> None:
        if self._interrupted.is_set():
            raise GivenUp
        self._layers_done += 1

    def interrupt(self) -> None:
        self._interrupted.set()

    def progress(self) -> float:
        return min(1.0, self._layers_done / self._layers)

    # ── sampling ────────────────────────────────────────────────────────────────────────────

    def new_sampler(self, options: SamplingOptions, seed: int, grammar: str = "") -> Sampler:
        return TokenSampler(options, seed, grammar)

    @torch.inference_mode()
    def sample(self, row: int, sampler: Sampler) -> int:
        assert isinstance(sampler, TokenSampler)
        return sampler.draw(self._logits_of(row))

    @torch.inference_mode()
    def log_probabilities(self, row: int) -> "numpy.typing.NDArray[numpy.float32]":
        result: numpy.typing.NDArray[numpy.float32]
        result = self._logits_of(row).log_softmax(dim=0).cpu().numpy()
        return result

    def _logits_of(self, row: int) -> torch.Tensor:
        assert self._logits is not None
        return self._logits[self._outputs[row], : self.tokenizer.vocabulary_size]

    # ── the KV cache of a slot ──────────────────────────────────────────────────────────────

    def trim(self, slot: int, length: int) -> None:
        self._lengths[slot] = min(self._lengths[slot], length)

    @torch.inference_mode()
    def copy(self, source: int, target: int) -> None:
        self._cache.copy(source, target, self._lengths[source])
        self._lengths[target] = self._lengths[source]

    @torch.inference_mode()
    def export_state(self, slot: int) -> bytes:
        """A head, then for each layer the raw keys, then for each the raw values."""
        length = self._lengths[slot]
        head = STATE_HEAD.pack(STATE_MARK, length)
        return b"".join((head, *self._cache.export(slot, length)))

    @torch.inference_mode()
    def import_state(self, slot: int, state: bytes) -> bool:
        self._lengths[slot] = 0
        if len(state) < STATE_HEAD.size:
            return False
        mark, length = STATE_HEAD.unpack_from(state)
        size = STATE_HEAD.size + length * self._cache.bytes_per_position
        if mark != STATE_MARK or length > self.info.window or len(state) != size:
            return False
        try:
            lengths = list(self._lengths)
            lengths[slot] = length
            if not self._make_room(lengths):
                return False
            self._cache.load(slot, length, memoryview(state)[STATE_HEAD.size :])
        except Exception as err:
            if is_out_of_memory(err):
                return False
            raise
        self._lengths[slot] = length
        return True

    def _make_room(self, lengths: Sequence[int]) -> bool:
        """Room for what the slots will hold; False when the memory does not allow it."""
        if not self._memory_allows(lengths):
            return False
        longest, before = max(lengths), self._cache.capacity
        if longest <= before:
            return True
        for wanted in (max(longest, SMALLEST_CAPACITY, 2 * before), longest):
            if self._steps is not None:
                self._steps.forget()  # they know where the old tensors are
            try:
                self._cache.grow(min(wanted, self.info.window), self._lengths)
            except Exception as err:
                if not is_out_of_memory(err):
                    raise
                self._free_scratch()
            else:
                self._touched = list(self._lengths)
                return True
        return False

    def _memory_allows(self, lengths: Sequence[int]) -> bool:
        """On a CPU, where pages become real when they are written; a GPU's allocator says no."""
        pairs = list(zip(lengths, self._touched, strict=True))
        new = sum(max(0, length - touched) for length, touched in pairs)
        is_near = new < MEMORY_CHECK_EVERY and max(lengths) <= self._cache.capacity
        if self._device.type == "cpu" and not is_near:
            if new * self._cache.bytes_per_position > available_bytes():
                return False
            self._touched = [max(pair) for pair in pairs]
        return True

    def _free_scratch(self) -> None:
        self._logits = None
        if self._device.type == "cuda":
            if self._steps is not None:
                self._steps.forget()
            empty_gpu_cache()

    # ── opening and closing ─────────────────────────────────────────────────────────────────

    def _warm_up(self) -> None:
        """A first token: from now on the shapes of the cache are known."""
        self._cache.capacity = min(SMALLEST_CAPACITY, self.info.window)
        if self.decode([Row(0, [0], 0, False)]) is not DecodeResult.DECODED:
            raise NotEnoughMemory(
                f"there is not enough memory for a first token of {self.info.name}",
                "close other programs, or take a smaller model: -m starter",
            )
        if self._steps is not None and not self._steps.are_possible():
            self._steps = None
        self.trim(0, 0)

    def close(self) -> None:
        self._steps = None
        self._cache.clear()
        self._logits = self._model = None
        if self._device.type == "cuda":
            empty_gpu_cache()


def _is_step(rows: Sequence[Row]) -> bool:
    """One token for each of several slots, every one with logits."""
    alone = all(len(row.tokens) == 1 and row.wants_logits for row in rows)
    return alone and len({row.slot for row in rows}) == len(rows)


def _ends(rows: Sequence[Row]) -> list[int]:
    """Index of the last token of each row that wants logits, among all tokens of the call."""
    ends, at = [], 0
    for row in rows:
        at += len(row.tokens)
        if row.wants_logits:
            ends.append(at - 1)
    return ends


def _stretches(rows: Sequence[Row]) -> list[Stretch]:
    """Rows that go on after each other in the same slot become one."""
    stretches: list[Stretch] = []
    first = 0
    for row in rows:
        last = stretches[-1] if stretches else None
        if last is not None and last.slot == row.slot:
            stretches[-1] = Stretch(row.slot, last.start, last.first, last.count + len(row.tokens))
        else:
            stretches.append(Stretch(row.slot, row.start, first, len(row.tokens)))
        first += len(row.tokens)
    return stretches
