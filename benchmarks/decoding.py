"""How fast does the engine write, beside `Llama.create_chat_completion(stream=True)`?"""

import time
from datetime import date
from functools import partial
from typing import Any

from assistant.backends.base import SamplingOptions
from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.events import Finished, TextChunk
from assistant.messages import ChatPrompt, Role, message
from assistant.model_store.local_models import find_model
from assistant.model_store.machine import cpu_threads
from benchmarks.measure import ratio, show, starter_engine

NEW_TOKENS = 256
SEED = 7


def main() -> None:
    import llama_cpp

    engine = starter_engine()
    peer = llama_cpp.Llama(
        str(find_model("starter")),
        n_ctx=2048,
        n_threads=cpu_threads(),
        n_threads_batch=cpu_threads(),
        verbose=False,
    )
    for depth in (128, 1024):
        question = question_of(engine, depth)
        measured = ratio(partial(ours, engine, question), partial(theirs, peer, question))
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


def theirs(peer: Any, question: str) -> float:
    options = SamplingOptions()
    stream = peer.create_chat_completion(
        [{"role": "user", "content": question}],
        stream=True,
        max_tokens=NEW_TOKENS,
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
                before = peer.n_tokens
            times.append(time.perf_counter())
    return float((peer.n_tokens - before) / (times[-1] - times[0]))


def prompt_of(question: str) -> ChatPrompt:
    return ChatPrompt((message(Role.USER, question),), date(2026, 1, 1))
