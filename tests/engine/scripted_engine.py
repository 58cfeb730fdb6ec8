"""Asking a scripted backend, through an engine or through a scheduler without threads."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted_backend import ScriptedBackend

from assistant.backends.base import ModelSpec
from assistant.engine import places as places_module
from assistant.engine import run as run_module
from assistant.engine import scheduler as scheduler_module
from assistant.engine.answer_stream import LocalAnswerStream
from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine, OpenBackend
from assistant.engine.prefix_cache import PrefixCache
from assistant.engine.run import Run
from assistant.engine.scheduler import Scheduler
from assistant.events import Answer, Finished
from assistant.messages import PartTokens, RawPrompt, Rendered, Span

SPEC = ModelSpec(Path("scripted.gguf"))


def loaded(open_backend: OpenBackend) -> LocalEngine:
    engine = LocalEngine(SPEC, open_backend)
    for _ in engine.load():
        pass
    return engine


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


def asked(prompt: str, new: int = 40, **more: object) -> GenerationRequest:
    return GenerationRequest(RawPrompt(prompt), max_new_tokens=new, seed=1, **more)  # type: ignore[arg-type]  # fields by name


def finished(stream: LocalAnswerStream) -> Finished:
    last = list(stream)[-1]
    assert isinstance(last, Finished)
    return last


def answer(stream: LocalAnswerStream) -> Answer:
    return finished(stream).answers[0]


class Bench:
    """A scheduler without threads: `step` it and look."""

    def __init__(self, backend: ScriptedBackend, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scheduler_module, "time", backend.clock)
        monkeypatch.setattr(run_module, "time", backend.clock)
        monkeypatch.setattr(places_module, "time", backend.clock)
        self.backend = backend
        self.scheduler = Scheduler(backend, PrefixCache(backend, 2**20))

    def add(self, prompt: str, new: int = 40, client: int = 0, **more: object) -> Run:
        ids = tuple(prompt.encode())
        parts = (PartTokens(None, "prompt", len(ids)),)
        rendered = Rendered((Span(prompt),), ids, parts)
        tokenizer, now = self.backend.tokenizer, self.backend.clock.now
        run = Run(asked(prompt, new, **more), rendered, tokenizer, 1, now, client)
        self.scheduler.add(run)
        return run

    def go_on(self, steps: int = 100_000) -> None:
        for _ in range(steps):
            if self.scheduler.is_idle:
                return
            self.scheduler.step()
        assert steps < 100_000, "it goes round in circles"


def result(run: Run) -> Finished:
    events = [run.events.get() for _ in range(run.events.qsize())]
    ends = [event for event in events if isinstance(event, Finished)]
    assert len(ends) == 1
    assert events[-1] is ends[0]
    return ends[0]


def alone(prompt: str, new: int, monkeypatch: pytest.MonkeyPatch) -> str:
    bench = Bench(ScriptedBackend(), monkeypatch)
    run = bench.add(prompt, new)
    bench.go_on()
    return result(run).answers[0].text
