"""Encoder–decoder models (T5, FLAN-T5, CodeT5): a text is read whole, then answered.

There is one slot. Its tokens up to the first whose logits are wanted are collected and go through
the encoder together; later ones are the answer's, which the decoder takes one after another.
"""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache, EncoderDecoderCache

from assistant.backends.base import (
    BackendInfo,
    DecodeResult,
    Row,
    Sampler,
    SamplingOptions,
    Tokenizer,
)
from assistant.backends.huggingface.failures import empty_gpu_cache, first_line, is_out_of_memory
from assistant.backends.huggingface.sampler import TokenSampler
from assistant.backends.huggingface.slot_cache import GivenUp
from assistant.backends.rows import lengths_after
from assistant.errors import EngineFailed, ModelError

if TYPE_CHECKING:
    import numpy
    import numpy.typing

BATCH_TOKENS = 512  # rows of one call; the encoder reads the whole text all the same
OUTPUTS = 32  # logits of one call


class EncoderDecoder:
    """See `Backend`. `model` is in eval mode, on its device.

    Raises `ModelError` when the model does not say how an answer begins.
    """

    slots = 1
    max_rows = BATCH_TOKENS
    max_outputs = OUTPUTS
    chat_template: str | None = None
    state_layout = ""

    def __init__(self, model: Any, tokenizer: Tokenizer, info: BackendInfo) -> None:
        self.tokenizer = tokenizer
        self.info = info
        self._start = _start_token(model, info.name)
        self._model = model
        self._device: torch.device = model.device
        self._text: list[int] = []  # the encoder's tokens that the slot holds
        self._cache: Any = None  # of the decoder; None until the text is encoded
        self._steps = 0  # tokens that the decoder has taken; the first is `_start`
        self._encoded_text: list[int] = []  # whose encoding this is: several answers share one
        self._encoded: Any = None
        self._logits: torch.Tensor | None = None  # (rows that wanted them, vocabulary), float32
        self._outputs: dict[int, int] = {}  # row of the last call → its place in the logits
        self._interrupted = threading.Event()
        encoder, decoder = _layers(model.get_encoder()), _layers(model.get_decoder())
        self._layers_of = {"encoder": len(encoder), "decoder": len(decoder)}
        self._layers_due = self._layers_begun = 0  # in the running call
        self._hooks = [
            layer.register_forward_pre_hook(self._on_layer) for layer in (*encoder, *decoder)
        ]

    # ── decoding ────────────────────────────────────────────────────────────────────────────

    def decode(self, rows: Sequence[Row]) -> DecodeResult:
        (length,) = lengths_after(rows, [self._length], max_rows=BATCH_TOKENS, max_outputs=OUTPUTS)
        if length > self.info.window:
            return DecodeResult.NO_ROOM
        if self._interrupted.is_set():
            self._interrupted.clear()
            return DecodeResult.INTERRUPTED
        text, answer, outputs = self._split(rows)
        try:
            with torch.inference_mode():
                logits = self._run(text, answer, list(outputs.values())) if answer else None
        except GivenUp:
            self._go_back()
            self._interrupted.clear()
            return DecodeResult.INTERRUPTED
        except Exception as err:
            self._go_back()
            if is_out_of_memory(err):
                self._free_scratch()
                return DecodeResult.NO_ROOM
            raise EngineFailed(f"PyTorch failed: {first_line(err)}") from err
        finally:
            self._layers_due = self._layers_begun = 0
        self._text, self._logits, self._outputs = text, logits, _places(outputs)
        self._steps += len(answer)
        return DecodeResult.DECODED

    @property
    def _length(self) -> int:
        return len(self._text) + max(0, self._steps - 1)

    def _split(self, rows: Sequence[Row]) -> tuple[list[int], list[int], dict[int, int]]:
        """The encoder's text, the decoder's next tokens, and row → token whose logits it wants."""
        text, answer = list(self._text), list[int]()
        outputs = {}
        is_text = self._cache is None
        for place, row in enumerate(rows):
            if not is_text:
                answer += row.tokens
            else:
                text += row.tokens
                if row.wants_logits:
                    answer, is_text = [self._start], False
            if row.wants_logits:
                outputs[place] = len(answer) - 1
        return text, answer, outputs

    def _run(self, text: list[int], answer: list[int], ends: list[int]) -> torch.Tensor:
        """Logits after the answer's tokens at `ends`, (ends, vocabulary) in float32."""
        self._layers_due = self._layers_of["decoder"]
        cache = self._cache
        if cache is None:
            self._encode(text)
            cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        result = self._model(
            encoder_outputs=self._encoded,
            decoder_input_ids=torch.tensor([answer], device=self._device),
            past_key_values=cache,
            use_cache=True,
        )
        logits: torch.Tensor = result.logits[0, ends].float()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)  # a failure shows here, and times are true
        self._cache = cache
        return logits

    def _encode(self, text: list[int]) -> None:
        if text == self._encoded_text:
            return
        self._layers_due += self._layers_of["encoder"]
        self._forget_encoded()  # never two at once
        ids = torch.tensor([text], device=self._device)
        self._encoded = self._model.get_encoder()(input_ids=ids)
        self._encoded_text = text

    def _go_back(self) -> None:
        """Out of the cache with what a call that did not end has put into some of its layers."""
        if self._cache is not None:
            for layer in self._cache.self_attention_cache.layers:
                layer.keys = layer.keys[:, :, : self._steps]
                layer.values = layer.values[:, :, : self._steps]

    def _on_layer(self, *_: Any) -> None:
        if self._interrupted.is_set():
            raise GivenUp
        self._layers_begun += 1

    def interrupt(self) -> None:
        self._interrupted.set()

    def progress(self) -> float:
        due, begun = self._layers_due, self._layers_begun
        return min(1.0, (begun - 1) / due) if due and begun else 0.0

    # ── sampling ────────────────────────────────────────────────────────────────────────────

    def new_sampler(self, options: SamplingOptions, seed: int, grammar: str = "") -> Sampler:
        return TokenSampler(options, seed, grammar)

    def sample(self, row: int, sampler: Sampler) -> int:
        assert isinstance(sampler, TokenSampler)
        return sampler.draw(self._logits_of(row))

    def log_probabilities(self, row: int) -> "numpy.typing.NDArray[numpy.float32]":
        result: numpy.typing.NDArray[numpy.float32]
        result = self._logits_of(row).log_softmax(dim=0).cpu().numpy()
        return result

    def _logits_of(self, row: int) -> torch.Tensor:
        assert self._logits is not None
        return self._logits[self._outputs[row], : self.tokenizer.vocabulary_size]

    # ── the slot ────────────────────────────────────────────────────────────────────────────

    def trim(self, slot: int, length: int) -> None:
        _check_slot(slot)
        if length >= self._length:
            return
        if length:
            raise ValueError("an encoder–decoder model cannot forget a part of a slot")
        self._text, self._cache, self._steps = [], None, 0

    def copy(self, source: int, target: int) -> None:
        raise ValueError(f"slot {source} cannot be copied to {target}: the model has one slot")

    def export_state(self, slot: int) -> bytes:
        raise ValueError(f"slot {slot} of an encoder–decoder model serves no other text")

    def import_state(self, slot: int, state: bytes) -> bool:  # noqa: ARG002  # none ever fits
        self.trim(slot, 0)
        return False

    # ── closing ─────────────────────────────────────────────────────────────────────────────

    def _free_scratch(self) -> None:
        self._logits = None
        if self._cache is None:
            self._forget_encoded()
        if self._device.type == "cuda":
            empty_gpu_cache()

    def _forget_encoded(self) -> None:
        self._encoded_text, self._encoded = [], None

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._model = [], None
        self.trim(0, 0)
        self._free_scratch()


def _start_token(model: Any, name: str) -> int:
    """What transformers' `generate` begins with."""
    own, of_model = model.generation_config, model.config
    for token in (
        own.decoder_start_token_id,
        getattr(of_model, "decoder_start_token_id", None),
        own.bos_token_id,
    ):
        if isinstance(token, int):
            return token
    raise ModelError(
        f"{name} does not say how an answer begins: decoder_start_token_id is missing",
        "download its config.json again",
    )


def _layers(stack: Any) -> list[Any]:
    """The blocks of an encoder or decoder, `block` in T5 and `layers` elsewhere."""
    lists = [list(child) for child in stack.children() if isinstance(child, torch.nn.ModuleList)]
    return max(lists, key=len, default=[stack])


def _check_slot(slot: int) -> None:
    if slot != 0:
        raise ValueError(f"there is no slot {slot}: an encoder–decoder model has one")


def _places(outputs: dict[int, int]) -> dict[int, int]:
    return {row: place for place, row in enumerate(outputs)}
