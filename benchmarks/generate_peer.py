"""Plain `generate()` of transformers on the weights and the numbers that our engine uses."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.worker import Measures


def generate_peer(folder: Path, device: str, dtype: str, threads: int) -> Measures:
    """`decode(token_ids, new_tokens)` in tokens per second, `first_token(token_ids)` in seconds."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    if threads:
        torch.set_num_threads(threads)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    model = model.eval().to(device)
    return {"decode": partial(decode, model), "first_token": partial(first_token, model)}


def decode(model: Any, token_ids: list[int], new_tokens: int) -> float:
    """Greedy, first to last token."""
    times = _times(model, token_ids, new_tokens)[1:]
    return (len(times) - 1) / (times[-1] - times[0])


def first_token(model: Any, token_ids: list[int]) -> float:
    started, first = _times(model, token_ids, 1)[:2]
    return first - started


def _times(model: Any, token_ids: list[int], new_tokens: int) -> list[float]:
    """When it started, and when each token was there."""
    import torch
    from transformers.generation.streamers import BaseStreamer

    class Clock(BaseStreamer):  # type: ignore[misc]  # transformers is untyped
        def __init__(self) -> None:
            self.times: list[float] = []

        def put(self, _value: Any) -> None:
            self.times.append(time.perf_counter())  # the prompt comes first

        def end(self) -> None:
            pass

    clock = Clock()
    ids = torch.tensor([token_ids], device=model.device)
    with torch.inference_mode():
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=new_tokens,
            max_new_tokens=new_tokens,
            pad_token_id=0,
            streamer=clock,
        )
    return clock.times
