"""How fast is a prompt of 2,048 tokens read, beside `Llama.eval`?"""

import time
from typing import Any

from assistant.engine.base import GenerationRequest, Keep
from assistant.engine.local import LocalEngine
from assistant.events import TextChunk
from assistant.messages import RawPrompt
from assistant.model_store.local_models import find_model
from assistant.model_store.machine import cpu_threads
from benchmarks.measure import ratio, show, starter_engine

TOKENS = 2048


def main() -> None:
    import llama_cpp

    engine = starter_engine()
    peer = llama_cpp.Llama(
        str(find_model("starter")),
        n_ctx=TOKENS + 256,
        n_threads=cpu_threads(),
        n_threads_batch=cpu_threads(),
        verbose=False,
    )
    ids = tuple(number * 7919 % 40_000 + 100 for number in range(TOKENS))
    measured = ratio(lambda: ours(engine, ids), lambda: theirs(peer, ids))
    show(f"prefill tokens/s, {TOKENS:,} tokens, against Llama.eval", measured, 1.0, at_most=False)
    engine.close()
    peer.close()


def ours(engine: LocalEngine, ids: tuple[int, ...]) -> float:
    request = GenerationRequest(RawPrompt(token_ids=ids), max_new_tokens=1, keep=Keep.NOTHING)
    started = time.perf_counter()
    for event in engine.stream(request):
        if isinstance(event, TextChunk):
            break
    return TOKENS / (time.perf_counter() - started)


def theirs(peer: Any, ids: tuple[int, ...]) -> float:
    peer.reset()
    started = time.perf_counter()
    peer.eval(list(ids))
    return TOKENS / (time.perf_counter() - started)
