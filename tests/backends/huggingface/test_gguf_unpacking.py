"""What a GGUF file becomes: the tokenizer beside llama.cpp's, the weights, and what is refused."""

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import gguf
import numpy
import pytest
import tiny_gguf
import torch
import transformers
from safetensors import safe_open

from assistant.backends.huggingface.gguf_rope import rope_parameters
from assistant.backends.huggingface.gguf_tokenizer import ends_of, write_tokenizer
from assistant.backends.huggingface.gguf_unpacking import dtype_of, unpack
from assistant.backends.huggingface.tokenizer import HuggingFaceTokenizer, load_tokenizer
from assistant.backends.llamacpp_bindings import load_bindings
from assistant.backends.llamacpp_tokenizer import LlamaCppTokenizer
from assistant.errors import ModelError
from assistant.model_store.gguf_file import GgufFile, read_gguf
from assistant.model_store.gguf_header import Value
from assistant.model_store.local_models import find_model

Steps = list[tuple[str, float]]
NAMES = ("deepseek-coder", "llama-bpe", "phi-3", "qwen2", "qwen35", "refact")


# ── the tokenizer ───────────────────────────────────────────────────────────────────────────

# All that is read differently, of the vocabularies and texts of llama.cpp's own tests: it takes
# `</s>` for a control token wherever it is a word, and for Qwen that word is text.
KNOWN_DIFFERENCES = {"qwen2": {"</s>"}, "qwen35": {"</s>"}}


@contextmanager
def native_tokenizer(path: Path) -> Iterator[LlamaCppTokenizer]:
    """llama.cpp's own, of a file without weights."""
    lib = load_bindings()
    lib.llama_backend_init()
    options = lib.llama_model_default_params()
    options.vocab_only = True
    model = lib.llama_model_load_from_file(bytes(path), options)
    yield LlamaCppTokenizer(lib, model)
    lib.llama_model_free(model)


