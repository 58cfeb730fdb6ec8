"""A broken backend: every request hears of it, a fresh backend takes its place."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest
from scripted_backend import ScriptedBackend, opener
from scripted_engine import SPEC, answer, asked, eventually, finished, loaded

from assistant.backends.base import ModelSpec, OnProgress, Row, Sampler
from assistant.engine.answer_stream import LocalAnswerStream
from assistant.engine.local import LocalEngine
from assistant.errors import AssistantError, EngineFailed, ModelError
from assistant.events import Finished, ModelLoading, Reason, TextChunk
from assistant.messages import RawPrompt

BROKEN = EngineFailed("the GPU is gone", "plug it in")


class Openings:
    """Opens one backend after the other, or fails; an opening waits for the gate."""

    def __init__(self, *found: ScriptedBackend | AssistantError) -> None:
        self.found = found
        self.count = 0
        self.gate = threading.Event()
        self.gate.set()
        self.is_opening = threading.Event()

    def __call__(self, _spec: ModelSpec, on_progress: OnProgress) -> ScriptedBackend:
        found = self.found[self.count]
        self.count += 1
        self.is_opening.set()
        while not self.gate.wait(0.002):
            if not on_progress(ModelLoading("loading", 0.5)):
                raise ModelError("given up, in the runtime's own words")
        if isinstance(found, AssistantError):
            raise found
        return found


Start = Callable[[Openings], LocalEngine]


@pytest.fixture
def start() -> Iterator[Start]:
    engines: list[LocalEngine] = []

    def load(openings: Openings) -> LocalEngine:
        engines.append(loaded(openings))
        return engines[-1]

    yield load
    for engine in engines:
        engine.close()


def breaking(after_calls: int = 5, failure: Exception = BROKEN, slots: int = 8) -> ScriptedBackend:
    backend = ScriptedBackend(slots=slots)
    backend.failure, backend.fails_after = failure, after_calls
    return backend


def lone(prompt: str, new: int) -> str:
    """What a backend answers that does not break."""
    engine = loaded(opener(ScriptedBackend()))
    text = answer(engine.stream(asked(prompt, new))).text
    engine.close()
    return text


def break_it(engine: LocalEngine) -> None:
    end = answer(engine.stream(asked("b" * 50, 100)))
    assert (end.reason, end.error) == (Reason.FAILED, BROKEN.message)


@pytest.fixture
def reopening(start: Start) -> tuple[LocalEngine, Openings]:
    """An engine that is just being opened again, held at the gate."""
    openings = Openings(breaking(), ScriptedBackend(window=2000))
    engine = start(openings)
    openings.gate.clear()
    openings.is_opening.clear()
    break_it(engine)
    assert openings.is_opening.wait(20)
    return engine, openings


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Start it; the list gets what it returns, or the error."""
    got: list[object] = []

    def run() -> None:
        try:
            got.append(work())
        except AssistantError as err:
            got.append(err)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, got


# ── what the askers hear ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("failure", "error", "hint"),
    [
        (BROKEN, "the GPU is gone", "plug it in"),
        (EngineFailed("llama_decode returned -3"), "llama_decode returned -3", "ask again"),
        (KeyError("x"), "the engine failed: KeyError: 'x'", "ask again"),
    ],
)
def test_when_the_backend_breaks_every_answer_keeps_its_text_and_says_why(
    start: Start, failure: Exception, error: str, hint: str
) -> None:
    broken = breaking(30, failure, slots=2)
    broken.gate = threading.Event()
    openings = Openings(broken, ScriptedBackend())
    engine = start(openings)
    streams = [engine.stream(asked(letter * 50, 500)) for letter in "abc"]
    broken.gate.set()
    *running, waiting = [list(stream) for stream in streams]
    for events, letter in zip(running, "ab", strict=True):
        assert isinstance(events[-1], Finished)
        (end,) = events[-1].answers
        assert (end.reason, end.error, end.hint) == (Reason.FAILED, error, hint)
        assert end.text == "".join(e.text for e in events if isinstance(e, TextChunk))
        assert end.text == lone(letter * 50, 500)[: len(end.text)]
        assert 20 < len(end.text) <= 30
    assert isinstance(waiting[-1], Finished)
    (end,) = waiting[-1].answers
    assert (end.reason, end.text, end.error) == (Reason.FAILED, "", error)
    assert answer(engine.stream(asked("c" * 50, 40))).text == lone("c" * 50, 40)
    assert broken.is_closed
    assert broken.open_samplers == 0
    assert openings.count == 2


