"""The reader of model folders: what it finds in whole ones, and how it refuses all others."""

import json
import math
import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import SCALE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.errors import ModelError
from assistant.model_store.safetensors_folder import ModelFolder, read_folder

BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "F8_E4M3": 1}
MUTATIONS = int(10_000 * SCALE) if SCALE > 0.1 else 300
SLOWEST_SECONDS = 0.05
LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "max_position_embeddings": 2_048,
    "vocab_size": 100,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
TENSORS = {"model.embed": ("F16", [100, 64]), "model.norm": ("F32", [64])}
Tensors = Mapping[str, tuple[str, list[int]]]


def header_of(tensors: Tensors) -> dict[str, Any]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (kind, shape) in tensors.items():
        end = at + math.prod(shape) * BYTES[kind]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, end]}
        at = end
    return header


def file_of(header: object, data_bytes: int) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data_bytes)


def weights(tensors: Tensors = TENSORS) -> bytes:
    data_bytes = sum(math.prod(shape) * BYTES[kind] for kind, shape in tensors.values())
    return file_of(header_of(tensors), data_bytes)


def one_tensor(tensor: object, data_bytes: int = 8) -> bytes:
    return file_of({"t": tensor}, data_bytes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole model; tests change a part of it."""
    path = tmp_path / "tiny"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(LLAMA))
    (path / "tokenizer.json").write_text("{}")
    (path / "model.safetensors").write_bytes(weights())
    return path


def with_config(folder: Path, **changes: Any) -> ModelFolder:
    (folder / "config.json").write_text(json.dumps({**LLAMA, **changes}))
    return read_folder(folder)


def with_only(folder: Path, **config: Any) -> ModelFolder:
    (folder / "config.json").write_text(json.dumps(config))
    return read_folder(folder)


def split(folder: Path, **changes: Any) -> None:
    """The weights in two files and an index."""
    (folder / "model.safetensors").unlink()
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    for name, tensor in zip(names, TENSORS, strict=True):
        (folder / name).write_bytes(weights({tensor: TENSORS[tensor]}))
    index = {"weight_map": dict(zip(TENSORS, names, strict=True)) | changes}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def refusal(path: Path) -> str:
    """The message and the hint, each of which must be one line."""
    with pytest.raises(ModelError) as caught:
        read_folder(path)
    assert caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint
    assert str(path) in caught.value.message
    return f"{caught.value.message} ({caught.value.hint})"


# ── whole folders ───────────────────────────────────────────────────────────────────────────


def test_every_field_of_a_small_model_is_read(folder: Path) -> None:
    found = read_folder(folder)
    assert (found.path, found.name, found.architecture) == (folder, "tiny", "llama")
    assert found.parameters == 100 * 64 + 64
    assert found.size_bytes == len(weights())
    assert found.quantisation == "F16"
    assert (found.window, found.vocabulary_size, found.block_count) == (2_048, 100, 4)
    assert (found.embedding_length, found.head_length) == (64, 16)
    assert (found.head_count, found.head_count_kv) == (4, 2)
    assert found.tied_embeddings
    assert not found.is_encoder_decoder
    assert not found.asks_for_code
    assert found.chat_template is None
    assert len(found.fingerprint) == 32


def test_a_folder_is_described_within_50_ms(folder: Path) -> None:
    read_folder(folder)
    before = time.thread_time()
    read_folder(folder)
    assert time.thread_time() - before < SLOWEST_SECONDS


def test_an_encoder_decoder_counts_by_its_decoder(folder: Path) -> None:
    t5 = with_only(
        folder,
        model_type="t5",
        is_encoder_decoder=True,
        d_model=512,
        d_kv=64,
        num_heads=6,
        num_layers=8,
        num_decoder_layers=4,
        n_positions=512,
    )
    assert t5.is_encoder_decoder
    assert (t5.window, t5.block_count, t5.embedding_length) == (512, 4, 512)
    assert (t5.head_count, t5.head_count_kv, t5.head_length) == (6, 6, 64)
    bart = with_only(
        folder,
        model_type="bart",
        num_hidden_layers=12,
        decoder_layers=6,
        decoder_attention_heads=16,
        d_model=1_024,
    )
    assert (bart.block_count, bart.head_count, bart.head_length) == (6, 16, 64)


def test_the_text_part_of_a_model_with_several_counts(folder: Path) -> None:
    found = with_only(
        folder,
        model_type="gemma3",
        hidden_size=7,
        text_config={**LLAMA, "head_dim": 256, "max_position_embeddings": 131_072},
    )
    assert found.architecture == "gemma3"
    assert (found.window, found.head_length, found.embedding_length) == (131_072, 256, 64)


@pytest.mark.parametrize(
    ("keys", "heads", "length"),
    [
        ({"multi_query": True, "num_kv_heads": 71}, 1, 16),
        ({"multi_query": True, "new_decoder_architecture": True, "num_kv_heads": 8}, 8, 16),
        ({"num_key_value_heads": None}, 4, 16),
        ({"num_key_value_heads": [1, 3, 2]}, 3, 16),
        ({"qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "head_dim": 64}, 2, 192),
    ],
)
def test_heads_are_counted_as_each_family_does(
    folder: Path, keys: dict[str, Any], heads: int, length: int
) -> None:
    config = {**LLAMA, **keys}
    if "num_kv_heads" in keys:
        del config["num_key_value_heads"]
    found = with_only(folder, **config)
    assert (found.head_count_kv, found.head_length) == (heads, length)


def test_what_config_json_does_not_say_is_zero(folder: Path) -> None:
    found = with_only(folder, model_type="mamba")
    assert (found.window, found.block_count, found.head_length, found.head_count_kv) == (0,) * 4


def test_embeddings_are_tied_when_no_output_layer_is_there(folder: Path) -> None:
    assert not with_config(folder, tie_word_embeddings=False).tied_embeddings
    with_output = {**TENSORS, "lm_head.weight": ("F16", [100, 64])}
    (folder / "model.safetensors").write_bytes(weights(with_output))
    assert not with_config(folder).tied_embeddings
    assert with_config(folder, tie_word_embeddings=True).tied_embeddings


def test_the_type_of_most_numbers_names_the_quantisation(folder: Path) -> None:
    for kind in ("BF16", "F32", "F8_E4M3"):
        tensors = {"a": (kind, [65]), "b": ("F16", [64]), "c": ("I64", [1])}
        (folder / "model.safetensors").write_bytes(weights(tensors))
        assert read_folder(folder).quantisation == kind


def test_a_type_that_came_later_is_named_as_it_is(folder: Path) -> None:
    packed = {"dtype": "F6_E9M9", "shape": [10], "data_offsets": [0, 8]}
    (folder / "model.safetensors").write_bytes(one_tensor(packed))
    assert read_folder(folder).quantisation == "F6_E9M9"


def test_a_split_model_is_the_sum_of_its_files(folder: Path) -> None:
    whole = read_folder(folder)
    split(folder)
    found = read_folder(folder)
    assert found.parameters == whole.parameters
    assert found.size_bytes == sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def test_weights_that_transformers_would_not_load_do_not_count(folder: Path) -> None:
    before = read_folder(folder)
    (folder / "consolidated.safetensors").write_bytes(b"anything")
    (folder / "training_args.bin").write_bytes(b"anything")
    assert read_folder(folder) == before


def test_links_are_followed(folder: Path, tmp_path: Path) -> None:
    whole = read_folder(folder)
    linked = tmp_path / "links"
    linked.mkdir()
    for path in folder.iterdir():
        (linked / path.name).symlink_to(path)
    found = read_folder(linked)
    assert found.name == "links"
    assert found.fingerprint == whole.fingerprint


COMMIT = "12fd25f77366fa6b3b4b768ec3050bf629380bac"


@pytest.mark.parametrize(
    ("place", "made_from", "name"),
    [
        ("coder", "org/base", "coder"),
        (f"models--org--coder-1.5B/snapshots/{COMMIT}", "org/base", "coder-1.5B"),
        (f"models--gpt2/snapshots/{COMMIT}", None, "gpt2"),
        (COMMIT, "/home/me/coder/", "coder"),
        (COMMIT, None, COMMIT),
        (COMMIT, "\x1b[31mred", COMMIT),
    ],
)
def test_a_commit_is_no_name(
    folder: Path, tmp_path: Path, place: str, made_from: str | None, name: str
) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(path)
    assert with_config(path, _name_or_path=made_from).name == name


def test_the_current_folder_has_its_own_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sub").mkdir()
    for place, path in ((folder, "."), (folder / "sub", "..")):
        monkeypatch.chdir(place)
        assert read_folder(Path(path)).name == "tiny"


# ── templates and code ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, None),
        ({"chat_template": None}, None),
        ({"chat_template": ""}, None),
        ({"chat_template": "{{ messages }} é"}, "{{ messages }} é"),
        ({"chat_template": "a\ud800b"}, "a?b"),
        ({"chat_template": []}, None),
        ({"chat_template": [{"name": "rag", "template": "r"}]}, None),
        (
            {
                "chat_template": [
                    {"name": "tool_use", "template": "t"},
                    {"name": "default", "template": "d"},
                ]
            },
            "d",
        ),
    ],
)
def test_the_chat_template_is_found(folder: Path, config: object, expected: str | None) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert read_folder(folder).chat_template == expected
    (folder / "chat_template.jinja").write_text("the file é")
    assert read_folder(folder).chat_template == "the file é"


@pytest.mark.parametrize(
    ("file", "auto_map", "asks"),
    [
        ("config.json", {"AutoModelForCausalLM": "modeling_x.X"}, True),
        ("config.json", {}, False),
        ("config.json", None, False),
        ("tokenizer_config.json", {"AutoTokenizer": ["tokenization_x.X", None]}, True),
        ("tokenizer_config.json", ["tokenization_x.X", None], True),
        ("tokenizer_config.json", {"AutoTokenizer": None}, False),
    ],
)
def test_who_brings_code_is_told_apart(
    folder: Path, file: str, auto_map: object, asks: bool
) -> None:
    (folder / file).write_text(json.dumps({**LLAMA, "auto_map": auto_map}))
    assert read_folder(folder).asks_for_code is asks


# ── fingerprints ────────────────────────────────────────────────────────────────────────────


def test_the_fingerprint_names_weights_tokenizer_and_config(folder: Path) -> None:
    seen = {read_folder(folder).fingerprint}
    changed = bytearray(weights())
    changed[-20] ^= 1
    (folder / "model.safetensors").write_bytes(changed)
    seen.add(read_folder(folder).fingerprint)
    (folder / "model.safetensors").write_bytes(weights().replace(b"model.norm", b"model.form"))
    seen.add(read_folder(folder).fingerprint)
    (folder / "tokenizer.json").write_text("{} ")
    seen.add(read_folder(folder).fingerprint)
    seen.add(with_config(folder, vocab_size=101).fingerprint)
    assert len(seen) == 5
    assert with_config(folder, vocab_size=101).fingerprint in seen


def test_the_fingerprint_samples_large_weights_everywhere(folder: Path) -> None:
    large = weights({"t": ("F32", [3 << 20])})
    file = folder / "model.safetensors"
    file.write_bytes(large)
    before = read_folder(folder).fingerprint
    for place in (len(large) // 2, len(large) - 1):
        around = max(0, place - (1 << 16))  # wider than the space between two samples
        file.write_bytes(large[:around] + b"\1" * (place + 1 - around) + large[place + 1 :])
        assert read_folder(folder).fingerprint != before


# ── refusals ────────────────────────────────────────────────────────────────────────────────


def test_what_is_no_model_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    assert "there is no such folder" in refusal(tmp_path / "none")
    assert "it is not a folder" in refusal(folder / "config.json")
    assert "it cannot be read: File name too long" in refusal(tmp_path / ("x" * 300))
    (folder / "config.json").unlink()
    hint = f"download it again: hf download ORG/NAME --local-dir {folder}"
    assert f"no config.json is in it ({hint})" in refusal(folder)
    (folder / "adapter_config.json").touch()
    assert "it holds an adapter, which is not applied here" in refusal(folder)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xff{}", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"vocab_size": ' + b"9" * 5_000 + b"}", "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b" " * ((8 << 20) + 1), "it is 8,388,609 bytes long"),
        (b"{}", "it does not name its architecture"),
        (b'{"model_type": "a b"}', "it does not name its architecture"),
        (b'{"model_type": ["llama"]}', "it does not name its architecture"),
    ],
)
def test_a_broken_config_is_refused(folder: Path, config: bytes, reason: str) -> None:
    (folder / "config.json").write_bytes(config)
    said = refusal(folder)
    assert f"{folder / 'config.json'} cannot be used: {reason}" in said
    assert f"hf download ORG/NAME --local-dir {folder}" in said


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vocab_size", -1),
        ("vocab_size", 2**31),
        ("hidden_size", 1.5),
        ("hidden_size", "64"),
        ("hidden_size", True),
        ("num_key_value_heads", [1, -1]),
        ("max_position_embeddings", float("inf")),
        ("is_encoder_decoder", "yes"),
        ("tie_word_embeddings", 1),
    ],
)
def test_absurd_numbers_are_refused_by_name(folder: Path, key: str, value: object) -> None:
    (folder / "config.json").write_text(json.dumps({**LLAMA, key: value}))
    assert f"{key} is " in refusal(folder)


def test_too_many_layers_are_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**LLAMA, "num_hidden_layers": 4_097}))
    assert "it claims 4,097 layers" in refusal(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
def test_pickles_are_never_loaded(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    said = refusal(folder)
    assert f"pickle files ({name}), which can run code and are never loaded" in said
    assert "safetensors/convert" in said


def test_without_weights_a_folder_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    assert "neither model.safetensors nor model.safetensors.index.json" in refusal(folder)
    (folder / "other.safetensors").unlink()
    assert "no .safetensors file is in it" in refusal(folder)
    (folder / "model.safetensors").write_bytes(weights({"t": ("F32", [0])}))
    assert "its weights are empty" in refusal(folder)


def test_a_missing_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("{}")
    assert "it has no tokenizer" in refusal(folder)


@pytest.mark.parametrize(
    "names", [["tokenizer.model"], ["spiece.model"], ["vocab.json", "merges.txt"]]
)
def test_every_kind_of_tokenizer_is_one(folder: Path, names: list[str]) -> None:
    (folder / "tokenizer.json").unlink()
    for name in names:
        (folder / name).write_text("x")
    before = read_folder(folder).fingerprint
    (folder / names[-1]).write_text("y")
    assert read_folder(folder).fingerprint != before


def test_a_missing_file_of_a_split_model_is_named(folder: Path) -> None:
    split(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    said = refusal(folder)
    assert "1 of its 2 files of weights are missing: model-00002-of-00002.safetensors" in said


@pytest.mark.parametrize(
    "name",
    [
        "../model.safetensors",
        "/etc/model.safetensors",
        "a/b.safetensors",
        "model.bin",
        "a\0.safetensors",
        "a\n.safetensors",
        "",
        7,
        None,
    ],
)
def test_an_index_that_points_elsewhere_is_refused(folder: Path, name: object) -> None:
    split(folder, other=name)
    assert "which is no file of weights beside it" in refusal(folder)


@pytest.mark.parametrize("index", [{}, {"weight_map": []}, {"weight_map": {}}])
def test_an_index_of_nothing_is_refused(folder: Path, index: object) -> None:
    split(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "it names no files of weights" in refusal(folder)


def test_weights_cut_anywhere_are_refused(folder: Path) -> None:
    data = weights({"t": ("F32", [8])})
    file = folder / "model.safetensors"
    for length in range(len(data)):
        file.write_bytes(data[:length])
        said = refusal(folder)
        assert "cut short" in said or f"it is only {length} bytes long" in said
        assert "download it again" in said


def test_a_cut_download_is_told_by_its_numbers(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(weights()[:-100])
    size = f"{len(weights()) - 100:,} of {len(weights()):,} bytes"
    assert f"the file is cut short: {size}" in refusal(folder)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1", "it is a Git LFS pointer"),
        (struct.pack("<Q", (100 << 20) + 1), "its header claims 104,857,601 bytes"),
        (struct.pack("<Q", 100 << 20), "cut short inside its header"),
        (struct.pack("<Q", 4) + b"abcd", "its header is not JSON"),
        (struct.pack("<Q", 90_000) + b"[" * 90_000, "its header is not JSON"),
        (struct.pack("<Q", 2) + b"[]", "its header is not a JSON object"),
        (weights() + b"more", "4 bytes at its end belong to no tensor"),
        (one_tensor(7), "'t' lacks a type"),
        (one_tensor({"dtype": "F32", "shape": [2]}), "'t' lacks"),
        (one_tensor({"dtype": 1, "shape": [2], "data_offsets": [0, 8]}), "'t' lacks"),
        (one_tensor({"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 9]}), "'t' lacks"),
        (one_tensor({"dtype": "F32", "shape": [2], "data_offsets": [0, 8.0]}), "'t' lacks"),
        (one_tensor({"dtype": "\x1b", "shape": [2], "data_offsets": [0, 8]}), "has the type"),
        (one_tensor({"dtype": "F32", "shape": [1] * 9, "data_offsets": [0, 4]}), "9 dimensions"),
        (one_tensor({"dtype": "F32", "shape": [-2], "data_offsets": [8, 0]}), "impossible shape"),
        (one_tensor({"dtype": "X", "shape": [2**63], "data_offsets": [0, 8]}), "impossible shape"),
        (one_tensor({"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}), "impossible shape"),
        (one_tensor({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}), "size of its shape"),
        (one_tensor({"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}), "overlap or leave"),
        (one_tensor({"dtype": "X", "shape": [1], "data_offsets": [8, 0]}), "overlap or leave"),
        (one_tensor({"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}), "overlap or leave"),
        (
            file_of(
                {
                    "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
                    "b": {"dtype": "X", "shape": [1], "data_offsets": [16, 8]},
                },
                8,
            ),
            "overlap or leave",
        ),
        (
            file_of({n: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for n in "ab"}, 8),
            "overlap or leave",
        ),
    ],
)
def test_broken_weights_are_refused_with_their_reason(
    folder: Path, data: bytes, reason: str
) -> None:
    (folder / "model.safetensors").write_bytes(data)
    said = refusal(folder)
    assert reason in said
    assert str(folder / "model.safetensors") in said


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    ],
)
def test_pipes_and_dead_links_are_refused_at_once(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert f"{folder / name} cannot be used: it is not a regular file" in refusal(folder)
    (folder / name).unlink()
    (folder / name).symlink_to("/nonexistent")
    assert f"{folder / name} cannot be used: it cannot be opened" in refusal(folder)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"chat_template": 7}'])
def test_a_broken_tokenizer_config_is_refused(folder: Path, data: bytes) -> None:
    (folder / "tokenizer_config.json").write_bytes(data)
    assert "tokenizer_config.json cannot be used" in refusal(folder)


# ── hostile folders: anything is read or refused, and within 50 ms ──────────────────────────


WHOLE = weights({**TENSORS, "lm_head.weight": ("F16", [4, 4])})
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
BYTE_EDITS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 12), st.binary(max_size=12)),
    min_size=1,
    max_size=4,
)
EVERY_FOLDER_ANEW = settings(
    max_examples=MUTATIONS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def check_is_answered(folder: Path) -> None:
    seconds: list[float] = []
    while not seconds or (seconds[-1] >= SLOWEST_SECONDS and len(seconds) < 3):
        before = time.thread_time()
        try:
            said = read_folder(folder).name
        except ModelError as err:
            said = err.message
        seconds.append(time.thread_time() - before)
        assert said
        assert "\n" not in said
    assert min(seconds) < SLOWEST_SECONDS  # what is slow is slow every time; a pause is not


@EVERY_FOLDER_ANEW
@given(edits=BYTE_EDITS)
def test_mutated_headers_raise_nothing_but_a_model_error(
    folder: Path, edits: list[tuple[int, int, bytes]]
) -> None:
    data = WHOLE
    for at, cut, put in edits:
        data = data[:at] + put + data[at + cut :]
    (folder / "model.safetensors").write_bytes(data)
    check_is_answered(folder)


@EVERY_FOLDER_ANEW
@given(
    name=st.sampled_from(sorted(TENSORS)),
    key=st.sampled_from(["dtype", "shape", "data_offsets", ""]),
    value=JSON_VALUES,
)
def test_any_json_in_a_header_raises_nothing_but_a_model_error(
    folder: Path, name: str, key: str, value: object
) -> None:
    header = header_of(TENSORS)
    if key:
        header[name][key] = value
    else:
        header[name] = value
    (folder / "model.safetensors").write_bytes(file_of(header, 100 * 64 * 2 + 64 * 4))
    check_is_answered(folder)


@EVERY_FOLDER_ANEW
@given(
    key=st.sampled_from([*LLAMA, "text_config", "auto_map", "_name_or_path", "chat_template"]),
    value=JSON_VALUES,
)
def test_any_json_in_the_configs_raises_nothing_but_a_model_error(
    folder: Path, key: str, value: object
) -> None:
    for file in ("config.json", "tokenizer_config.json"):
        (folder / file).write_text(json.dumps({**LLAMA, key: value}))
    check_is_answered(folder)