@pytest.mark.parametrize("name", NAMES)
def test_text_is_read_as_on_llamacpp(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "vocabularies" / f"ggml-vocab-{name}.gguf"
    write_tokenizer(read_gguf(path), tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    texts = Path(f"{path}.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
    lines = Path(f"{path}.out").read_text().split("\n")
    assert len(texts) >= 40
    with native_tokenizer(path) as native:
        for text, line in zip(texts, lines, strict=True):
            assert tokenizer.tokenize(text) == native.tokenize(text) == [*map(int, line.split())]
        differences = KNOWN_DIFFERENCES.get(name, set())
        markers = [m for m in native.control_tokens if m not in differences]
        for text in texts:
            chat = "".join(f"{marker}{text} " for marker in markers[:20])
            expected = native.tokenize(chat, has_control_tokens=True)
            assert tokenizer.tokenize(chat, has_control_tokens=True) == expected
        assert_same_tokens(tokenizer, native, differences)


def assert_same_tokens(
    tokenizer: HuggingFaceTokenizer, native: LlamaCppTokenizer, differences: set[str]
) -> None:
    """The same bytes and properties of every token, but for these control tokens."""
    assert tokenizer.vocabulary_size == native.vocabulary_size
    for token in range(native.vocabulary_size):
        assert tokenizer.piece(token) == native.piece(token)
    for token in tokenizer.control_tokens.values():
        assert tokenizer.strips_around(token) == native.strips_around(token)
    ends = native.ends_answer ^ tokenizer.ends_answer
    assert {native.piece(token).decode() for token in ends} == differences
    assert native.control_tokens.items() ^ tokenizer.control_tokens.items() == {
        (spelling, native.control_tokens[spelling]) for spelling in differences
    }


def with_metadata(file: GgufFile, **changes: Value | None) -> GgufFile:
    """Keys with "_" for "."; None takes one away."""
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    metadata = {**file.metadata, **changed}
    kept = {key: value for key, value in metadata.items() if value is not None}
    return replace(file, metadata=kept)


@pytest.fixture(scope="module")
def starter() -> GgufFile:
    return read_gguf(find_model("starter"))


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("unheard-of", "rules named 'unheard-of', which are unknown"),
        ("default", "rules named 'default', which are unknown"),
        (None, "does not say by which rules"),
    ],
)
def test_unknown_ways_to_split_text_are_refused(
    starter: GgufFile, tmp_path: Path, rules: str | None, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        write_tokenizer(with_metadata(starter, tokenizer__ggml__pre=rules), tmp_path)


def test_a_blank_is_put_in_front_only_where_the_file_says_so(
    shared_data: Path, tmp_path: Path
) -> None:
    file = read_gguf(shared_data / "vocabularies" / "ggml-vocab-phi-3.gguf")
    write_tokenizer(file, tmp_path)
    assert load_tokenizer(tmp_path).tokenize("the") == [278]  # "▁the"
    write_tokenizer(with_metadata(file, tokenizer__ggml__add_space_prefix=False), tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.tokenize("the") == [1552]  # "the"
    assert tokenizer.tokenize(" the") == [278]


def test_all_ends_that_a_file_names_are_kept(starter: GgufFile) -> None:
    assert ends_of(starter) == [2]
    more: dict[str, Value | None] = {"tokenizer__ggml__eot_token_id": 7}
    more["tokenizer__ggml__eom_token_id"] = 5
    assert ends_of(with_metadata(starter, **more)) == [2, 5, 7]


# ── positions ───────────────────────────────────────────────────────────────────────────────

DEFAULT = {"rope_type": "default", "rope_theta": 1.0}


def stretched(file: GgufFile, **keys: Value | None) -> GgufFile:
    return with_metadata(file, **{f"llama__rope__{key}": value for key, value in keys.items()})


def llama3_factors(factor: float, theta: float, count: int) -> "numpy.typing.NDArray[Any]":
    """As llama.cpp's converter writes them: 1 for short waves, `factor` for long ones."""
    factors = []
    for place in range(count):
        wave = 2 * numpy.pi * theta ** (place / count)
        smooth = (8192 / wave - 1) / 3
        between = 1 / ((1 - smooth) / factor + smooth)
        factors.append(1.0 if wave < 2048 else factor if wave > 8192 else between)
    return numpy.array(factors, numpy.float32)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, {"rope_type": "default"}),
        ({"scaling__type": "none", "scaling__factor": 2.0}, {"rope_type": "default"}),
        ({"scaling__type": "linear", "scaling__factor": 4.0}, {"rope_type": "linear", "factor": 4}),
        ({"scaling__factor": 4.0}, {"rope_type": "linear", "factor": 4.0}),
        ({"scale_linear": 2.0}, {"rope_type": "linear", "factor": 2.0}),
        (
            {
                "scaling__type": "yarn",
                "scaling__factor": 4.0,
                "scaling__original_context_length": 32768,
            },
            {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        ),
    ],
)
def test_the_window_is_stretched_as_the_file_says(
    starter: GgufFile, keys: dict[str, Value | None], expected: dict[str, object]
) -> None:
    file = stretched(starter, freq_base=500_000.0, **keys)
    found = rope_parameters(file, dict(DEFAULT), None)
    assert found == {**expected, "rope_theta": 500_000.0}


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama_3_is_known_by_its_factors(starter: GgufFile, factor: float) -> None:
    file = stretched(starter, freq_base=500_000.0)
    factors = llama3_factors(factor, 500_000.0, 64)
    found = rope_parameters(file, dict(DEFAULT), factors)
    assert found is not None
    assert (found["rope_type"], found["factor"]) == ("llama3", factor)
    config = transformers.LlamaConfig(
        rope_parameters=found,
        head_dim=128,
        hidden_size=128,
        num_attention_heads=1,
        intermediate_size=8,
        num_hidden_layers=1,
        vocab_size=2,
    )
    frequencies = transformers.LlamaForCausalLM(config).model.rotary_emb.inv_freq
    expected = 500_000.0 ** -(numpy.arange(64) / 64) / factors
    numpy.testing.assert_allclose(frequencies.numpy(), expected, rtol=1e-3)
    with pytest.raises(ModelError, match="unknown here"):
        rope_parameters(file, dict(DEFAULT), factors[::-1].copy())


def test_layers_with_a_sliding_window_keep_their_angles(starter: GgufFile) -> None:
    nested = {"full_attention": dict(DEFAULT), "sliding_attention": dict(DEFAULT)}
    file = stretched(starter, freq_base=1_000_000.0, scaling__type="linear", scaling__factor=8.0)
    assert rope_parameters(file, nested, None) == {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1_000_000.0},
        "sliding_attention": DEFAULT,
    }
    with pytest.raises(ModelError, match="unknown ways"):
        rope_parameters(file, {"other_attention": dict(DEFAULT)}, None)


