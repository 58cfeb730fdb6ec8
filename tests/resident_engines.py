"""Engines in processes of their own; none of them outlives its test."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from assistant.backends.base import ModelSpec, SamplingOptions
from assistant.engine.base import AnswerStream, GenerationRequest
from assistant.engine.client import ResidentEngine
from assistant.engine.neighbours import Neighbour, neighbours
from assistant.events import Answer, Event, Finished
from assistant.messages import RawPrompt

OpenResident = Callable[..., ResidentEngine]


@pytest.fixture
def resident_home(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Commands use resident engines, none of which outlives the test."""
    monkeypatch.delenv("LLMCHAT_RESIDENT", raising=False)
    yield private_home
    for neighbour in neighbours():
        neighbour.stop()
    assert not living_engines(), "no engine outlives its test"


@pytest.fixture
def open_resident(resident_home: Path, starter_spec: ModelSpec) -> Iterator[OpenResident]:
    """Opens a front end's end of a resident engine; loaded unless told not to."""
    opened: list[ResidentEngine] = []

    def open_one(
        keep_alive: float = 60.0,
        spec: ModelSpec = starter_spec,
        *,
        is_loaded: bool = True,
        patience: float = 20.0,
    ) -> ResidentEngine:
        engine = ResidentEngine(spec, keep_alive, patience)
        opened.append(engine)
        if is_loaded:
            list(engine.load())
        return engine

    yield open_one
    for engine in opened:
        engine.close()


def only_engine() -> Neighbour:
    (neighbour,) = neighbours()
    return neighbour


def living_engines() -> list[int]:
    """Processes that are resident engines of this test's home."""
    home, found = os.environ["LLMCHAT_HOME"], []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            command = (process / "cmdline").read_bytes()
            variables = (process / "environ").read_bytes()
        except OSError:
            continue
        is_engine = b"assistant.engine.resident" in command
        if is_engine and f"LLMCHAT_HOME={home}".encode() in variables.split(b"\0"):
            found.append(int(process.name))
    return found


# ── asking ──────────────────────────────────────────────────────────────────────────────────

GREEDY = SamplingOptions(temperature=0.0)


def asked(text: str, new: int = 16) -> GenerationRequest:
    return GenerationRequest(
        RawPrompt(text), GREEDY, max_new_tokens=new, seed=3, ends_repetition=False
    )


def finished(stream: AnswerStream) -> Finished:
    return end_of(stream)


def end_of(events: Iterable[Event]) -> Finished:
    """The last of what is left."""
    *_, last = events
    assert isinstance(last, Finished)
    return last


def answer_of(stream: AnswerStream) -> Answer:
    return finished(stream).answers[0]


def has_ended_within(pid: int, seconds: float) -> bool:
    """A process that nobody has waited for yet has ended, too, once its last thread has: until
    then its sockets are open."""
    end, process = time.monotonic() + seconds, Path(f"/proc/{pid}")
    while time.monotonic() < end:
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            threads = len(list((process / "task").iterdir()))
        except OSError:
            return True
        if state == "Z" and threads == 1:
            return True
        time.sleep(0.02)
    return False
