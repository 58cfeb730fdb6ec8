"""What cannot be opened is refused in one line, with the next thing to type."""

import json
import pickle
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from msgspec.structs import replace
from tiny_models import SHAPE, VOCABULARY, llama_config, save_model

from assistant.backends.base import ModelSpec, Runtime
from assistant.backends.huggingface import opening
from assistant.backends.open import open_backend
from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.errors import AssistantError, ModelError, NotEnoughMemory, UsageError
from assistant.events import Finished, ModelLoading
from assistant.messages import ChatPrompt, RawPrompt, Role, message
from assistant.model_store.memory import folder_kv_bytes
from assistant.model_store.safetensors_folder import read_folder

Spoil = Callable[[Path], None]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny-model"
    save_model(folder, llama_config())
    return folder


def spec_of(folder: Path, **more: Any) -> ModelSpec:
    choices: dict[str, Any] = {"dtype": "f32", "device": "cpu", **more}
    return ModelSpec(folder, threads=1, runtime=Runtime.TORCH, **choices)


def refusal(spec: ModelSpec) -> AssistantError:
    with pytest.raises(AssistantError) as caught:
        open_backend(spec, lambda _loading: True)
    assert caught.value.message
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def change_config(folder: Path, name: str = "config.json", **values: object) -> None:
    path = folder / name
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, **values}))


def only_pickles(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    trap = {"weights": _Trap(str(folder / "pickle-was-loaded"))}
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(trap))


class _Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self._path, "w")


def lose_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


