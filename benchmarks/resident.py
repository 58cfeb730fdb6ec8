"""What does an engine that stays cost and save: warm and cold starts, the socket, a killed client?

Same model, system prompt and question as `llm`, as many new tokens as it wrote.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from assistant.backends.base import ModelSpec, SamplingOptions
from assistant.cli.exit_codes import LENGTH
from assistant.engine.base import Engine, GenerationRequest
from assistant.engine.client import ResidentEngine
from assistant.engine.neighbours import neighbours
from assistant.events import Finished
from assistant.messages import RawPrompt
from assistant.model_store.local_models import find_model
from assistant.prompts.finding import find_prompt
from assistant.startup import snapshot_folder
from benchmarks.cold_answer import QUESTION
from benchmarks.measure import BIN, RUNS, detail, ratio, show, spread, starter_engine, timed_process
from benchmarks.worker import Measures, Worker

LLMCHAT = str(BIN / "llmchat")
SHORT = "Capital of France?"  # a short answer, so that the start counts
ATTEMPTS = 8
KILLS = 10
SNAPSHOT_TOKENS, SNAPSHOT_ROUNDS = 2000, 3
DECODED = 200  # tokens
TALKER = """
import sys
from benchmarks.resident import long_answer, open_resident
for event in open_resident().stream(long_answer()):
    print(event, flush=True)
"""


def main() -> None:
    with private_home():
        warm()
        stop_engines()
        cold()
        stop_engines()
        socket()
        killed_client()
        stop_engines()
        snapshots()


@contextmanager
def private_home() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as home:
        os.environ["LLMCHAT_HOME"] = os.environ["LLM_USER_PATH"] = home
        try:
            yield
        finally:
            stop_engines()
            del os.environ["LLMCHAT_HOME"], os.environ["LLM_USER_PATH"]


def warm() -> None:
    """Alternating with `llm`, so that neither has the quieter minute."""
    system = find_prompt("ask").system
    peer_command = [str(BIN / "llm"), "-m", "SmolLM2", "--no-log", "-s", system, SHORT]
    engine = open_resident()
    ours, peer, counts = [], [], []
    for _ in range(RUNS + 1):
        seconds, _, text = timed_process(peer_command)
        tokens = max(1, len(engine.tokenize(text.rstrip("\n"))))
        if (mine := seconds_for(tokens)) is not None:
            ours.append(mine)
            peer.append(seconds)
            counts.append(tokens)
    engine.close()
    detail(f"seconds: ours {spread(ours[1:])}; llm {spread(peer[1:])}; tokens {spread(counts[1:])}")
    pairs = [mine / theirs for mine, theirs in zip(ours[1:], peer[1:], strict=True)]
    show("warm answer, whole process, against llm", statistics.median(pairs), 0.25, at_most=True)


def seconds_for(tokens: int) -> float | None:
    """An answer that was cut after so many tokens; None when none would become so long."""
    command = [LLMCHAT, "--fail-on-length", "-o", f"max_tokens={tokens}", SHORT]
    for _ in range(ATTEMPTS):
        seconds, code = timed_ending(command)
        if code == LENGTH:
            return seconds
    return None


def timed_ending(command: list[str]) -> tuple[float, int]:
    """Wall seconds and exit code of a whole process."""
    started = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return time.perf_counter() - started, done.returncode


def cold() -> None:
    asked = ["-o", "max_tokens=8", QUESTION]

    def through_resident() -> float:
        seconds = timed_process([LLMCHAT, *asked])[0]
        stop_engines()
        return seconds

    def in_process() -> float:
        return timed_process([LLMCHAT, "--no-resident", *asked])[0]

    measured = ratio(through_resident, in_process, runs=9)
    show("cold answer through the engine, against in process", measured, 1.1, at_most=True)


def socket() -> None:
    engine = open_resident()
    worker = Worker(open_in_process)
    measured = ratio(lambda: tokens_per_second(engine), lambda: worker.ask("tokens/s"), runs=7)
    worker.close()
    engine.close()
    show("decode through client and socket, against in process", measured, 0.97, at_most=False)


def open_in_process() -> Measures:
    engine = starter_engine()
    return {"tokens/s": lambda: tokens_per_second(engine)}


def tokens_per_second(engine: Engine) -> float:
    request = GenerationRequest(
        RawPrompt("1, 2, 3,"),
        SamplingOptions(temperature=0.0),
        max_new_tokens=DECODED,
        ends_repetition=False,
    )
    (*_, last) = engine.stream(request)
    assert isinstance(last, Finished)
    return last.usage.decode_tokens_per_second


def killed_client() -> None:
    """From the kill until the engine has nothing to do any more."""
    open_resident().close()
    took = []
    for number in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", TALKER], stdout=subprocess.PIPE) as talker:
            assert talker.stdout is not None
            for _ in range(5 + number):
                talker.stdout.readline()
            assert runs_anything()
            started = time.perf_counter()
            talker.kill()
            while runs_anything():
                pass
            took.append(1000 * (time.perf_counter() - started))
    detail(f"ms: {spread(took)}")
    show(
        "client killed while its answer is written: compute",
        max(took),
        200,
        at_most=True,
        unit="ms",
    )


def snapshots() -> None:
    """A prompt is read, the engine ends and leaves a snapshot; the next one finds it."""
    loaded, started = [], []
    for number in range(SNAPSHOT_ROUNDS):
        draw = Random(number)
        ids = tuple(draw.randrange(1000, 40_000) for _ in range(SNAPSHOT_TOKENS))
        question = GenerationRequest(RawPrompt(token_ids=ids), max_new_tokens=1, seed=1)
        full = seconds_to_answer(open_resident(), question)
        stop_engines()
        engine = open_resident()
        loaded.append(seconds_to_answer(engine, question) / full)
        stop_engines()
        before = time.perf_counter()
        seconds_to_answer(open_resident(), question)
        started.append((time.perf_counter() - before) / full)
        stop_engines()
        detail(f"{SNAPSHOT_TOKENS:,} tokens: full prefill {full:.2f} s")
    detail(f"ratios: loaded {spread(loaded)}; started too {spread(started)}")
    name = "first token with a snapshot, against full prefill"
    show(f"{name}: loaded", statistics.median(loaded), 0.03, at_most=True)
    show(f"{name}: engine started", statistics.median(started), 0.15, at_most=True)


def seconds_to_answer(engine: ResidentEngine, question: GenerationRequest) -> float:
    before = time.perf_counter()
    for _ in engine.stream(question):
        pass
    return time.perf_counter() - before


def runs_anything() -> bool:
    (engine,) = neighbours()
    assert engine.status is not None
    return bool(engine.status.activity.running)


def long_answer() -> GenerationRequest:
    return GenerationRequest(RawPrompt("1, 2, 3,"), max_new_tokens=4000, ends_repetition=False)


def open_resident() -> ResidentEngine:
    spec = ModelSpec(find_model("starter"), snapshots=snapshot_folder())
    engine = ResidentEngine(spec, keep_alive=600.0)
    for _ in engine.load():
        pass
    return engine


def stop_engines() -> None:
    for engine in neighbours():
        engine.stop()
