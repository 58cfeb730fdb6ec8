"""GGUF files of a few thousand random numbers, of the families that are read in their own way."""

from collections.abc import Callable, Sequence
from pathlib import Path

import gguf
import numpy
from tiny_tokenizers import ALPHABET

WIDTH, HEADS, KV_HEADS, FEED, LAYERS = 64, 4, 2, 96, 2
TEMPLATE = "{% for m in messages %}{{ m.content }}\r\n{% endfor %}é"

Extra = Callable[[gguf.GGUFWriter], object]


class _Tensors:
    """Adds random tensors; the same ones in every file."""

    def __init__(self, writer: gguf.GGUFWriter) -> None:
        self._writer = writer
        self._random = numpy.random.default_rng(0)

    def add(self, name: str, *shape: int) -> None:
        values = self._random.standard_normal(shape).astype(numpy.float32)
        self._writer.add_tensor(name, values / 10)

    def add_unreadable(self, name: str, *shape: int) -> None:
        """In Q8_1, which llama.cpp uses for activations only: blocks of 32 in 40 bytes."""
        blocks = numpy.zeros((*shape[:-1], shape[-1] // 32 * 40), numpy.uint8)
        self._writer.add_tensor(name, blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_1)


def write_llama(
    path: Path,
    extra: Extra = lambda writer: None,
    tensors: Sequence[tuple[str, int]] = (),
    left_out: str = "",
    unreadable: str = "",
) -> Path:
    """Byte-level, two layers; `extra` adds keys, `tensors` vectors, `left_out` takes one away.

    `unreadable` is a matrix whose type nobody unpacks.
    """
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    words = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *ALPHABET, "ab", "Ġa"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(words)
    writer.add_token_types([3] * 3 + [1] * 258)
    writer.add_token_merges(["a b", "Ġ a"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_eot_token_id(0)
    writer.add_chat_template(TEMPLATE)
    extra(writer)
    made = _Tensors(writer)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(words), WIDTH)}
    shapes["output_norm"] = (WIDTH,)
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in _llama_layer().items()}
    for name, shape in shapes.items():
        if f"{name}.weight" == unreadable:
            made.add_unreadable(f"{name}.weight", *shape)
        elif f"{name}.weight" != left_out:
            made.add(f"{name}.weight", *shape)
    for name, length in tensors:
        made.add(name, length)
    return _finish(writer, path)


def write_t5(path: Path, is_gated: bool) -> Path:
    """Unigram, two layers on each side, an output layer of its own, and sentinels."""
    writer = gguf.GGUFWriter(path, "t5")
    _describe(writer)
    writer.add_key_length(WIDTH // HEADS)
    writer.add_value_length(WIDTH // HEADS)
    writer.add_layer_norm_eps(1e-6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_relative_attn_buckets_count(32)
    writer.add_decoder_start_token_id(0)
    words = ["<pad>", "</s>", "<unk>", "▁", "▁he", *"abcehlost</>"]
    sentinels = [f"[PAD{place}]" for place in range(len(words), len(words) + 100)]
    writer.add_tokenizer_model("t5")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*words, *sentinels])
    writer.add_token_scores([0.0] * 3 + [-2.0] * (len(words) - 3) + [-1000.0] * 100)
    writer.add_token_types([3, 3, 2] + [1] * (len(words) - 3) + [5] * 100)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(2)
    writer.add_pad_token_id(0)
    made = _Tensors(writer)
    made.add("token_embd.weight", len(words) + 100, WIDTH)
    made.add("output.weight", len(words) + 100, WIDTH)
    for side in ("enc", "dec"):
        made.add(f"{side}.output_norm.weight", WIDTH)
        made.add(f"{side}.blk.0.attn_rel_b.weight", 32, HEADS)
        for layer in range(LAYERS):
            for name, shape in _t5_layer(side == "dec", is_gated).items():
                made.add(f"{side}.blk.{layer}.{name}.weight", *shape)
    return _finish(writer, path)


def _describe(writer: gguf.GGUFWriter) -> None:
    writer.add_name("tiny")
    writer.add_file_type(0)  # F32
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)


def _llama_layer() -> dict[str, tuple[int, ...]]:
    narrow = KV_HEADS * WIDTH // HEADS
    attention = {"attn_norm": (WIDTH,), "attn_q": (WIDTH, WIDTH), "attn_output": (WIDTH, WIDTH)}
    narrow_ones = {"attn_k": (narrow, WIDTH), "attn_v": (narrow, WIDTH)}
    return {**attention, **narrow_ones, **_feed_forward(is_gated=True)}


def _t5_layer(is_decoder: bool, is_gated: bool) -> dict[str, tuple[int, ...]]:
    kinds = ("attn", "cross_attn") if is_decoder else ("attn",)
    attention = {f"{kind}_{part}": (WIDTH, WIDTH) for kind in kinds for part in "qkvo"}
    norms = {f"{kind}_norm": (WIDTH,) for kind in kinds}
    return {**attention, **norms, **_feed_forward(is_gated)}


def _feed_forward(is_gated: bool) -> dict[str, tuple[int, ...]]:
    gate = {"ffn_gate": (FEED, WIDTH)} if is_gated else {}
    return {"ffn_norm": (WIDTH,), **gate, "ffn_up": (FEED, WIDTH), "ffn_down": (WIDTH, FEED)}


def _finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
