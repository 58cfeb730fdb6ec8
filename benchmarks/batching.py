"""How much faster do four requests write together than one alone?"""

import threading

from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.events import Finished
from benchmarks.decoding import SEED, prompt_of
from benchmarks.measure import ratio, show, starter_engine

TOPICS = ("sorting", "hashing", "parsing", "caching")
NEW_TOKENS = 96


def main() -> None:
    engine = starter_engine()
    measured = ratio(lambda: together(engine, TOPICS), lambda: together(engine, TOPICS[:1]))
    show("four requests together, total tokens/s, against one", measured, 1.3, at_most=False)
    engine.close()


def together(engine: LocalEngine, topics: tuple[str, ...]) -> float:
    """Tokens per second of all answers, from the last first token to the end of the last."""
    usages = []

    def read(topic: str) -> None:
        prompt = prompt_of(f"Write a long text about {topic}.")
        request = GenerationRequest(
            prompt, max_new_tokens=NEW_TOKENS, seed=SEED, ends_repetition=False
        )
        for event in engine.stream(request):
            if isinstance(event, Finished):
                usages.append(event.usage)

    threads = [threading.Thread(target=read, args=(topic,)) for topic in topics]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(usage.decode_tokens_per_second for usage in usages)
