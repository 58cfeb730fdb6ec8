"""The `Llama` class of llama-cpp-python, in a process of its own.

In one process its OpenMP threads and ours together outnumber the cores, and libgomp then stops
spinning at barriers: both would be measured at half their speed.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from assistant.backends.base import SamplingOptions
from assistant.model_store.local_models import find_model
from assistant.model_store.machine import cpu_threads

SEED = 7


class LlamaPeer:
    """Measures on request; idle in between."""

    def __init__(self, window: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, window), daemon=True)
        self._process.start()

    def decode(self, question: str, new_tokens: int) -> float:
        """Tokens per second of a streamed chat completion, first to last chunk."""
        return self._ask("decode", question, new_tokens)

    def prefill(self, token_ids: Sequence[int]) -> float:
        """Tokens per second of `Llama.eval`."""
        return self._ask("prefill", list(token_ids))

    def close(self) -> None:
        self._pipe.close()
        self._process.join()

    def _ask(self, *request: object) -> float:
        self._pipe.send(request)
        return float(self._pipe.recv())


def _serve(pipe: Connection, window: int) -> None:
    import llama_cpp

    llama = llama_cpp.Llama(
        str(find_model("starter")),
        n_ctx=window,
        n_threads=cpu_threads(),
        n_threads_batch=cpu_threads(),
        verbose=False,
    )
    measures: dict[str, Callable[..., float]] = {"decode": _decode, "prefill": _prefill}
    while True:
        try:
            name, *arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(measures[name](llama, *arguments))


def _decode(llama: Any, question: str, new_tokens: int) -> float:
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
    llama.reset()
    started = time.perf_counter()
    llama.eval(token_ids)
    return len(token_ids) / (time.perf_counter() - started)
