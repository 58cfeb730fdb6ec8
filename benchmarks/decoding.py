"""How fast does the engine write, beside `Llama.create_chat_completion(stream=True)`?"""

import time
from datetime import date
from functools import partial

from assistant.backends.base import SamplingOptions
from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.events import Finished, TextChunk
from assistant.messages import ChatPrompt, Role, message
from benchmarks.llama_peer import SEED, llama_peer
from benchmarks.measure import ratio, show, starter_engine
from benchmarks.worker import Worker

NEW_TOKENS = 256


def main() -> None:
    engine, peer = starter_engine(), Worker(llama_peer, 2048)
    for depth in (128, 1024):
        question = question_of(engine, depth)
        measured = ratio(
            partial(ours, engine, question), partial(peer.ask, "decode", question, NEW_TOKENS)
        )
        name = f"decode tokens/s, {NEW_TOKENS} tokens at depth {depth:,}, against Llama"
        show(name, measured, 1.0, at_most=False)
    engine.close()
    peer.close()


def question_of(engine: LocalEngine, depth: int) -> str:
    """A question whose whole prompt has about `depth` tokens."""
    text = "Tell me a very long story about a programmer and a compiler. "
    while engine.measure(prompt_of(text)).tokens < depth:
        text += "Describe another day of theirs in every detail. "
    return text


def ours(engine: LocalEngine, question: str) -> float:
    """Tokens per second between the first and the last chunk."""
    request = GenerationRequest(
        prompt_of(question), SamplingOptions(), NEW_TOKENS, seed=SEED, ends_repetition=False
    )
    times = []
    for event in engine.stream(request):
        match event:
            case TextChunk():
                times.append(time.perf_counter())
            case Finished(answers):
                tokens = len(answers[0].token_ids)
    return (tokens - 1) / (times[-1] - times[0])


def prompt_of(question: str) -> ChatPrompt:
    return ChatPrompt((message(Role.USER, question),), date(2026, 1, 1))
