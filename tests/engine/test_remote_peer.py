"""The engine that asks a server, against a real one: llama-cpp-python's, with the starter model."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.request import urlopen

import pytest
from msgspec.structs import replace

from assistant.backends.base import ModelSpec, SamplingOptions
from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.engine.remote import RemoteEngine
from assistant.engine.remote_spec import RemoteSpec
from assistant.events import Answer, Event, Finished, Reason, TextChunk
from assistant.messages import ChatPrompt, RawPrompt, Role, message

START_SECONDS = 60
WINDOW = 2048


def asked(text: str, new: int = 12) -> GenerationRequest:
    prompt = ChatPrompt((message(Role.USER, text),), date(2026, 1, 1))
    greedy = SamplingOptions(temperature=0.0)
    return GenerationRequest(prompt, sampling=greedy, max_new_tokens=new, seed=1)


def end_of(events: list[Event]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


def answer(engine: RemoteEngine, request: GenerationRequest) -> Answer:
    return end_of(list(engine.stream(request))).answers[0]


@pytest.fixture(scope="module")
def peer(starter_spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that runs while the module's tests do."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    options = {
        "model": starter_spec.path,
        "host": "127.0.0.1",
        "port": port,
        "n_ctx": WINDOW,
        "n_threads": 1,
        "n_threads_batch": 1,
        "interrupt_requests": "false",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    log = tmp_path_factory.mktemp("peer") / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "llama_cpp.server", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"{url}/models", process, log)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            urlopen(url, timeout=5).close()
        except OSError:
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="module")
def engine(peer: str) -> Iterator[RemoteEngine]:
    engine = RemoteEngine(RemoteSpec(peer, window=WINDOW))
    list(engine.load())
    yield engine
    engine.close()


def test_it_answers_like_the_model_here(engine: RemoteEngine, starter_engine: LocalEngine) -> None:
    assert engine.info.name.startswith("SmolLM2")
    request = asked("Write the numbers from one to ten.", 24)
    events = list(engine.stream(request))
    end = end_of(events)
    chunks = [event.text for event in events if isinstance(event, TextChunk)]
    assert len(chunks) > 3
    assert "".join(chunks) == end.answers[0].text
    here = end_of(list(starter_engine.stream(request))).answers[0]
    assert (end.answers[0].text, end.answers[0].reason) == (here.text, here.reason)
    assert end.usage.new_tokens >= len(chunks)
    assert end.usage.decode_tokens_per_second > 0


def test_it_stops_where_it_is_told(engine: RemoteEngine) -> None:
    cut = answer(engine, asked("Count from one to fifty.", 5))
    assert cut.reason is Reason.LENGTH
    raw = replace(asked(""), prompt=RawPrompt("1, 2, 3, 4, 5, 6,"), stop=("9",))
    stopped = answer(engine, raw)
    assert (stopped.reason, stopped.text.strip()) == (Reason.DONE, "7, 8,")


def test_a_cancel_frees_the_server_for_others(engine: RemoteEngine) -> None:
    stream = engine.stream(asked("Tell me a very long story.", 1500))
    reader = iter(stream)
    first = next(reader)
    assert isinstance(first, TextChunk)
    began = time.monotonic()
    threading.Timer(0.2, stream.cancel).start()
    rest = list(reader)
    assert time.monotonic() - began < 0.7
    end = end_of(rest)
    assert end.answers[0].reason is Reason.STOPPED
    assert end.answers[0].text.startswith(first.text)
    # The story alone would take the server 20 seconds.
    assert answer(engine, replace(asked("Hi", 4), deadline_seconds=10)).reason is Reason.LENGTH


def test_a_prompt_that_is_too_long_for_the_server_ends_as_failed(engine: RemoteEngine) -> None:
    failed = answer(engine, asked("word " * (WINDOW + 200)))
    assert failed.reason is Reason.FAILED
    assert "without an answer" in failed.error
    assert "too long" in failed.hint


def test_estimates_are_near_what_the_model_counts(
    engine: RemoteEngine, starter_engine: LocalEngine
) -> None:
    prose = "The quick brown fox jumps over the lazy dog, and nobody is surprised at all. " * 20
    for text in (Path(__file__).read_text(), prose):
        counted = len(starter_engine.tokenize(text))
        assert 0.6 < engine.measure(RawPrompt(text)).tokens / counted < 1.7


def test_the_command_answers_from_a_server(peer: str, private_home: Path) -> None:
    few = ("-o", "temperature", "0", "-o", "max_tokens", "8")
    command = [sys.executable, "-m", "assistant", "-m", f"openai:{peer}", *few]
    plain = _run(*command, "What is the capital of France?")
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.strip()
    piped = _run(*command, "--output", "json", "What is this?", stdin=b"x = 1\n")
    assert piped.returncode == 0, piped.stderr
    told = json.loads(piped.stdout)
    assert (told["model"]["name"], told["answer"] != "") == (
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        True,
    )
    missing = _run(*command[:4], f"openai:{peer}#huge", "Hi")
    assert (missing.returncode, missing.stdout) == (3, b"")


def _run(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        words, input=stdin, capture_output=True, env=dict(os.environ), timeout=120, check=False
    )
