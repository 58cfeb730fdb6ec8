"""The `Llama` class of llama-cpp-python."""

import time
from functools import partial
from typing import Any

from assistant.backends.base import SamplingOptions
from assistant.model_store.local_models import find_model
from assistant.model_store.machine import cpu_threads
from benchmarks.worker import Measures

SEED = 7


def llama_peer(window: int) -> Measures:
    """`decode(question, new_tokens)` and `prefill(token_ids)`, both in tokens per second."""
    import llama_cpp

    llama = llama_cpp.Llama(
        str(find_model("starter")),
        n_ctx=window,
        n_threads=cpu_threads(),
        n_threads_batch=cpu_threads(),
        verbose=False,
    )
    return {"decode": partial(_decode, llama), "prefill": partial(_prefill, llama)}


def _decode(llama: Any, question: str, new_tokens: int) -> float:
    """Of a streamed chat completion, first to last chunk."""
    options = SamplingOptions()
    stream = llama.create_chat_completion(
        [{"role": "user", "content": question}],
        stream=True,
        max_tokens=new_tokens,
        seed=SEED,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        repeat_penalty=options.repeat_penalty,
    )
    times: list[float] = []
    for chunk in stream:
        if chunk["choices"][0]["delta"].get("content"):
            if not times:
                before = llama.n_tokens
            times.append(time.perf_counter())
    return float((llama.n_tokens - before) / (times[-1] - times[0]))


def _prefill(llama: Any, token_ids: list[int]) -> float:
    """Of `Llama.eval`."""
    llama.reset()
    started = time.perf_counter()
    llama.eval(token_ids)
    return len(token_ids) / (time.perf_counter() - started)
