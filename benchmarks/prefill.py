"""How fast is a prompt of 2,048 tokens read, beside `Llama.eval`?"""

import time

from assistant.engine.base import GenerationRequest, Keep
from assistant.engine.local import LocalEngine
from assistant.events import TextChunk
from assistant.messages import RawPrompt
from benchmarks.llama_peer import llama_peer
from benchmarks.measure import ratio, show, starter_engine
from benchmarks.worker import Worker

TOKENS = 2048


def main() -> None:
    engine, peer = starter_engine(), Worker(llama_peer, TOKENS + 256)
    ids = tuple(number * 7919 % 40_000 + 100 for number in range(TOKENS))
    measured = ratio(lambda: ours(engine, ids), lambda: peer.ask("prefill", list(ids)))
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
