"""What do clients of one engine feel of each other, and what do kept conversations cost?

Prompts of numbers in a row: the model is sure to go on. Ids drawn at random where only the time
to read them counts. No two of them share a prefix.
"""

import statistics
import threading
import time
from collections.abc import Sequence
from datetime import date
from itertools import count, pairwise
from random import Random

from assistant.backends.base import (
    Backend,
    DecodeResult,
    ModelSpec,
    OnProgress,
    Row,
    SamplingOptions,
)
from assistant.backends.llamacpp import LlamaCppBackend
from assistant.engine.answer_stream import LocalAnswerStream
from assistant.engine.base import GenerationRequest, Keep
from assistant.engine.local import LocalEngine
from assistant.events import Finished, TextChunk
from assistant.messages import ChatPrompt, Message, Part, RawPrompt, Role, message
from assistant.model_store.local_models import find_model
from benchmarks.measure import detail, show, spread

LONG_PROMPT = 4000  # tokens
COMPLETION = 32  # new tokens
GREEDY = SamplingOptions(temperature=0)
FIRST_DAY = date(2026, 1, 1)
numbers = count(100)  # where the next prompt starts to count, and the seed of random ids


class WatchedBackend(LlamaCppBackend):
    """Notes the rows and the seconds of each native call."""

    def __init__(self, spec: ModelSpec, on_progress: OnProgress) -> None:
        super().__init__(spec, on_progress)
        self.calls: list[tuple[int, float]] = []

    def decode(self, rows: Sequence[Row]) -> DecodeResult:
        started = time.perf_counter()
        result = super().decode(rows)
        self.calls.append((sum(len(row.tokens) for row in rows), time.perf_counter() - started))
        return result


def main() -> None:
    engine, backend = watched_engine()
    micro_batch = statistics.median([seconds_of_rows(engine, backend, 64) for _ in range(5)])
    completions(engine)
    kept = reading(LONG_PROMPT, keep=Keep.TURN)
    long_prompts(engine, kept, micro_batch)
    equal_clients(engine)
    candidates(engine)
    tokens = conversation(engine, backend)
    kept_conversations(engine, backend, kept, LONG_PROMPT + tokens)
    engine.close()


def watched_engine() -> tuple[LocalEngine, WatchedBackend]:
    opened: list[WatchedBackend] = []

    def open_watched(spec: ModelSpec, on_progress: OnProgress) -> Backend:
        opened.append(WatchedBackend(spec, on_progress))
        return opened[0]

    engine = LocalEngine(ModelSpec(find_model("starter")), open_watched)
    for _ in engine.load():
        pass
    return engine, opened[0]


# ── questions ───────────────────────────────────────────────────────────────────────────────


def completions(engine: LocalEngine) -> None:
    seconds(completion(engine))
    idle = [seconds(completion(engine)) for _ in range(5)]
    answer = Reader(engine.stream(counting(3000), client=1))
    answer.wait_for(8)
    beside = [seconds(completion(engine)) for _ in range(5)]
    answer.stop()
    detail(f"seconds: idle {spread(idle)}; during an answer {spread(beside)}")
    measured = statistics.median(beside) / statistics.median(idle)
    show("completion during a long answer, against idle", measured, 2.5, at_most=True)


def long_prompts(engine: LocalEngine, prompt: GenerationRequest, micro_batch: float) -> None:
    """`prompt` is read alone; `micro_batch`: seconds of a call of 64 rows alone."""
    alone = prefill_speed(engine.stream(prompt, client=2))
    answer = Reader(engine.stream(counting(3000), client=1))
    answer.wait_for(8)
    started = time.perf_counter()
    beside = prefill_speed(engine.stream(reading(LONG_PROMPT), client=2))
    ended = time.perf_counter()
    answer.stop()
    times = [moment for moment in answer.times if started <= moment <= ended]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    detail(f"longest gap {max(gaps):.3f} s; prefill {beside:.0f} and alone {alone:.0f} tokens/s")
    show(
        "answer while another client's prompt is read, worst second",
        worst_second(times),
        3,
        at_most=False,
        unit="tokens/s",
    )
    show("that prefill, against alone", beside / alone, 0.75, at_most=False)
    first = first_tokens_during_prefill(engine)
    detail(f"64 rows alone {micro_batch:.3f} s; first tokens after {spread(first)} s")
    show(
        "first token during a long prefill, against 64 rows",
        max(first) / micro_batch,
        3,
        at_most=True,
    )


def first_tokens_during_prefill(engine: LocalEngine) -> list[float]:
    """Seconds to the first token of completions that come while a long prompt is read alone.

    Between two of them it is quiet for long enough that calls are long again.
    """
    stream = engine.stream(reading(LONG_PROMPT), client=2)
    prefill, first = Reader(stream), []
    for pause in (1.0, 3.1):
        time.sleep(pause)
        first.append(finished(completion(engine)).usage.seconds_to_first_token)
    assert not prefill.times, "the prompt was read before all came"
    prefill.stop()
    return first


def equal_clients(engine: LocalEngine) -> None:
    readers = [Reader(engine.stream(counting(200), client=client)) for client in (1, 2)]
    while max(len(reader.times) for reader in readers) < 100:
        time.sleep(0.001)
    written = sorted(len(reader.times) for reader in readers)
    for reader in readers:
        reader.stop()
    behind = 100 * (1 - written[0] / written[1])
    show("two equal clients after 100 steps, difference", behind, 10, at_most=True, unit="%")