@pytest.mark.parametrize(
    "keys",
    [
        {"scaling__type": "longrope", "scaling__factor": 4.0},
        {"scaling__type": "yarn", "scaling__factor": 4.0},  # of which window?
        {
            "scaling__type": "yarn",
            "scaling__factor": 4.0,
            "scaling__original_context_length": 4096,
            "scaling__attn_factor": 1.2,
        },
    ],
)
def test_other_ways_to_stretch_the_window_are_refused(
    starter: GgufFile, keys: dict[str, Value | None]
) -> None:
    with pytest.raises(ModelError, match="cannot be carried over"):
        rope_parameters(stretched(starter, **keys), dict(DEFAULT), None)


def test_a_model_without_angles_has_none(starter: GgufFile) -> None:
    assert rope_parameters(starter, None, None) is None
    with pytest.raises(ModelError, match="cannot be carried over"):
        rope_parameters(stretched(starter, scaling__factor=2.0), None, None)
    with pytest.raises(ModelError, match="cannot be carried over"):
        rope_parameters(starter, None, llama3_factors(8.0, 10_000.0, 8))


# ── whole files ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def patches_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `unpack` changes in the libraries, for a process of its own, is taken back."""
    for name in ("GGUFReader", "get_tensor_name_map", "dequantize"):
        monkeypatch.setattr(gguf, name, getattr(gguf, name))
    yield
    transformers.utils.logging.set_tqdm_hook(None)


@pytest.fixture
def unpacked(patches_end: None, tmp_path: Path) -> Callable[[Path], tuple[Path, Steps]]:
    def run(path: Path) -> tuple[Path, Steps]:
        steps: Steps = []
        folder = tmp_path / "unpacked"
        folder.mkdir()
        unpack(read_gguf(path), folder, lambda step, share: steps.append((step, share)))
        return folder, steps

    return run


def read_json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def tensor_in(path: Path, name: str) -> torch.Tensor:
    (found,) = (tensor for tensor in gguf.GGUFReader(path).tensors if tensor.name == name)
    return torch.from_numpy(numpy.array(found.data))


def test_a_file_becomes_a_whole_model(
    unpacked: Callable[[Path], tuple[Path, Steps]], tmp_path: Path
) -> None:
    path = tiny_gguf.write_llama(
        tmp_path / "Tiny-F32.gguf", lambda writer: writer.add_rope_scaling_factor(4.0)
    )
    folder, steps = unpacked(path)
    assert [step for step, _ in steps] == sorted((s for s, _ in steps), key=ORDER.index)
    for step in ("vocabulary", "weights"):
        shares = [share for found, share in steps if found == step]
        assert 0 <= min(shares) < max(shares) <= 1
    assert len({share for step, share in steps if step == "weights"}) > 10
    config = read_json(folder / "config.json")
    assert config["rope_parameters"]["factor"] == 4.0
    assert config["_name_or_path"] == "Tiny"
    assert config["dtype"] == "float32"
    assert "quantization_config" not in config
    assert read_json(folder / "generation_config.json")["eos_token_id"] == [0, 2]
    assert (folder / "chat_template.jinja").read_bytes() == tiny_gguf.TEMPLATE.encode()
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(report.values())
    for ours, theirs in (
        ("embed_tokens", "token_embd"),
        ("layers.1.mlp.gate_proj", "blk.1.ffn_gate"),
        ("layers.0.self_attn.v_proj", "blk.0.attn_v"),
        ("norm", "output_norm"),
    ):
        found = model.model.get_parameter(f"{ours}.weight")
        assert torch.equal(found, tensor_in(path, f"{theirs}.weight"))