FAULTS: dict[str, tuple[Spoil, str]] = {
    "no safetensors": (lambda f: (f / "model.safetensors").unlink(), "safetensors"),
    "only pickles": (only_pickles, "pickle"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer"),
    "broken tokenizer": (lambda f: _write(f / "tokenizer.json", '{"model": {}}'), "tokenizer"),
    "tokenizer is no JSON": (lambda f: _write(f / "tokenizer.json", "{"), "tokenizer"),
    "no config": (lambda f: (f / "config.json").unlink(), "config.json"),
    "unknown architecture": (
        lambda f: change_config(f, model_type="quantum_llama", architectures=["QuantumLlama"]),
        "does not know the architecture 'quantum_llama'",
    ),
    "remote code": (
        lambda f: change_config(
            f,
            model_type="quantum_llama",
            auto_map={"AutoModelForCausalLM": "modeling_quantum.QuantumLlama"},
        ),
        "code of its own",
    ),
    "other weights": (
        lambda f: change_config(f, transformers_weights="adapter_model.bin"),
        "transformers_weights",
    ),
    "an adapter": (lambda f: _write(f / "adapter_config.json", "{}"), "adapter"),
    "a weight is missing": (lose_a_weight, "lacks weights: model.layers.1.mlp.up_proj.weight"),
    "other shapes": (lambda f: change_config(f, intermediate_size=64), "cannot load"),
}


def _write(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_cannot_be_used_is_refused(fault: str, tiny: Path) -> None:
    spoil, words = FAULTS[fault]
    spoil(tiny)
    error = refusal(spec_of(tiny))
    assert isinstance(error, ModelError)
    assert words in error.message


def test_a_pickle_is_never_loaded_not_even_beside_safetensors(tiny: Path) -> None:
    trap = {"weights": _Trap(str(tiny / "pickle-was-loaded"))}
    (tiny / "pytorch_model.bin").write_bytes(pickle.dumps(trap))
    open_backend(spec_of(tiny), lambda _loading: True).close()
    (tiny / "model.safetensors").unlink()
    refusal(spec_of(tiny))
    assert not (tiny / "pickle-was-loaded").exists()


def test_code_beside_a_known_architecture_is_not_run(tiny: Path) -> None:
    change_config(tiny, auto_map={"AutoModelForCausalLM": "modeling_trap.Trap"})
    (tiny / "modeling_trap.py").write_text("raise SystemExit('code was run')\n")
    backend = open_backend(spec_of(tiny), lambda _loading: True)
    assert backend.info.parameters > 1000
    backend.close()


def test_without_a_chat_template_a_model_cannot_chat(tmp_path: Path) -> None:
    save_model(tmp_path, llama_config(), template=None)
    engine = LocalEngine(spec_of(tmp_path))
    list(engine.load())
    assert not engine.info.abilities.chat
    with pytest.raises(ModelError, match="no chat template"):
        engine.render(ChatPrompt((message(Role.USER, "hi"),), date(2026, 1, 1)))
    engine.close()


def test_a_model_larger_than_main_memory_is_refused_with_choices(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "available_bytes", lambda: 100_000)
    error = refusal(spec_of(tiny))
    assert isinstance(error, NotEnoughMemory)
    assert "main memory" in error.message


def test_a_model_larger_than_the_gpu_is_refused_with_choices(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_gpu(monkeypatch, free=100_000)
    error = refusal(spec_of(tiny, device="", dtype=""))
    assert isinstance(error, NotEnoughMemory)
    assert "the GPU's memory" in error.message
    assert "LLMCHAT_DEVICE=cpu" in error.hint


def test_memory_that_runs_out_while_loading_is_told(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    assert isinstance(refusal(spec_of(tiny)), NotEnoughMemory)


def pretend_gpu(monkeypatch: pytest.MonkeyPatch, free: int = 10**12) -> None:
    monkeypatch.setattr(opening, "_has_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free, 10**12))


def test_a_gpu_is_taken_when_there_is_one_and_computes_in_bf16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend_gpu(monkeypatch)
    place = opening.choose_place(ModelSpec(Path("any"), runtime=Runtime.TORCH))
    assert (place.device.type, place.dtype) == ("cuda", torch.bfloat16)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    place = opening.choose_place(ModelSpec(Path("any"), runtime=Runtime.TORCH))
    assert place.dtype is torch.float16
    place = opening.choose_place(ModelSpec(Path("any"), runtime=Runtime.TORCH, device="cpu"))
    assert place.device.type == "cpu"


@pytest.mark.parametrize(("has_bf16", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_computes_in_bf16_where_it_can(
    has_bf16: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    place = opening.choose_place(ModelSpec(Path("any"), runtime=Runtime.TORCH, device="cpu"))
    assert place.dtype is dtype


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"device": "cuda"}, "no GPU"),
        ({"int8": True, "dtype": "bf16"}, "f32"),
    ],
)
def test_choices_that_exclude_each_other_are_refused(
    choices: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_has_gpu", lambda: False)
    with pytest.raises(UsageError, match=words):
        opening.choose_place(spec_of(Path("any"), **{"dtype": "", **choices}))


def test_8_bits_are_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpu(monkeypatch)
    spec = spec_of(Path("any"), device="", dtype="", int8=True)
    with pytest.raises(UsageError, match="CPU only"):
        opening.choose_place(spec)
    assert opening.choose_place(replace(spec, device="cpu")).int8


def test_a_gpu_that_was_lost_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lost)
    place = opening.choose_place(ModelSpec(Path("any"), runtime=Runtime.TORCH))
    assert place.device.type == "cpu"


def test_slots_on_a_gpu_can_all_grow_to_the_window(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = read_folder(tiny)
    whole = folder_kv_bytes(folder, 512, 2)
    for room, slots in ((100 * whole, 8), (5 * whole, 4), (1.3 * whole, 1)):
        pretend_gpu(monkeypatch, free=int(room))
        place = opening.choose_place(ModelSpec(tiny, runtime=Runtime.TORCH))
        assert opening._slots(folder, place, 512) == slots
    pretend_gpu(monkeypatch, free=int(whole / 2))
    with pytest.raises(NotEnoughMemory):
        opening._slots(folder, place, 512)


@pytest.mark.parametrize(
    ("rope", "window"),
    [
        ({"rope_type": "default", "rope_theta": 10000.0}, 512),
        ({"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}, 512),
        ({"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}, 512),
        (
            {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "short_factor": [1.0] * 4,
                "long_factor": [2.0] * 4,
                "original_max_position_embeddings": 128,
            },
            128,
        ),
    ],
    ids=["default", "linear", "dynamic", "longrope"],
)
def test_the_window_ends_where_other_angles_begin(
    rope: dict[str, Any], window: int, tmp_path: Path
) -> None:
    save_model(tmp_path, llama_config(rope_parameters=rope))
    backend = open_backend(spec_of(tmp_path), lambda _loading: True)
    assert backend.info.window == window
    backend.close()


@pytest.mark.parametrize("int8", [False, True])
def test_an_encoder_decoder_folder_answers_a_text(int8: bool, tmp_path: Path) -> None:
    config = transformers.T5Config(
        vocab_size=VOCABULARY,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        decoder_start_token_id=0,
        eos_token_id=257,
        pad_token_id=0,
    )
    save_model(tmp_path, config, template=None)
    engine = LocalEngine(spec_of(tmp_path, dtype="" if int8 else "f32", int8=int8))
    list(engine.load())
    assert engine.info.abilities.encoder
    assert engine.info.quantisation == ("int8" if int8 else "F32")
    request = GenerationRequest(RawPrompt("Summarize: a b c"), max_new_tokens=5, seed=1)
    *_, finished = engine.stream(request)
    assert isinstance(finished, Finished)
    assert not finished.answers[0].error
    engine.close()


def test_8_bits_are_refused_where_most_weights_are_experts(tmp_path: Path) -> None:
    config = transformers.Qwen3MoeConfig(
        **SHAPE, moe_intermediate_size=64, num_experts=8, num_experts_per_tok=2
    )
    save_model(tmp_path, config)
    error = refusal(spec_of(tmp_path, dtype="", int8=True))
    assert "--int8 is of no use" in error.message
    open_backend(spec_of(tmp_path), lambda _loading: True).close()


def test_loading_tells_what_it_does_and_can_be_given_up(tiny: Path) -> None:
    told: list[ModelLoading] = []

    def tell(loading: ModelLoading) -> bool:
        told.append(loading)
        return True

    open_backend(spec_of(tiny), tell).close()
    shares = [loading.share for loading in told]
    assert shares == sorted(shares, key=lambda share: share or 0.0)
    assert len(told) >= 2
    with pytest.raises(ModelError, match="given up"):
        open_backend(spec_of(tiny), lambda _loading: False)


def test_the_folder_says_what_the_model_is(tiny: Path) -> None:
    backend = open_backend(spec_of(tiny), lambda _loading: True)
    info = backend.info
    assert (info.name, info.device, info.quantisation, info.window) == (
        "tiny-model",
        "CPU",
        "F32",
        512,
    )
    assert info.abilities.chat
    assert not info.abilities.grammar
    assert re.fullmatch(
        r"PyTorch [\w.+]+ \(transformers [\w.]+\) · cpu \w+ · f32 · \d+ threads?", info.build
    )
    smaller = open_backend(spec_of(tiny, window=128), lambda _loading: True)
    assert smaller.info.window == 128
    assert smaller.info.fingerprint == info.fingerprint
    smaller.close()
    backend.close()