def test_every_failure_opens_the_model_once_more(start: Start) -> None:
    openings = Openings(breaking(), breaking(0), breaking(9), ScriptedBackend())
    engine = start(openings)
    for count in (2, 3, 4):
        break_it(engine)
        assert engine.info.name == "scripted"  # it is open again
        assert openings.count == count
    assert answer(engine.stream(asked("a" * 50, 40))).text == lone("a" * 50, 40)
    assert openings.count == 4


def test_of_what_the_broken_model_had_read_nothing_is_cached(start: Start) -> None:
    engine = start(Openings(breaking(12), ScriptedBackend()))
    request = asked("a" * 100, 8)
    finished(engine.stream(request))
    assert engine.measure(request.prompt).tokens_cached == 98
    break_it(engine)
    assert engine.measure(request.prompt).tokens_cached == 0
    assert finished(engine.stream(request)).usage.cached_tokens == 0


class Brittle(ScriptedBackend):
    """One of its members raises, from a moment on."""

    def __init__(self, member: str) -> None:
        super().__init__()
        self.member = ""
        self.breaks_in = member

    def _check(self, member: str) -> None:
        if member == self.member:
            raise RuntimeError("the runtime broke")

    def new_sampler(self, *args: object, **named: object) -> Sampler:
        self._check("new_sampler")
        return super().new_sampler(*args, **named)  # type: ignore[arg-type]  # passed on as they are

    def sample(self, row: int, sampler: Sampler) -> int:
        self._check("sample")
        return super().sample(row, sampler)

    def log_probabilities(self, row: int):  # type: ignore[no-untyped-def]  # numpy's long name
        self._check("log_probabilities")
        return super().log_probabilities(row)

    def trim(self, slot: int, length: int) -> None:
        self._check("trim")
        super().trim(slot, length)

    def copy(self, source: int, target: int) -> None:
        self._check("copy")
        super().copy(source, target)

    def export_state(self, slot: int) -> bytes:
        self._check("export_state")
        return super().export_state(slot)


@pytest.mark.parametrize(
    "member", ["new_sampler", "sample", "log_probabilities", "trim", "copy", "export_state"]
)
def test_wherever_the_backend_breaks_nobody_waits_forever(start: Start, member: str) -> None:
    broken = Brittle(member)
    engine = start(Openings(broken, ScriptedBackend()))
    finished(engine.stream(asked("z" * 100, 5)))  # something is idle, to be moved away
    broken.gate = threading.Event()
    broken.member = member
    requests = [asked(letter * 50, 5, top_logprobs=0, candidates=2) for letter in "abc"]
    streams = [engine.stream(request) for request in requests]
    broken.gate.set()
    ends = [found for stream in streams for found in finished(stream).answers]
    assert {end.reason for end in ends} <= {Reason.LENGTH, Reason.FAILED}
    assert Reason.FAILED in {end.reason for end in ends}
    assert answer(engine.stream(asked("a" * 50, 40))).text == lone("a" * 50, 40)
    assert broken.open_samplers == 0
    assert broken.is_closed


def test_when_the_backend_breaks_while_scoring_the_asker_hears_of_it(start: Start) -> None:
    engine = start(Openings(breaking(0), ScriptedBackend()))
    with pytest.raises(EngineFailed, match="the GPU is gone"):
        engine.score(RawPrompt("a" * 100), ["b"])
    other = loaded(opener(ScriptedBackend()))
    expected = other.score(RawPrompt("a" * 100), ["b"])
    other.close()
    assert engine.score(RawPrompt("a" * 100), ["b"]) == expected