def candidates(engine: LocalEngine) -> None:
    ratios = []
    for _ in range(2):
        started = time.perf_counter()
        seconds(engine.stream(reading(256, 64, candidates=4), client=1))
        together = time.perf_counter()
        for _ in range(4):
            seconds(engine.stream(reading(256, 64), client=1))
        ratios.append((together - started) / (time.perf_counter() - together))
    detail(f"ratios {spread(ratios)}")
    measured = statistics.median(ratios)
    show("4 candidates, against 4 requests without reuse", measured, 0.6, at_most=True)


def conversation(engine: LocalEngine, backend: WatchedBackend) -> int:
    """Ten turns, about 3,000 tokens; each answer is sampled and read again in the next turn.

    The tokens that it has in the end.
    """
    said: list[Message] = []
    known = new = 0
    for turn in range(10):
        said.append(message(Role.USER, words(turn)))
        prompt = ChatPrompt(tuple(said), FIRST_DAY)
        new = engine.measure(prompt).tokens - known
        del backend.calls[:]
        request = GenerationRequest(
            prompt, SamplingOptions(temperature=0.8), max_new_tokens=48, seed=turn
        )
        end = finished(engine.stream(request, client=3))
        ids = end.answers[0].token_ids
        known = end.usage.prompt_tokens + len(ids)
        parts = (Part(end.answers[0].text, "answer"),)
        said.append(Message(Role.ASSISTANT, parts, "", ids, engine.info.fingerprint))
    read = sum(rows for rows, _ in backend.calls if rows > 1)
    detail(f"{known:,} tokens in all; {new} of the last message with its scaffolding")
    show("turn 10: prompt rows that are computed", read, new + 1, at_most=True, unit="rows")
    return known


def kept_conversations(
    engine: LocalEngine, backend: WatchedBackend, kept: GenerationRequest, tokens: int
) -> None:
    """Alternating with an engine that keeps nothing; the median of all steps, as others disturb.

    Before each of its turns `kept` is asked again, so that it is in the native cache.
    """
    lone, lone_backend = watched_engine()
    beside, alone = [], []
    for number in range(9):
        for is_beside in (True, False) if number % 2 else (False, True):
            if is_beside:
                seconds(engine.stream(kept, client=4))
                beside += step_seconds(engine, backend)
            else:
                alone += step_seconds(lone, lone_backend)
    lone.close()
    ratio = statistics.median(alone) / statistics.median(beside)
    detail(
        f"ms a token: beside {1000 * statistics.median(beside):.2f}; alone "
        f"{1000 * statistics.median(alone):.2f}"
    )
    show(f"decode beside {tokens:,} kept tokens, against without", ratio, 0.97, at_most=False)


def step_seconds(engine: LocalEngine, backend: WatchedBackend) -> list[float]:
    """What each token of a fresh request takes."""
    before = len(backend.calls)
    finished(engine.stream(counting(128), client=5))
    return [seconds for rows, seconds in backend.calls[before:] if rows == 1]


# ── requests ────────────────────────────────────────────────────────────────────────────────


def counting(new: int) -> GenerationRequest:
    """A short prompt of a row of numbers, and as many new tokens as asked for."""
    first = 7 * next(numbers)
    text = ", ".join(str(first + number) for number in range(12)) + ","
    return GenerationRequest(RawPrompt(text), GREEDY, new, ends_repetition=False, keep=Keep.NOTHING)


def reading(
    tokens: int, new: int = 1, *, keep: Keep = Keep.NOTHING, candidates: int = 1
) -> GenerationRequest:
    """A prompt of ids drawn at random, which nothing else begins with."""
    draw = Random(next(numbers))
    ids = tuple(draw.randrange(1000, 40_000) for _ in range(tokens))
    return GenerationRequest(
        RawPrompt(token_ids=ids),
        SamplingOptions(temperature=0.8),
        new,
        seed=1,
        keep=keep,
        candidates=candidates,
        ends_repetition=False,
    )


def completion(engine: LocalEngine) -> LocalAnswerStream:
    return engine.stream(counting(COMPLETION), client=6)


def words(turn: int) -> str:
    """A message of about 250 tokens."""
    draw = Random(turn)
    nouns = ("river", "engine", "garden", "letter", "window", "market", "bridge", "teacher")
    return f"Part {turn + 1}: tell me more. " + " ".join(draw.choice(nouns) for _ in range(240))


# ── reading answers ─────────────────────────────────────────────────────────────────────────


class Reader:
    """Reads an answer in a thread; `times` of its chunks (seconds)."""

    def __init__(self, stream: LocalAnswerStream) -> None:
        self.times: list[float] = []
        self._stream = stream
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for event in self._stream:
            if isinstance(event, TextChunk):
                self.times.append(time.perf_counter())

    def wait_for(self, chunks: int) -> None:
        while len(self.times) < chunks and self._thread.is_alive():
            time.sleep(0.001)

    def stop(self) -> None:
        self._stream.cancel()
        self._thread.join()


def finished(stream: LocalAnswerStream) -> Finished:
    (*_, last) = stream
    assert isinstance(last, Finished)
    return last


def seconds(stream: LocalAnswerStream) -> float:
    """Until the answer has ended."""
    started = time.perf_counter()
    finished(stream)
    return time.perf_counter() - started


def seconds_of_rows(engine: LocalEngine, backend: WatchedBackend, rows: int) -> float:
    """Of the native call that reads a prompt of so many tokens alone."""
    del backend.calls[:]
    finished(engine.stream(reading(rows), client=1))
    return next(took for size, took in backend.calls if size == rows)


def prefill_speed(stream: LocalAnswerStream) -> float:
    """Tokens per second of the prompt."""
    return finished(stream).usage.prefill_tokens_per_second


def worst_second(times: Sequence[float]) -> int:
    """Fewest tokens of any whole second."""
    last = times[-1]
    return min(
        sum(start < moment <= start + 1 for moment in times) for start in times if start + 1 <= last
    )
