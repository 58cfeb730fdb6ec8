"""What is special about PyTorch: other architectures, captured steps, short products, 8 bits."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from msgspec.structs import replace
from tiny_models import SHAPE, VOCABULARY, llama_config, save_model

from assistant.backends.base import Backend, DecodeResult, ModelSpec, Row, Runtime, SamplingOptions
from assistant.backends.huggingface import captured_steps, decoder
from assistant.backends.huggingface.attention import Stretches, attending
from assistant.backends.huggingface.captured_steps import (
    SMALLEST_BUCKET,
    Step,
    batch_of,
    bucket_of,
    padded,
)
from assistant.backends.huggingface.decoder import Decoder
from assistant.backends.huggingface.short_linear import MOST_ROWS, ShortLinear
from assistant.backends.open import open_backend
from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.errors import EngineFailed, ModelError
from assistant.events import Answer, Finished, Reason
from assistant.messages import RawPrompt

GREEDY = SamplingOptions(temperature=0.0)
SMALL = {**SHAPE, "num_hidden_layers": 4}
ARCHITECTURES: dict[str, Callable[[], Any]] = {
    "llama": lambda: llama_config(),
    "one key head": lambda: llama_config(num_key_value_heads=1),
    "mistral, sliding": lambda: transformers.MistralConfig(**SHAPE, sliding_window=5),
    "qwen2, biases": lambda: transformers.Qwen2Config(**SHAPE),
    "qwen3, norms": lambda: transformers.Qwen3Config(**SHAPE),
    "gemma2, capped": lambda: transformers.Gemma2Config(
        **SMALL, sliding_window=5, query_pre_attn_scalar=8, attn_logit_softcapping=3.0
    ),
    "gemma3, sliding": lambda: transformers.Gemma3TextConfig(
        **SMALL, sliding_window=5, query_pre_attn_scalar=8
    ),
    "gpt-oss, sinks": lambda: transformers.GptOssConfig(
        **SMALL, sliding_window=5, num_local_experts=2, num_experts_per_tok=1
    ),
    "phi3": lambda: transformers.Phi3Config(**SHAPE),
    "starcoder2": lambda: transformers.Starcoder2Config(**SHAPE, sliding_window=6),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=3, n_head=4, n_positions=512, eos_token_id=257
    ),
}


def opened(folder: Path, **more: Any) -> Decoder:
    """In f32 on the CPU unless told otherwise."""
    choices: dict[str, Any] = {"dtype": "f32", "device": "cpu", **more}
    spec = ModelSpec(folder, threads=1, runtime=Runtime.TORCH, **choices)
    backend = open_backend(spec, lambda _loading: True)
    assert isinstance(backend, Decoder)
    return backend


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    save_model(tmp_path, llama_config())
    return tmp_path


def prompt_of(seed: int, count: int) -> list[int]:
    return [(seed * 31 + at * at * 7) % 250 + 1 for at in range(count)]


def write(backend: Backend, prompt: Sequence[int], count: int, chunk: int = 9) -> list[int]:
    """Greedy tokens, the prompt read in chunks."""
    backend.trim(0, 0)
    for at in range(0, len(prompt), chunk):
        backend.decode([Row(0, prompt[at : at + chunk], at, at + chunk >= len(prompt))])
    sampler = backend.new_sampler(GREEDY, 1)
    written = [backend.sample(0, sampler)]
    while len(written) < count:
        start = len(prompt) + len(written) - 1
        assert backend.decode([Row(0, written[-1:], start, True)]) is DecodeResult.DECODED
        written.append(backend.sample(0, sampler))
    return written


# ── architectures ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_written_is_what_transformers_writes(name: str, tmp_path: Path) -> None:
    plain = save_model(tmp_path, ARCHITECTURES[name]())
    backend = opened(tmp_path)
    texts = set()
    for seed in range(3):
        prompt = prompt_of(seed, 23)
        ids = torch.tensor([prompt])
        expected = plain.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=20,
            max_new_tokens=20,
            eos_token_id=None,
            pad_token_id=0,
        )
        found = write(backend, prompt, 20)
        assert found == expected[0, len(prompt) :].tolist()
        texts.add(tuple(found))
    assert len(texts) == 3
    backend.close()


@pytest.mark.parametrize(
    "config",
    [
        transformers.MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2),
        transformers.BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4),
    ],
    ids=["mamba", "bloom"],
)
def test_a_model_whose_attention_is_not_ours_is_refused(config: Any, tmp_path: Path) -> None:
    save_model(tmp_path, config)
    with pytest.raises(ModelError, match="do not run here on PyTorch") as caught:
        opened(tmp_path)
    assert "GGUF" in caught.value.hint


def test_attention_that_differs_from_transformers_is_noticed(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Stretches.attend
    monkeypatch.setattr(Stretches, "attend", lambda *a, **k: right(*a, **k) * 1.5)
    with pytest.raises(ModelError, match="differ"):
        opened(tiny)


# ── captured steps, as far as a CPU can show them ───────────────────────────────────────────


def test_a_step_gives_the_logits_of_a_plain_call(tmp_path: Path) -> None:
    for name in ("llama", "mistral, sliding", "gemma2, capped", "gpt-oss, sinks"):
        folder = tmp_path / name
        save_model(folder, ARCHITECTURES[name]())
        backend = opened(folder)
        with torch.inference_mode():
            for cells in (*backend._cache.keys, *backend._cache.values):
                cells.zero_()  # as on a GPU
        lengths = {3: 40, 5: 12, 1: 7}
        for slot, length in lengths.items():
            backend.decode([Row(slot, prompt_of(slot, length), 0, True)])
        rows = [Row(slot, [slot + 50], length, True) for slot, length in lengths.items()]
        assert backend.decode(rows) is DecodeResult.DECODED
        expected = [backend.log_probabilities(at) for at in range(3)]
        for batch in (rows, *([row] for row in rows)):
            found = stepped(backend, batch, batch[0].slot if len(batch) == 1 else None)
            for at, row in enumerate(batch):
                assert found[at] == pytest.approx(expected[rows.index(row)], abs=1e-3)
        backend.close()


def stepped(backend: Decoder, rows: Sequence[Row], slot: int | None) -> list[Any]:
    tokens, slots, positions = padded(rows, batch_of(len(rows)))
    plan = Step(torch.tensor(slots), torch.tensor(positions), SMALLEST_BUCKET, slot)
    with torch.inference_mode(), attending(backend._cache, plan):
        logits = captured_steps.forward(
            backend._model, backend._cache, torch.tensor(tokens)[:, None], plan
        )
    return [one.log_softmax(0).numpy() for one in logits.float()]


def test_few_graphs_serve_all_lengths_and_batches() -> None:
    assert {bucket_of(length, 3000) for length in range(1, 3001)} == {256, 512, 1024, 2048, 3000}
    assert {batch_of(rows) for rows in range(1, 9)} == {1, 2, 4, 8}


# ── short products ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bias", [True, False])
def test_short_products_are_the_products(bias: bool) -> None:
    torch.manual_seed(1)
    layer = torch.nn.Linear(40, 30, bias=bias)
    short = ShortLinear(layer)
    assert {name for name, _ in short.named_parameters()} == dict(layer.named_parameters()).keys()
    for rows in (0, 1, 2, 3, MOST_ROWS, MOST_ROWS + 1, 50):
        for shape in ((rows, 40), (1, rows, 40), (rows, 1, 40)):
            given = torch.randn(shape)
            torch.testing.assert_close(short(given), layer(given))


# ── faults ──────────────────────────────────────────────────────────────────────────────────


def failing_after(backend: Decoder, calls: int, error: Exception) -> None:
    """The model raises once, after so many calls."""
    forward, left = backend._model.forward, [calls]

    def fail(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == -1:
            raise error
        return forward(*args, **kwargs)

    backend._model.forward = fail


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate"),
    ],
    ids=["GPU", "CPU"],
)
def test_memory_that_runs_out_in_a_call_changes_nothing(tiny: Path, error: Exception) -> None:
    backend = opened(tiny)
    prompt = prompt_of(1, 30)
    expected = write(backend, prompt, 6)
    backend.trim(0, 0)
    backend.decode([Row(0, prompt[:20], 0, True)])
    failing_after(backend, 0, error)
    assert backend.decode([Row(0, prompt[20:], 20, True)]) is DecodeResult.NO_ROOM
    assert backend.decode([Row(0, prompt[20:], 20, True)]) is DecodeResult.DECODED
    assert write(backend, prompt, 6) == expected
    backend.close()


def test_memory_is_asked_for_before_pages_become_real(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(tiny)
    long = [prompt_of(seed, 400) for seed in range(3)]
    assert backend.decode([Row(0, long[0], 0, True)]) is DecodeResult.DECODED
    each = backend._cache.bytes_per_position
    monkeypatch.setattr(decoder, "available_bytes", lambda: 300 * each)
    assert backend.decode([Row(1, long[1], 0, True)]) is DecodeResult.NO_ROOM
    backend.trim(0, 0)
    assert backend.decode([Row(0, long[2], 0, True)]) is DecodeResult.DECODED  # its own pages
    assert backend.decode([Row(1, long[1][:200], 0, True)]) is DecodeResult.DECODED
    backend.close()


def test_a_cache_that_grows_writes_only_what_slots_hold(tiny: Path) -> None:
    backend = opened(tiny)
    cache = backend._cache
    with torch.inference_mode():
        for cells in (*cache.keys, *cache.values):
            cells.fill_(7.0)
        cache.capacity //= 2
        cache.keys = [cells[:, :, : cache.capacity] for cells in cache.keys]
        cache.grow(512, [3, 0, 5, 0, 0, 0, 0, 0])
    grown = cache.keys[0]
    assert (grown[0, :, :3] == 7).all()
    assert (grown[2, :, :5] == 7).all()
    assert not (grown[1, :, :256] == 7).any()
    backend.close()


LOST = RuntimeError("CUDA error: unspecified launch failure")
OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize("error", [LOST, OUT_OF_MEMORY], ids=["lost", "out of memory"])
def test_an_answer_survives_what_kills_its_engine(tiny: Path, error: Exception) -> None:
    """Its text is kept, it is marked failed, and the next question is answered."""
    backends: list[Decoder] = []

    def open_it(spec: ModelSpec, on_progress: Any) -> Backend:
        backend = open_backend(spec, on_progress)
        assert isinstance(backend, Decoder)
        backends.append(backend)
        return backend

    spec = ModelSpec(tiny, threads=1, runtime=Runtime.TORCH, dtype="f32", device="cpu")
    engine = LocalEngine(spec, open_it)
    list(engine.load())
    request = GenerationRequest(
        RawPrompt("def add(a, b):"), GREEDY, 20, seed=1, ends_repetition=False
    )
    whole = answer_of(engine, request)
    failing_after(backends[0], 5, error)
    broken = answer_of(engine, request)
    assert broken.reason is Reason.FAILED
    assert broken.error
    assert 0 < len(broken.token_ids) < len(whole.token_ids)
    assert broken.token_ids == whole.token_ids[: len(broken.token_ids)]
    assert whole.text.startswith(broken.text)
    assert answer_of(engine, request).token_ids == whole.token_ids
    assert len(backends) == (2 if error is LOST else 1)
    engine.close()


def answer_of(engine: LocalEngine, request: GenerationRequest) -> Answer:
    *_, finished = engine.stream(request)
    assert isinstance(finished, Finished)
    return finished.answers[0]


def test_another_failure_says_what_pytorch_said(tiny: Path) -> None:
    backend = opened(tiny)
    failing_after(backend, 0, LOST)
    with pytest.raises(EngineFailed, match="unspecified launch failure"):
        backend.decode([Row(0, [1, 2], 0, True)])
    backend.close()


# ── numbers ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("dtype", "shown"), [("f32", "F32"), ("bf16", "BF16")])
def test_the_numbers_asked_for_are_used(tiny: Path, dtype: str, shown: str) -> None:
    backend = opened(tiny, dtype=dtype)
    assert backend.info.quantisation == shown
    assert backend._cache.keys[0].dtype == {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
    prompt = prompt_of(3, 20)
    backend.decode([Row(0, prompt, 0, True)])
    state = backend.export_state(0)
    assert backend.import_state(1, state)
    rows = [Row(0, [9], 20, True), Row(1, [9], 20, True)]
    assert backend.decode(rows) is DecodeResult.DECODED
    assert (backend.log_probabilities(0) == backend.log_probabilities(1)).all()
    backend.close()


def test_8_bits_lose_little(torch_starter_folder: Path) -> None:
    text = "The keeper of the light wrote in his log: the wind, the ships, the oil he had burnt. "
    perplexities = []
    for int8 in (False, True):
        spec = ModelSpec(torch_starter_folder, threads=1, runtime=Runtime.TORCH, device="cpu")
        engine = LocalEngine(replace(spec, int8=int8, dtype="" if int8 else "f32"))
        list(engine.load())
        assert engine.info.quantisation == ("int8" if int8 else "F32")
        tokens = len(engine.tokenize(text))
        perplexities.append(math.exp(-engine.score(RawPrompt("Once. "), [text])[0] / tokens))
        engine.close()
    full, small = perplexities
    assert small != full
    assert small == pytest.approx(full, rel=0.1)