def test_an_answer_that_was_cancelled_in_the_call_that_broke_is_stopped(start: Start) -> None:
    broken = breaking(20)
    engine = start(Openings(broken, ScriptedBackend()))
    streams: list[LocalAnswerStream] = []

    def cancel_in_the_last_call() -> None:
        if len(broken.calls) == 20:
            streams[0].cancel()

    broken.before_call = cancel_in_the_last_call
    broken.gate = threading.Event()
    streams += [engine.stream(asked(letter * 50, 100)) for letter in "ab"]
    broken.gate.set()
    stopped, failed = (answer(stream) for stream in streams)
    assert (stopped.reason, stopped.error) == (Reason.STOPPED, "")
    assert stopped.text
    assert (failed.reason, failed.error) == (Reason.FAILED, BROKEN.message)


# ── while the model is opened again ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda engine: engine.info.window, 2000),
        (lambda engine: engine.tokenize("ab"), [97, 98]),
        (lambda engine: engine.detokenize([97, 98]), "ab"),
        (lambda engine: engine.measure(RawPrompt("ab")).tokens, 2),
        (lambda engine: engine.render(RawPrompt("ab")).token_ids, (97, 98)),
        (lambda engine: len(engine.score(RawPrompt("a" * 9), ["b", "c"])), 2),
        (lambda engine: answer(engine.stream(asked("a" * 50, 4))).reason, Reason.LENGTH),
        (lambda engine: {step.stage for step in engine.load()} - {"loading"}, set()),
    ],
)
def test_whoever_asks_meanwhile_waits_and_is_answered(
    reopening: tuple[LocalEngine, Openings], use: Callable[[LocalEngine], object], expected: object
) -> None:
    engine, openings = reopening
    asking, got = in_thread(lambda: use(engine))
    asking.join(0.05)
    assert asking.is_alive()
    openings.gate.set()
    asking.join(20)
    assert got == [expected]


def test_loading_tells_how_far_the_opening_is(reopening: tuple[LocalEngine, Openings]) -> None:
    engine, openings = reopening
    steps = engine.load()
    assert next(steps) == ModelLoading("loading", 0.5)
    openings.gate.set()
    assert all(isinstance(step, ModelLoading) for step in steps)
    assert engine.info.window == 2000


def test_a_deadline_counts_while_the_asker_waits(reopening: tuple[LocalEngine, Openings]) -> None:
    engine, openings = reopening
    asking, got = in_thread(lambda: answer(engine.stream(asked("a", 4, deadline_seconds=0.05))))
    asking.join(0.1)
    openings.gate.set()
    asking.join(20)
    (end,) = got
    assert (end.reason, end.text) == (Reason.DEADLINE, "")  # type: ignore[attr-defined]  # an answer
    fresh = openings.found[1]
    assert isinstance(fresh, ScriptedBackend)
    assert fresh.calls == []
    assert answer(engine.stream(asked("a", 4))).reason is Reason.LENGTH


def test_a_stream_that_failed_may_be_cancelled_meanwhile(start: Start) -> None:
    openings = Openings(breaking(), ScriptedBackend())
    engine = start(openings)
    openings.gate.clear()
    openings.is_opening.clear()
    stream = engine.stream(asked("a" * 50, 100, deadline_seconds=30.0))
    assert openings.is_opening.wait(20)
    stream.cancel()
    end = answer(stream)
    assert end.reason is Reason.FAILED
    assert end.text
    stream.cancel()
    openings.gate.set()


def test_closing_meanwhile_gives_the_opening_up(reopening: tuple[LocalEngine, Openings]) -> None:
    engine, _ = reopening
    uses: tuple[Callable[[], object], ...] = (
        lambda: engine.tokenize("a"),
        lambda: engine.info,
        lambda: engine.stream(asked("a")),
        lambda: list(engine.load()),
    )
    asking = [in_thread(use) for use in uses]
    asking[0][0].join(0.05)
    engine.close()
    for thread, got in asking:
        thread.join(20)
        assert [str(error) for error in got] == ["the engine is closed"]
    with pytest.raises(EngineFailed, match="closed"):
        engine.tokenize("a")
    assert engine._thread is not None
    assert not engine._thread.is_alive()


