"""How long from asking for a cancel until the native call has returned?"""

import statistics
import threading
import time
from collections.abc import Callable, Sequence

from assistant.backends.base import (
    Backend,
    DecodeResult,
    ModelSpec,
    OnProgress,
    Row,
    SamplingOptions,
)
from assistant.backends.llamacpp import LlamaCppBackend
from assistant.engine.base import GenerationRequest, Keep
from assistant.engine.local import LocalEngine
from assistant.events import Finished, TextChunk
from assistant.messages import RawPrompt
from assistant.model_store.local_models import find_model
from benchmarks.measure import detail, show, spread

PREFILL_CANCELS = 40
DECODE_CANCELS = 20


class WatchedBackend(LlamaCppBackend):
    """Notes when each native call returned."""

    def __init__(self, spec: ModelSpec, on_progress: OnProgress) -> None:
        super().__init__(spec, on_progress)
        self.returned: list[float] = []

    def decode(self, rows: Sequence[Row]) -> DecodeResult:
        result = super().decode(rows)
        self.returned.append(time.perf_counter())
        return result


def main() -> None:
    backend = WatchedBackend(ModelSpec(find_model("starter")), lambda _share: True)
    in_prefill = [prefill_cancel(backend, 0.02 + 0.005 * n) for n in range(PREFILL_CANCELS)]
    backend.close()
    report("prefill of 512 rows", in_prefill)
    opened: list[WatchedBackend] = []

    def open_watched(spec: ModelSpec, on_progress: OnProgress) -> Backend:
        opened.append(WatchedBackend(spec, on_progress))
        return opened[0]

    engine = LocalEngine(ModelSpec(find_model("starter")), open_watched)
    for _ in engine.load():
        pass
    undisturbed = four_answers(engine, lambda _number: False)
    in_decode, others_kept = [], True
    for number in range(DECODE_CANCELS):
        seconds, answers = decode_cancel(engine, opened[0], at_token=8 + number % 24)
        in_decode.append(seconds)
        others_kept &= answers[1:] == undisturbed[1:]
    report("decode of 4 requests", in_decode)
    show(
        "the other three write what they write undisturbed", others_kept, 1, at_most=False, unit=""
    )
    engine.close()


def report(where: str, seconds: list[float]) -> None:
    milliseconds = [1000 * second for second in seconds]
    detail(f"{where}: {spread(milliseconds)} ms")
    p95 = statistics.quantiles(milliseconds, n=20)[-1]
    show(f"cancel in {where}, p95", p95, 20, at_most=True, unit="ms")


def prefill_cancel(backend: LlamaCppBackend, after: float) -> float:
    """Seconds from `interrupt()` until `decode` of 512 rows has returned."""
    asked = [0.0]

    def ask() -> None:
        asked[0] = time.perf_counter()
        backend.interrupt()

    timer = threading.Timer(after, ask)
    timer.start()
    row = Row(0, [number * 7919 % 40_000 + 100 for number in range(512)], 0, True)
    result = backend.decode([row])
    returned = time.perf_counter()
    timer.join()
    assert result is DecodeResult.INTERRUPTED, "the call was over before it was interrupted"
    return returned - asked[0]


def decode_cancel(
    engine: LocalEngine, backend: WatchedBackend, at_token: int
) -> tuple[float, list[str]]:
    """Cancel the first of four at its nth chunk; seconds until the running call returned."""
    asked = [0.0]

    def on_chunk(number: int) -> bool:
        if number == at_token:
            asked[0] = time.perf_counter()
        return number == at_token

    answers = four_answers(engine, on_chunk)
    return min(time for time in backend.returned if time >= asked[0]) - asked[0], answers


def counting(place: int) -> str:
    """Numbers that the model is sure to continue.

    Attention rounds differently when the KV cells of a sequence lie in another order, so a near
    tie between two tokens may fall either way; here the second-best is far behind.
    """
    first, step = ((1, 1), (21, 1), (501, 1), (10, 10))[place]
    return ", ".join(str(first + step * number) for number in range(12)) + ","


def four_answers(engine: LocalEngine, cancels: Callable[[int], bool]) -> list[str]:
    """Texts of four answers that are written together; `cancels` says when to end the first."""
    texts = [""] * 4
    together = threading.Barrier(4)

    def read(place: int) -> None:
        request = GenerationRequest(
            RawPrompt(counting(place)),
            SamplingOptions(temperature=0),
            max_new_tokens=48,
            keep=Keep.NOTHING,
            ends_repetition=False,
        )
        together.wait()
        stream, chunks = engine.stream(request), 0
        for event in stream:
            chunks += isinstance(event, TextChunk)
            if place == 0 and isinstance(event, TextChunk) and cancels(chunks):
                stream.cancel()
            if isinstance(event, Finished):
                texts[place] = event.answers[0].text

    threads = [threading.Thread(target=read, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return texts
