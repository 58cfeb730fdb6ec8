"""llama.cpp, PyTorch and plain `generate()` on the same weights, in one run; and 8 bits."""

import math
import statistics
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from assistant.backends.base import ModelSpec, Runtime, SamplingOptions
from assistant.engine.base import GenerationRequest, Keep
from assistant.engine.local import LocalEngine
from assistant.events import Finished, ModelLoading
from assistant.messages import RawPrompt
from assistant.model_store.gguf_file import read_gguf
from assistant.model_store.local_models import find_model
from assistant.model_store.machine import cpu_threads
from benchmarks.generate_peer import generate_peer
from benchmarks.measure import RUNS, detail, ratio, show, spread, starter_engine
from benchmarks.worker import Measures, Worker

DEPTH = 128  # tokens of the prompt
NEW_TOKENS = 64
LOAD_SECONDS = 3.0
TEXT = Path(__file__).parent.parent / "README.md"  # scored for its perplexity
SCORED_TOKENS = 1024


def main() -> None:
    with TemporaryDirectory() as cache:
        folder = converted(Path(cache))
        torch_spec = ModelSpec(folder, runtime=Runtime.TORCH, device="cpu", dtype="f32")
        llama = Worker(our_engine, ModelSpec(find_model("starter")))
        ours = Worker(our_engine, torch_spec)
        plain = Worker(generate_peer, folder, "cpu", "float32", cpu_threads())
        ids = prompt_ids()
        decode = {
            name: partial(worker.ask, "decode", ids, NEW_TOKENS)
            for name, worker in (("llama", llama), ("ours", ours), ("plain", plain))
        }
        measured = ratio(decode["ours"], decode["plain"])
        show("PyTorch decode tokens/s on the CPU, against generate()", measured, 1.0, at_most=False)
        detail(f"llama.cpp (Q4_1): {spread([decode['llama']() for _ in range(RUNS)])} tokens/s")
        first = ratio(partial(ours.ask, "first_token", ids), partial(plain.ask, "first_token", ids))
        show(
            f"seconds to the first of {DEPTH} tokens, against generate()", first, 1.1, at_most=True
        )
        loads = [ours.ask("load") for _ in range(3)]
        show(
            "loading the starter again",
            statistics.median(loads),
            LOAD_SECONDS,
            at_most=True,
            unit="s",
        )
        plain.close()
        llama.close()
        in_8_bits(ours, torch_spec, ids)
        ours.close()


def prompt_ids() -> list[int]:
    """Of a text that goes on for long."""
    engine = starter_engine()
    ids = engine.tokenize(TEXT.read_text("utf-8"))[:DEPTH]
    engine.close()
    return ids


def converted(cache: Path) -> Path:
    """The starter's weights as a folder; told how long that took."""
    from assistant.backends.huggingface.gguf_conversion import convert

    started = time.perf_counter()
    folder = convert(read_gguf(find_model("starter")), cache, lambda _loading: True)
    detail(f"the first time, the starter is converted: {time.perf_counter() - started:.1f} s")
    return folder


def in_8_bits(full: Worker, spec: ModelSpec, ids: list[int]) -> None:
    small = Worker(our_engine, replace(spec, dtype="", int8=True))
    speed = ratio(
        partial(small.ask, "decode", ids, NEW_TOKENS), partial(full.ask, "decode", ids, NEW_TOKENS)
    )
    detail(f"--int8 decodes at {speed:.2f} × the speed of f32")
    perplexities = [worker.ask("perplexity") for worker in (full, small)]
    detail("perplexity of the README: f32 {:.3f}, --int8 {:.3f}".format(*perplexities))
    small.close()


def our_engine(spec: ModelSpec) -> Measures:
    engine = opened(spec)
    return {
        "decode": partial(decode_speed, engine),
        "first_token": partial(first_token_seconds, engine),
        "load": partial(load_seconds, spec),
        "perplexity": partial(perplexity, engine),
    }


def opened(spec: ModelSpec) -> LocalEngine:
    engine = LocalEngine(spec)
    for step in engine.load():
        assert isinstance(step, ModelLoading)
    return engine


def decode_speed(engine: LocalEngine, ids: list[int], new_tokens: int) -> float:
    """Tokens per second between the first and the last one, greedy."""
    request = GenerationRequest(
        RawPrompt(token_ids=tuple(ids)),
        SamplingOptions(temperature=0.0),
        new_tokens,
        keep=Keep.NOTHING,
        ends_repetition=False,
    )
    *_, finished = engine.stream(request)
    assert isinstance(finished, Finished)
    return finished.usage.decode_tokens_per_second


def first_token_seconds(engine: LocalEngine, ids: list[int]) -> float:
    request = GenerationRequest(
        RawPrompt(token_ids=tuple(ids)),
        SamplingOptions(temperature=0.0),
        max_new_tokens=1,
        keep=Keep.NOTHING,
    )
    *_, finished = engine.stream(request)
    assert isinstance(finished, Finished)
    return finished.usage.seconds_to_first_token


def load_seconds(spec: ModelSpec) -> float:
    """In a process that has imported the libraries already."""
    started = time.perf_counter()
    opened(spec).close()
    return time.perf_counter() - started


def perplexity(engine: LocalEngine) -> float:
    ids = engine.tokenize(TEXT.read_text("utf-8"))[:SCORED_TOKENS]
    prompt, rest = RawPrompt(token_ids=tuple(ids[:16])), engine.detokenize(ids[16:])
    count = len(engine.tokenize(rest))
    return math.exp(-engine.score(prompt, [rest])[0] / count)
