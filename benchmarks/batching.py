"""How much faster do four requests write together than one alone?"""

import threading
import time

from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.events import TextChunk
from benchmarks.decoding import prompt_of
from benchmarks.llama_peer import SEED
from benchmarks.measure import ratio, show, starter_engine

TOPICS = ("sorting", "hashing", "parsing", "caching")
NEW_TOKENS = 48


def main() -> None:
    engine = starter_engine()
    measured = ratio(lambda: together(engine, TOPICS), lambda: together(engine, TOPICS[:1]))
    show("four requests together, total tokens/s, against one", measured, 1.3, at_most=False)
    engine.close()


def together(engine: LocalEngine, topics: tuple[str, ...]) -> float:
    """Tokens per second of all answers while every one of them is being written."""
    times: list[list[float]] = [[] for _ in topics]

    def read(place: int) -> None:
        prompt = prompt_of(f"Write a long text about {topics[place]}.")
        request = GenerationRequest(
            prompt, max_new_tokens=NEW_TOKENS, seed=SEED, ends_repetition=False
        )
        for event in engine.stream(request):
            if isinstance(event, TextChunk):
                times[place].append(time.perf_counter())

    threads = [threading.Thread(target=read, args=(place,)) for place in range(len(topics))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    start, end = max(own[0] for own in times), min(own[-1] for own in times)
    written = sum(start < moment <= end for own in times for moment in own)
    return written / (end - start)