def test_a_backend_opened_after_all_when_the_engine_is_closed_is_closed_too(start: Start) -> None:
    fresh = ScriptedBackend()
    let_go = threading.Event()
    broken, opened = breaking(), iter((True, False))

    def open_slowly(_spec: ModelSpec, _on_progress: OnProgress) -> ScriptedBackend:
        if next(opened):
            return broken
        assert let_go.wait(20)
        return fresh

    engine = loaded(open_slowly)
    break_it(engine)
    closing, _ = in_thread(engine.close)
    eventually(lambda: engine._is_closing)
    let_go.set()
    closing.join(20)
    assert not closing.is_alive()
    assert fresh.is_closed


# ── when that fails ─────────────────────────────────────────────────────────────────────────


def test_when_the_model_cannot_be_opened_again_the_engine_has_failed_for_good(
    start: Start,
) -> None:
    openings = Openings(breaking(), ModelError("the file is gone", "download it again"))
    engine = start(openings)
    openings.gate.clear()
    break_it(engine)
    waiting, got = in_thread(lambda: engine.measure(RawPrompt("a")))
    waiting.join(0.05)
    openings.gate.set()
    waiting.join(20)
    assert [str(error) for error in got] == ["the file is gone"]
    for use in (
        lambda: engine.stream(asked("a")),
        lambda: engine.score(RawPrompt("a"), ["b"]),
        lambda: engine.info,
        lambda: list(engine.load()),
    ):
        with pytest.raises(ModelError, match="the file is gone"):
            use()
    assert openings.count == 2
    engine.close()


def test_a_broken_backend_that_cannot_be_closed_is_not_opened_again(start: Start) -> None:
    class Stuck(ScriptedBackend):
        def close(self) -> None:
            raise RuntimeError("it cannot be freed")

    broken = Stuck()
    broken.failure, broken.fails_after = BROKEN, 5
    openings = Openings(broken, ScriptedBackend())
    engine = start(openings)
    break_it(engine)
    with pytest.raises(EngineFailed, match="it cannot be freed"):
        engine.tokenize("a")
    assert openings.count == 1


# ── what the broken one leaves behind ───────────────────────────────────────────────────────


def test_it_is_closed_once_nobody_is_inside_its_tokenizer(start: Start) -> None:
    broken = breaking()
    inside, leave = threading.Event(), threading.Event()
    tokenize = broken.tokenizer.tokenize

    def slow(text: str, *, has_control_tokens: bool = False) -> list[int]:
        if text == "slow":
            inside.set()
            assert leave.wait(20)
            assert not broken.is_closed
        return tokenize(text)

    broken.tokenizer.tokenize = slow  # type: ignore[method-assign]  # this one only
    openings = Openings(broken, ScriptedBackend())
    engine = start(openings)
    counting, tokens = in_thread(lambda: engine.tokenize("slow"))
    assert inside.wait(20)
    inside.clear()
    request, ends = in_thread(lambda: answer(engine.stream(asked("slow", 4))))
    assert inside.wait(20)
    break_it(engine)
    assert not broken.is_closed
    assert openings.count == 1
    leave.set()
    counting.join(20)
    request.join(20)
    assert tokens == [list(b"slow")]
    (end,) = ends
    assert end.error == BROKEN.message  # type: ignore[attr-defined]  # it came before the failure
    assert engine.tokenize("a") == [97]
    assert broken.is_closed


def test_nothing_holds_the_broken_one_while_the_next_is_opened() -> None:
    """Else the memory would have to hold the weights twice."""
    broken: list[weakref.ref[ScriptedBackend]] = []
    held: list[bool] = []

    def decode(_rows: list[Row]) -> None:
        raise RuntimeError("the runtime broke")

    def open_one(_spec: ModelSpec, _on_progress: OnProgress) -> ScriptedBackend:
        backend = ScriptedBackend()
        if not broken:
            backend.decode = decode  # type: ignore[assignment, method-assign]  # this one only
        held.extend(found() is not None for found in broken)
        broken.append(weakref.ref(backend))
        return backend

    engine = LocalEngine(SPEC, open_one)
    assert list(engine.load()) is not None
    gc.disable()  # what only the collector frees is freed too late
    try:
        streams = [engine.stream(asked(letter * 50, 100)) for letter in "abc"]
        assert {answer(stream).reason for stream in streams} == {Reason.FAILED}
        assert engine.tokenize("a") == [97]
    finally:
        gc.enable()
    assert held == [False]
    engine.close()
