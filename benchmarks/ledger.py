"""How long does it take to say what a prompt with many attachments costs, token by token?

Asked of an engine in a process of its own, as a chat screen does after each key: attachments that
it has never seen, the same ones again, and the same ones with another question at the end.
"""

import statistics
import threading
from datetime import date
from time import perf_counter

from assistant.engine.base import Engine, GenerationRequest, Measure
from assistant.messages import Attachment, ChatPrompt, RawPrompt
from assistant.prompts.finding import find_prompt
from benchmarks.attachments import standard_library
from benchmarks.measure import detail, show, spread, starter_engine
from benchmarks.resident import open_resident, private_home

ATTACHMENTS = 30
TOKENS = 20_000  # of all attachments together
SETS = 7  # of attachments; the first warms up
KEYS = 10  # pressed after each


def main() -> None:
    engine = starter_engine()
    prompts = [_prompts(engine, number) for number in range(SETS)]
    _compare("in process", engine, prompts, is_shown=False)
    engine.close()
    with private_home():
        resident = open_resident()
        _compare("through the engine", resident, prompts, is_shown=True)
        _beside_a_prefill(resident, prompts)
        resident.close()


def _compare(
    where: str, engine: Engine, prompts: list[list[ChatPrompt]], *, is_shown: bool
) -> None:
    first, again, typed = [], [], []
    for prompt, *later in prompts:
        measure, milliseconds = _measured(engine, prompt)
        assert abs(measure.tokens - TOKENS) < TOKENS / 10
        first.append(milliseconds)
        again.append(_measured(engine, prompt)[1])
        typed += [_measured(engine, one)[1] for one in later]
    first, again, typed = first[1:], again[1:], typed[KEYS:]
    what = f"ledger of {ATTACHMENTS} attachments, {TOKENS:,} tokens"
    detail(f"{where}, ms: first {spread(first)}; again {spread(again)}; a key {spread(typed)}")
    if is_shown:
        show(f"{what}: first time", statistics.median(first), 100, at_most=True, unit="ms")
        show(f"{what}: again", statistics.median(again), 10, at_most=True, unit="ms")
        show(f"{what}: a key later", statistics.median(typed), 10, at_most=True, unit="ms")


def _beside_a_prefill(engine: Engine, prompts: list[list[ChatPrompt]]) -> None:
    """A measure must not wait for the native call that runs, which takes more than a second."""
    ids = tuple(engine.tokenize(standard_library())[:6000])
    stream = engine.stream(GenerationRequest(RawPrompt(token_ids=ids), max_new_tokens=1, seed=1))
    reader = threading.Thread(target=lambda: [None for _ in stream])
    reader.start()
    again = [_measured(engine, prompts[-1][0])[1] for _ in range(KEYS)]
    typed = [_measured(engine, one)[1] for one in prompts[-1][1:]]
    stream.cancel()
    reader.join()
    detail(f"beside a running prefill, ms: again {spread(again)}; a key {spread(typed)}")


def _measured(engine: Engine, prompt: ChatPrompt) -> tuple[Measure, float]:
    """With the milliseconds it took."""
    started = perf_counter()
    measure = engine.measure(prompt)
    return measure, 1000 * (perf_counter() - started)


def _prompts(engine: Engine, number: int) -> list[ChatPrompt]:
    """A question about attachments, and the same with some keys more typed."""
    source, size = standard_library(), TOKENS // ATTACHMENTS
    letters = len(source) // (SETS * ATTACHMENTS)
    attachments = []
    for place in range(number * ATTACHMENTS, (number + 1) * ATTACHMENTS):
        ids = engine.tokenize(source[place * letters :][: size * 8])[:size]
        text = engine.detokenize(ids)
        attachments.append(Attachment(f"part{place}.py", text, "python"))
    explain, day = find_prompt("explain"), date.today()
    question = "Why is that so?"
    return [
        ChatPrompt(explain.fill(question + "x" * key, tuple(attachments)), day)
        for key in range(KEYS + 1)
    ]