ORDER = ["vocabulary", "weights", "saving"]


@pytest.mark.parametrize("is_gated", [True, False])
def test_a_t5_is_loaded_as_it_was_saved(
    unpacked: Callable[[Path], tuple[Path, Steps]], tmp_path: Path, is_gated: bool
) -> None:
    path = tiny_gguf.write_t5(tmp_path / "t5.gguf", is_gated)
    folder, _ = unpacked(path)
    model, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(report.values())
    assert model.config.is_gated_act == is_gated
    layer = model.decoder.block[1].layer
    up = layer[2].DenseReluDense.wi_1 if is_gated else layer[2].DenseReluDense.wi
    assert torch.equal(up.weight, tensor_in(path, "dec.blk.1.ffn_up.weight"))
    assert torch.equal(model.lm_head.weight, tensor_in(path, "output.weight"))
    tokenizer = load_tokenizer(folder, framed=True)
    assert tokenizer.frame == ((), (1,))
    assert tokenizer.control_tokens["<extra_id_0>"] == tokenizer.vocabulary_size - 1
    assert 1 not in tokenizer.tokenize("he</s>")
    assert tokenizer.tokenize("he</s>", has_control_tokens=True) == [4, 1]


def test_weights_that_transformers_leaves_out_are_noticed(
    unpacked: Callable[[Path], tuple[Path, Steps]], tmp_path: Path
) -> None:
    bias = ("blk.0.attn_q.bias", tiny_gguf.WIDTH)
    path = tiny_gguf.write_llama(tmp_path / "bias.gguf", tensors=[bias])
    with pytest.raises(ModelError, match=r"takes 78,464 of its 78,528 numbers"):
        unpacked(path)


def test_weights_that_are_missing_are_noticed(
    unpacked: Callable[[Path], tuple[Path, Steps]], tmp_path: Path
) -> None:
    path = tiny_gguf.write_llama(tmp_path / "hole.gguf", left_out="blk.1.ffn_up.weight")
    with pytest.raises(ModelError, match=r"no weights in it for model\.layers\.1\.mlp\.up_proj"):
        unpacked(path)


def test_factors_of_frequencies_are_carried_over_or_refused(
    unpacked: Callable[[Path], tuple[Path, Steps]], tmp_path: Path
) -> None:
    factors = ("rope_freqs.weight", tiny_gguf.WIDTH // tiny_gguf.HEADS // 2)
    path = tiny_gguf.write_llama(tmp_path / "odd.gguf", tensors=[factors])
    with pytest.raises(ModelError, match="rule that is unknown"):
        unpacked(path)


def test_numbers_keep_their_size(starter: GgufFile) -> None:
    for quantisation, dtype in (
        ("BF16", torch.bfloat16),
        ("F32", torch.float32),
        ("F16", torch.float16),
        ("Q4_K_M", torch.float16),
    ):
        assert dtype_of(replace(starter, quantisation=quantisation)) is dtype


# ── the starter ─────────────────────────────────────────────────────────────────────────────


def test_the_starter_becomes_a_whole_model(torch_starter_folder: Path, starter: GgufFile) -> None:
    assert torch_starter_folder.name == starter.fingerprint
    assert stat.S_IMODE(torch_starter_folder.stat().st_mode) == 0o700
    assert starter.chat_template is not None
    template = (torch_starter_folder / "chat_template.jinja").read_bytes()
    assert template == starter.chat_template.encode()
    config = read_json(torch_starter_folder / "config.json")
    assert config["dtype"] == "float16"
    assert config["_name_or_path"] == "SmolLM2-135M-Instruct"
    assert "quantization_config" not in config
    assert read_json(torch_starter_folder / "generation_config.json")["eos_token_id"] == [2]
    with safe_open(torch_starter_folder / "model.safetensors", "pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 # no dict
    assert sum(prod(shape) for shape in shapes) == starter.parameters
