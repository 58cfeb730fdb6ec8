"""Encoder–decoder models made on the spot: tiny, random, and yet they do not say one thing only."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

from assistant.backends.base import Abilities, BackendInfo

PAD, FIRST_END, SECOND_END, UNKNOWN, FIRST_BYTE = range(5)
VOCABULARY = FIRST_BYTE + 256
SHAPES = ("classic", "flan", "codet5", "bart")
ENDS = {"classic": 1, "flan": 1, "codet5": 2, "bart": 2}  # the id that ends an answer


class ShiftedBytes:
    """A token for every byte, after pad, two ends and unknown; implements `Tokenizer`."""

    vocabulary_size = VOCABULARY
    control_tokens: Mapping[str, int] = MappingProxyType({"<pad>": 0, "<s>": 1, "</s>": 2})
    special_texts: Mapping[str, str] = MappingProxyType({})
    hidden_tokens = frozenset(range(FIRST_BYTE))

    def __init__(self, shape: str) -> None:
        self.ends_answer = frozenset({ENDS[shape]})
        before = () if ENDS[shape] == FIRST_END else (FIRST_END,)
        self.frame: tuple[tuple[int, ...], tuple[int, ...]] = (before, (ENDS[shape],))

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        return [FIRST_BYTE + byte for byte in text.encode(errors="replace")]

    def piece(self, token_id: int) -> bytes:
        return bytes([token_id - FIRST_BYTE]) if token_id >= FIRST_BYTE else b""

    def strips_around(self, token_id: int) -> tuple[bool, bool]:
        return False, False

    def framed(self, text: str) -> list[int]:
        """What the encoder reads."""
        before, after = self.frame
        return [*before, *self.tokenize(text), *after]


def make_model(shape: str, *, vocabulary: int = VOCABULARY) -> Any:
    """One of `SHAPES`, the same every time."""
    model: Any
    if shape == "bart":
        model = BartForConditionalGeneration(_bart_config(vocabulary))
    else:
        model = T5ForConditionalGeneration(_t5_config(shape, vocabulary))
    if shape == "flan":  # transformers ties what T5 v1.1 does not, until weights say otherwise
        model.lm_head = torch.nn.Linear(model.config.d_model, vocabulary, bias=False)
    _stir(model)
    return model.eval().requires_grad_(False)


def never_ends(model: Any, shape: str) -> Any:
    """The same model, but no answer of it is ever over. Not for tied weights."""
    model.lm_head.weight[ENDS[shape]] = 0.0
    return model


def info_of(*, window: int = 2048) -> BackendInfo:
    return BackendInfo(
        name="tiny",
        fingerprint="tiny",
        parameters=1,
        size_bytes=1,
        window=window,
        device="CPU",
        quantisation="F32",
        template_hash="",
        abilities=Abilities(trims=False, grammar=False, candidates=False, chat=False, encoder=True),
    )


def _t5_config(shape: str, vocabulary: int) -> Any:
    return T5Config(
        vocab_size=vocabulary,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=3,
        num_decoder_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu" if shape == "flan" else "relu",
        tie_word_embeddings=shape != "flan",
        pad_token_id=PAD,
        bos_token_id=FIRST_END if shape == "codet5" else None,
        eos_token_id=ENDS[shape],
        decoder_start_token_id=PAD,
    )


def _bart_config(vocabulary: int) -> Any:
    return BartConfig(
        vocab_size=vocabulary,
        d_model=32,
        encoder_layers=3,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=2048,
        pad_token_id=PAD,
        bos_token_id=FIRST_END,
        eos_token_id=SECOND_END,
        decoder_start_token_id=SECOND_END,
        forced_eos_token_id=None,
    )


def _stir(model: Any) -> None:
    """Weights with which attention decides: as transformers makes them, a model repeats a token."""
    random = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() < 2:
                continue
            drawn = torch.randn(weights.shape, generator=random)
            if "shared" in name or "lm_head" in name:
                weights.copy_(drawn / drawn.norm(dim=-1, keepdim=True))
            else:
                is_feed_forward = any(part in name for part in (".wi", ".wo", ".fc"))
                weights.copy_(drawn * (0.05 if is_feed_forward else 0.7))
