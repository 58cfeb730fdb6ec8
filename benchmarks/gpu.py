"""PyTorch on a GPU: share of the memory's speed, first token, against plain `generate()`.

Random weights in the shapes of Qwen2.5-Coder: speed does not depend on their values. Where
there is no GPU nothing is measured, and the table says so.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.generate_peer import decode, first_token
from benchmarks.measure import detail, show

if TYPE_CHECKING:
    from assistant.backends.huggingface.decoder import Decoder

RESULTS = Path(__file__).parent / "results" / "gpu.md"
RUNS = 3
DEPTH = 128  # tokens before decoding
NEW_TOKENS = 256
PROMPT = 2048  # tokens before the first one
WINDOW = 4096
ROOFLINE_SHARE, AGAINST_GENERATE = 0.5, 3.0  # the bars
WITH_BARS = "Qwen2.5-Coder-7B"
# https://huggingface.co/Qwen/Qwen2.5-Coder-7B/blob/main/config.json and its 1.5B sibling
SHAPES: dict[str, dict[str, Any]] = {
    "Qwen2.5-Coder-1.5B": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    },
    "Qwen2.5-Coder-7B": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
}
HEAD = (
    "| shape, bf16 | tokens/s | of the roofline | generate() tokens/s | ratio "
    "| first of 2,048 tokens | generate() |"
)


def main() -> None:
    import torch

    if not torch.cuda.is_available():
        detail("PyTorch on a GPU: not measured, there is none here")
        if not RESULTS.exists():
            rows = [f"| {name} |" + " not measured |" * 6 for name in SHAPES]
            write("no GPU was at hand", rows)
        return
    device = torch.device("cuda")
    speed = memory_speed(device)
    rows = [measure(name, shape, device, speed) for name, shape in SHAPES.items()]
    write(f"{torch.cuda.get_device_name(device)}, memory read at {speed / 1e12:.2f} TB/s", rows)


def measure(name: str, shape: dict[str, Any], device: Any, speed: float) -> str:
    """One row of the table. `speed` of the memory in bytes per second."""
    model = random_model(shape, device)
    weights = sum(p.numel() * p.element_size() for p in set(model.parameters()))
    if not shape["tie_word_embeddings"]:  # a step reads one row of the embeddings
        weights -= shape["vocab_size"] * shape["hidden_size"] * 2
    backend = decoder_of(model, shape)
    ids = [number * 7919 % 40_000 + 100 for number in range(PROMPT)]
    ours = median(lambda: decode_speed(backend, ids[:DEPTH]))
    first = median(lambda: first_token_seconds(backend, ids))
    backend.close()
    model.set_attn_implementation("sdpa")
    plain = median(lambda: decode(model, ids[:DEPTH], NEW_TOKENS))
    plain_first = median(lambda: first_token(model, ids))
    share = ours * weights / speed
    if name == WITH_BARS:
        show(f"{name} bf16 on a GPU, of the roofline", share, ROOFLINE_SHARE, at_most=False)
        show(f"{name} against generate()", ours / plain, AGAINST_GENERATE, at_most=False)
    else:
        detail(f"{name}: {share:.2f} of the roofline, {ours / plain:.1f} × generate()")
    return (
        f"| {name} | {ours:.1f} | {share:.2f} | {plain:.1f} | {ours / plain:.1f} × "
        f"| {first * 1000:.0f} ms | {plain_first * 1000:.0f} ms |"
    )


def random_model(shape: dict[str, Any], device: Any) -> Any:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from assistant.backends.huggingface.attention import NAME

    config = Qwen2Config(**shape, max_position_embeddings=32768, attn_implementation=NAME)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with device:
            return Qwen2ForCausalLM(config).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(before)


def decoder_of(model: Any, shape: dict[str, Any]) -> "Decoder":
    from assistant.backends.base import Abilities, BackendInfo
    from assistant.backends.huggingface.decoder import Decoder

    class NoTokenizer:
        vocabulary_size = shape["vocab_size"]

    abilities = Abilities(trims=True, grammar=False, candidates=True, chat=False)
    info = BackendInfo("random", "random", 0, 0, WINDOW, "GPU", "BF16", "", abilities)
    tokenizer: Any = NoTokenizer()
    return Decoder(model, tokenizer, info, slots=1, chat_template=None)


def decode_speed(backend: "Decoder", ids: Sequence[int]) -> float:
    """Greedy tokens per second after the first one."""
    times = [time.perf_counter() for _ in written(backend, ids, NEW_TOKENS)]
    return (len(times) - 1) / (times[-1] - times[0])


def first_token_seconds(backend: "Decoder", ids: Sequence[int]) -> float:
    started = time.perf_counter()
    next(written(backend, ids, 1))
    return time.perf_counter() - started


def written(backend: "Decoder", ids: Sequence[int], count: int) -> Iterator[int]:
    from assistant.backends.base import DecodeResult, Row, SamplingOptions

    backend.trim(0, 0)
    sampler = backend.new_sampler(SamplingOptions(temperature=0.0), 1)
    row = Row(0, ids, 0, True)
    for _ in range(count):
        if backend.decode([row]) is not DecodeResult.DECODED:
            raise RuntimeError("the GPU has no room for this")
        token = backend.sample(0, sampler)
        yield token
        row = Row(0, [token], row.start + len(row.tokens), True)


def memory_speed(device: Any) -> float:
    """Bytes per second that the memory reads and writes, from copies of 2 GiB."""
    import torch

    data = torch.empty(2**31, dtype=torch.uint8, device=device)
    target = torch.empty_like(data)

    def copy() -> float:
        torch.cuda.synchronize(device)
        started = time.perf_counter()
        target.copy_(data)
        torch.cuda.synchronize(device)
        return 2 * len(data) / (time.perf_counter() - started)

    return max(copy() for _ in range(5))


def median(measured: Callable[[], float]) -> float:
    measured()  # captures and chooses kernels
    return statistics.median(measured() for _ in range(RUNS))


def write(machine: str, rows: list[str]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    rule = "| --- |" + " --- |" * 6
    text = f"# PyTorch on a GPU\n\n{date.today()}: {machine}. `make bench BENCH=gpu` writes this.\n"
    bars = (
        f"Bars, at 7B: ≥ {ROOFLINE_SHARE} of the roofline (the speed at which the memory could "
        f"read all weights once per token), ≥ {AGAINST_GENERATE:g} × plain `generate()`.\n"
    )
    RESULTS.write_text("\n".join([text, HEAD, rule, *rows, "", bars]), "utf-8")
