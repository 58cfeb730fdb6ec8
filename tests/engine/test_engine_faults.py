"""The engine on a scripted backend: no room, failures, closing, interrupts, sharing of calls."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_backend import ScriptedBackend, opener

from assistant.backends.base import DecodeResult, ModelSpec, OnProgress
from assistant.engine import run as run_module
from assistant.engine import scheduler as scheduler_module
from assistant.engine.base import GenerationRequest, Keep, Priority
from assistant.engine.local import LocalAnswerStream, LocalEngine
from assistant.engine.prefix_cache import PrefixCache
from assistant.engine.run import Run
from assistant.engine.scheduler import PROBE_TOKENS, SHARED_CALL_SECONDS, Scheduler
from assistant.errors import AssistantError, EngineFailed, ModelError, NotEnoughMemory, UsageError
from assistant.events import Answer, Finished, ModelLoading, Queued, Reason, Usage
from assistant.messages import PartTokens, RawPrompt, Rendered, Span

SPEC = ModelSpec(Path("scripted.gguf"))
Engines = Callable[[ScriptedBackend], LocalEngine]


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


@pytest.fixture
def load() -> Iterator[Engines]:
    engines: list[LocalEngine] = []

    def start(backend: ScriptedBackend) -> LocalEngine:
        engine = LocalEngine(SPEC, opener(backend))
        engines.append(engine)
        for _ in engine.load():
            pass
        return engine

    yield start
    for engine in engines:
        engine.close()


def asked(prompt: str, new: int = 40, **more: object) -> GenerationRequest:
    return GenerationRequest(RawPrompt(prompt), max_new_tokens=new, seed=1, **more)  # type: ignore[arg-type]  # fields by name


def finished(stream: LocalAnswerStream) -> Finished:
    last = list(stream)[-1]
    assert isinstance(last, Finished)
    return last


def answer(stream: LocalAnswerStream) -> Answer:
    return finished(stream).answers[0]


# ── the scheduler alone, on a clock that only work moves ────────────────────────────────────


class Bench:
    """A scheduler without threads: `step` it and look."""

    def __init__(self, backend: ScriptedBackend, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scheduler_module, "time", backend.clock)
        monkeypatch.setattr(run_module, "time", backend.clock)
        self.backend = backend
        self.scheduler = Scheduler(backend, PrefixCache(backend, 2**20))

    def add(self, prompt: str, new: int = 40, **more: object) -> Run:
        ids = tuple(prompt.encode())
        parts = (PartTokens(None, "prompt", len(ids)),)
        rendered = Rendered((Span(prompt),), ids, parts)
        run = Run(asked(prompt, new, **more), rendered, self.backend.tokenizer, 1)
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


@pytest.mark.parametrize("keep", list(Keep))
@pytest.mark.parametrize("size", [10, 100])
def test_without_room_the_younger_waits_and_writes_the_same(
    monkeypatch: pytest.MonkeyPatch, keep: Keep, size: int
) -> None:
    prompts = ["a" * size, "b" * size]
    expected = [alone(prompt, 60, monkeypatch) for prompt in prompts]
    bench = Bench(ScriptedBackend(cells=2 * size + 70), monkeypatch)
    runs = [bench.add(prompt, 60, keep=keep) for prompt in prompts]
    bench.go_on()
    ends = [result(run) for run in runs]
    assert DecodeResult.NO_ROOM in bench.backend.results
    assert [end.answers[0].text for end in ends] == expected
    assert [end.answers[0].reason for end in ends] == [Reason.LENGTH] * 2
    assert bench.backend.open_samplers == 0


def test_without_room_background_waits_for_interactive(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(cells=280), monkeypatch)
    background = bench.add("a" * 100, 60, priority=Priority.BACKGROUND)
    bench.go_on(3)
    interactive = bench.add("b" * 100, 60)
    ends = []
    while not bench.scheduler.is_idle:
        bench.scheduler.step()
        ends += [run for run in (background, interactive) if run.is_finished and run not in ends]
    assert ends == [interactive, background]


def test_without_room_a_lonely_answer_keeps_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(cells=120), monkeypatch)
    run = bench.add("a" * 100, 60)
    bench.go_on()
    (end,) = result(run).answers
    assert end.reason is Reason.CONTEXT_FULL
    assert end.text == alone("a" * 100, 60, monkeypatch)[: len(end.text)]
    assert len(end.text) == 21
    assert not end.error


def test_without_room_for_a_lonely_prompt_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(cells=90), monkeypatch)
    run = bench.add("a" * 100, 60, candidates=3)
    bench.go_on()
    assert {end.reason for end in result(run).answers} == {Reason.FAILED}
    assert "memory" in result_error(run)


def result_error(run: Run) -> str:
    return run.sequences[0].error[0]


def test_idle_tokens_make_room_before_anybody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(cells=250), monkeypatch)
    bench.add("a" * 100, 20)
    bench.go_on()
    run = bench.add("b" * 150, 40)
    bench.go_on()
    assert result(run).answers[0].reason is Reason.LENGTH
    again = bench.add("a" * 100, 20)
    bench.go_on()
    assert result(again).usage.cached_tokens == 98


def test_a_prompt_alone_is_read_in_large_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(), monkeypatch)
    bench.add("a" * 1500, 4)
    bench.go_on()
    sizes = [sum(call.values()) for call in bench.backend.calls]
    assert sizes[0] == PROBE_TOKENS
    assert sizes[1:3] == [512, 512]


@pytest.mark.parametrize("speed", [300.0, 1000.0])
def test_a_prompt_beside_an_answer_is_read_in_short_calls(
    monkeypatch: pytest.MonkeyPatch, speed: float
) -> None:
    bench = Bench(ScriptedBackend(), monkeypatch)
    bench.backend.tokens_per_second = speed
    writing = bench.add("a" * 200, 3000, ends_repetition=False)
    bench.go_on(12)
    before = len(bench.backend.calls)
    bench.add("b" * 1500, 4)
    while any(run is not writing for run in bench.scheduler._waiting) or any(
        s.run is not writing for s in bench.scheduler._running
    ):
        bench.scheduler.step()
    calls = bench.backend.calls[before:]
    reading = [sum(call.values()) for call in calls if sum(call.values()) > 10]
    assert all(len(call) == 2 for call in calls if sum(call.values()) > 10)
    for size in reading[:-1]:
        assert size / speed == pytest.approx(SHARED_CALL_SECONDS, rel=0.15)


def test_two_prompts_are_read_at_the_same_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(), monkeypatch)
    first, second = bench.add("a" * 1000, 4), bench.add("b" * 1000, 4)
    while first.is_prefilling and second.is_prefilling:
        bench.scheduler.step()
        done = first.leader.done, second.leader.done
        assert abs(done[0] - done[1]) <= 32
    bench.go_on()


def test_a_short_prompt_is_not_kept_waiting_by_a_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(), monkeypatch)
    long = bench.add("a" * 3000, 4)
    bench.go_on(2)
    short = bench.add("b" * 60, 4)
    bench.go_on(6)
    assert short.first_token is not None
    assert long.is_prefilling
    bench.go_on()


def test_an_interrupted_call_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(), monkeypatch)
    expected = alone("a" * 300, 40, monkeypatch)
    bench = Bench(ScriptedBackend(), monkeypatch)
    run = bench.add("a" * 300, 40)
    turn = 0
    while not bench.scheduler.is_idle:
        turn += 1
        if turn % 2:
            bench.backend.interrupt()
        bench.scheduler.step()
    assert bench.backend.results.count(DecodeResult.INTERRUPTED) > 20
    assert result(run).answers[0].text == expected


def test_scores_are_made_between_the_calls_of_an_answer(load: Engines) -> None:
    backend = ScriptedBackend(slots=1)
    engine = load(backend)
    stream = engine.stream(asked("a" * 50, 200))
    scores = engine.score(RawPrompt("c" * 60), ["x", "yy", ""])
    assert len(scores) == 3
    assert scores[2] == 0.0
    assert answer(stream).text


def test_scores_with_every_slot_taken_wait_for_one(load: Engines) -> None:
    backend = ScriptedBackend(slots=2)
    engine = load(backend)
    streams = [engine.stream(asked(letter * 50, 300)) for letter in "ab"]
    assert len(engine.score(RawPrompt("c" * 60), ["x"])) == 1
    assert {answer(stream).reason for stream in streams} == {Reason.LENGTH}


def test_scores_without_room_are_refused_and_others_go_on(load: Engines) -> None:
    engine = load(ScriptedBackend(cells=100))
    with pytest.raises(NotEnoughMemory):
        engine.score(RawPrompt("c" * 200), ["x"])
    assert answer(engine.stream(asked("a" * 20, 10))).reason is Reason.LENGTH


@pytest.mark.parametrize("trims", [True, False])
def test_scores_leave_a_model_usable_that_cannot_trim(load: Engines, trims: bool) -> None:
    engine = load(ScriptedBackend(trims=trims))
    prompt = RawPrompt("c" * 100)
    assert engine.score(prompt, ["x", "yz"]) == engine.score(prompt, ["x", "yz"])
    assert answer(engine.stream(asked("c" * 100, 10))).reason is Reason.LENGTH


def test_a_model_that_cannot_trim_goes_on_from_a_whole_conversation(load: Engines) -> None:
    engine = load(ScriptedBackend(trims=False))
    first = answer(engine.stream(asked("a" * 100, 10)))
    longer = "a" * 100 + first.text[:-1]
    again = finished(engine.stream(asked(longer + "and on", 10)))
    assert again.usage.cached_tokens == len(longer)
    shorter = finished(engine.stream(asked("a" * 60, 10)))
    assert shorter.usage.cached_tokens == 0


# ── what was kept ───────────────────────────────────────────────────────────────────────────


def test_a_request_that_keeps_nothing_leaves_what_was_kept_before(load: Engines) -> None:
    engine = load(ScriptedBackend())
    finished(engine.stream(asked("a" * 100, 10, keep=Keep.PREFIX)))
    finished(engine.stream(asked("a" * 120, 10, keep=Keep.NOTHING)))
    assert engine.measure(RawPrompt("a" * 120 + "b")).tokens_cached == 100


def test_states_in_host_memory_stay_under_their_limit() -> None:
    backend = ScriptedBackend()
    cache = PrefixCache(backend, max_bytes=2000)
    for letter in range(97, 123):
        slot, _ = cache.take(ids := [letter] * 100)
        backend.held[slot].extend(ids[len(backend.held[slot]) :])
        cache.advance(slot, 100)
        cache.give_back(slot, Keep.TURN, 100)
    assert sum(len(stored.state) for stored in cache._stored) <= 2000
    assert cache.longest_prefix([122] * 100) == 98
    assert cache.longest_prefix([97] * 100) == 0


# ── failures ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("failure", [EngineFailed("the GPU is gone", "plug it in"), KeyError("x")])
def test_when_the_backend_breaks_every_answer_ends_with_the_reason(
    load: Engines, failure: Exception
) -> None:
    backend = ScriptedBackend(slots=2)
    backend.gate = threading.Event()
    engine = load(backend)
    streams = [engine.stream(asked(letter * 50, 500)) for letter in "abc"]
    backend.failure, backend.fails_after = failure, 30
    backend.gate.set()
    for stream in streams:
        end = answer(stream)
        assert end.reason is Reason.FAILED
        assert ("the GPU is gone" if isinstance(failure, EngineFailed) else "KeyError") in end.error
    for later in (
        lambda: engine.stream(asked("a")),
        lambda: engine.score(RawPrompt("a"), ["b"]),
        lambda: engine.measure(RawPrompt("a")),
        lambda: engine.tokenize("a"),
        lambda: list(engine.load()),
    ):
        with pytest.raises(EngineFailed):
            later()
    eventually(lambda: backend.is_closed)
    assert backend.open_samplers == 0


def test_when_a_slot_cannot_be_given_back_nobody_waits_forever(load: Engines) -> None:
    backend = ScriptedBackend()
    backend.gate = threading.Event()
    engine = load(backend)
    streams = [engine.stream(asked(letter * 50, 5, keep=Keep.NOTHING)) for letter in "abc"]
    trims: list[int] = []

    def break_at_second(slot: int, length: int) -> None:
        trims.append(slot)
        if backend.calls and len(trims) > 4:
            raise RuntimeError("the runtime broke")

    backend.trim = break_at_second  # type: ignore[method-assign]  # this one only
    backend.gate.set()
    reasons = {answer(stream).reason for stream in streams}
    assert reasons <= {Reason.LENGTH, Reason.FAILED}


def test_when_the_backend_breaks_while_scoring_the_asker_hears_of_it(load: Engines) -> None:
    backend = ScriptedBackend()
    engine = load(backend)
    backend.fails_after = 0
    with pytest.raises(EngineFailed, match="the runtime broke"):
        engine.score(RawPrompt("a" * 100), ["b"])


def test_a_model_that_cannot_be_opened_fails_every_load() -> None:
    def broken(_spec: ModelSpec, _progress: object) -> ScriptedBackend:
        raise ModelError("it is broken", "take another")

    engine = LocalEngine(SPEC, broken)
    for _ in range(2):
        with pytest.raises(ModelError, match="it is broken"):
            list(engine.load())
    with pytest.raises(ModelError, match="it is broken"):
        engine.tokenize("a")
    engine.close()


def test_a_template_that_does_not_parse_closes_the_backend() -> None:
    backend = ScriptedBackend()
    backend.chat_template = "{% if"  # type: ignore[assignment]  # None elsewhere
    engine = LocalEngine(SPEC, opener(backend))
    with pytest.raises(ModelError, match="template"):
        list(engine.load())
    eventually(lambda: backend.is_closed)


# ── closing ─────────────────────────────────────────────────────────────────────────────────


def test_closing_ends_what_runs_and_what_waits(load: Engines) -> None:
    backend = ScriptedBackend(slots=2)
    backend.gate = threading.Event()
    engine = load(backend)
    streams = [engine.stream(asked(letter * 50)) for letter in "abcd"]
    scores: list[AssistantError] = []

    def score() -> None:
        try:
            engine.score(RawPrompt("a" * 100), ["b"])
        except AssistantError as err:
            scores.append(err)

    scoring = threading.Thread(target=score)
    scoring.start()
    eventually(backend.in_call.is_set)
    engine.close()
    scoring.join(20)
    assert not scoring.is_alive()
    assert backend.is_closed
    assert backend.open_samplers == 0
    ends = [answer(stream) for stream in streams]
    assert {end.reason for end in ends} == {Reason.FAILED}
    assert {end.error for end in ends} == {"the engine is closed"}
    assert isinstance(scores[0], EngineFailed)


def test_closing_waits_for_whoever_is_inside_the_tokenizer(load: Engines) -> None:
    backend = ScriptedBackend()
    inside, leave = threading.Event(), threading.Event()
    tokenize = backend.tokenizer.tokenize

    def slow(text: str, *, has_control_tokens: bool = False) -> list[int]:
        inside.set()
        assert leave.wait(20)
        assert not backend.is_closed
        return tokenize(text)

    backend.tokenizer.tokenize = slow  # type: ignore[method-assign]  # this one only
    engine = load(backend)
    tokens: list[int] = []
    user = threading.Thread(target=lambda: tokens.extend(engine.tokenize("ab")))
    user.start()
    assert inside.wait(20)
    closer = threading.Thread(target=engine.close)
    closer.start()
    eventually(lambda: engine._is_closing)
    assert not backend.is_closed
    leave.set()
    user.join(20)
    closer.join(20)
    eventually(lambda: backend.is_closed)
    assert tokens == [97, 98]


def test_closing_while_it_loads_gives_up_loading() -> None:
    started = threading.Event()

    def slow(_spec: ModelSpec, on_progress: OnProgress) -> ScriptedBackend:
        started.set()
        eventually(lambda: not on_progress(ModelLoading("loading", 0.5)))
        raise ModelError("cancelled by the runtime's own words")

    engine = LocalEngine(SPEC, slow)
    errors: list[AssistantError] = []

    def load() -> None:
        try:
            list(engine.load())
        except AssistantError as err:
            errors.append(err)

    loader = threading.Thread(target=load)
    loader.start()
    assert started.wait(20)
    engine.close()
    loader.join(20)
    assert [err.message for err in errors] == ["the engine is closed"]


def test_leaving_the_loading_steps_gives_up_loading() -> None:
    gave_up = threading.Event()

    def slow(_spec: ModelSpec, on_progress: OnProgress) -> ScriptedBackend:
        eventually(lambda: not on_progress(ModelLoading("loading", 0.5)))
        gave_up.set()
        raise ModelError("cancelled")

    for _step in LocalEngine(SPEC, slow).load():
        break
    eventually(gave_up.is_set)


def test_loading_starts_before_anybody_reads_its_steps() -> None:
    started = threading.Event()

    def note(_spec: ModelSpec, on_progress: object) -> ScriptedBackend:
        started.set()
        return ScriptedBackend()

    engine = LocalEngine(SPEC, note)
    steps = engine.load()
    assert started.wait(20)
    assert list(steps) is not None
    engine.close()


# ── cancelling and queueing ─────────────────────────────────────────────────────────────────


def test_a_flood_of_cancels_does_not_starve_another_answer(load: Engines) -> None:
    backend = ScriptedBackend()
    engine = load(backend)
    expected = answer(engine.stream(asked("a" * 2000, 300))).text
    backend.before_call = lambda: time.sleep(0.002)
    chat = engine.stream(asked("A" + "a" * 1999, 300, keep=Keep.NOTHING))
    over = threading.Event()

    def flood() -> None:
        while not over.wait(0.05):  # faster than anybody types
            background = engine.stream(asked("z" * 500, 100, priority=Priority.BACKGROUND))
            time.sleep(0.01)
            background.cancel()
            assert answer(background).reason in (Reason.STOPPED, Reason.LENGTH)

    flooding = threading.Thread(target=flood)
    flooding.start()
    end = finished(chat)
    over.set()
    flooding.join(20)
    assert end.answers[0].reason is Reason.LENGTH
    assert len(end.answers[0].text) == len(expected)
    interrupted = backend.results.count(DecodeResult.INTERRUPTED)
    assert interrupted < len(backend.results) / 2


def test_a_request_that_waits_is_told_its_place_and_can_be_cancelled(load: Engines) -> None:
    backend = ScriptedBackend(slots=1)
    backend.gate = threading.Event()
    engine = load(backend)
    first = engine.stream(asked("a" * 40))
    second, third = engine.stream(asked("b" * 40)), engine.stream(asked("c" * 40))
    eventually(backend.in_call.is_set)
    second.cancel()
    backend.gate.set()
    assert answer(first).reason is Reason.LENGTH
    cancelled = list(second)
    assert Queued(1) in cancelled or len(cancelled) == 1
    end = cancelled[-1]
    assert isinstance(end, Finished)
    assert end.answers[0].reason is Reason.STOPPED
    assert end.answers[0].text == ""
    assert answer(third).reason is Reason.LENGTH
    assert backend.open_samplers == 0


def test_a_run_put_back_for_want_of_room_leaks_nothing_when_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(ScriptedBackend(cells=280), monkeypatch)
    bench.add("a" * 100, 60)
    younger = bench.add("b" * 100, 60)
    while younger not in bench.scheduler._waiting or younger.admitted is None:
        bench.scheduler.step()
    younger.end_with = Reason.STOPPED
    bench.scheduler.step()
    assert result(younger).answers[0].reason is Reason.STOPPED
    bench.go_on()
    assert bench.backend.open_samplers == 0
    assert bench.scheduler._cache.has_free_slot()


def test_interactive_requests_are_admitted_before_background_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(ScriptedBackend(slots=1), monkeypatch)
    bench.add("a" * 40)
    bench.go_on(2)
    later = bench.add("b" * 40, priority=Priority.BACKGROUND)
    urgent = [bench.add(letter * 40) for letter in "cd"]
    bench.go_on()
    admitted = [run.admitted or 0.0 for run in (*urgent, later)]
    assert admitted == sorted(admitted)


# ── ends of an answer ───────────────────────────────────────────────────────────────────────


def test_an_answer_that_goes_round_in_circles_ends(load: Engines) -> None:
    script = {"loop: ": "Once. " + "and so on, " * 200}
    engine = load(ScriptedBackend(script=script))
    end = answer(engine.stream(asked("loop: ", 1000)))
    assert end.reason is Reason.REPEATING
    assert 64 <= len(end.text) <= 120
    endless = answer(engine.stream(asked("loop: ", 1000, ends_repetition=False)))
    assert endless.reason is Reason.LENGTH


def test_an_answer_ends_where_the_model_ends_it(load: Engines) -> None:
    engine = load(ScriptedBackend(script={"hi": "hello — ✓"}))
    stream = engine.stream(asked("hi", 100, top_logprobs=0))
    end = answer(stream)
    assert (end.reason, end.text) == (Reason.DONE, "hello — ✓")
    assert len(end.logprobs) == len(end.token_ids)
    assert list(stream) == []  # it is over


@pytest.mark.parametrize(
    "request_",
    [
        asked("", 4),
        asked("a", 0),
        asked("a", 4, candidates=0),
        asked("a", 4, candidates=9),
        GenerationRequest(RawPrompt(token_ids=(5, 10**6)), max_new_tokens=4),
    ],
)
def test_requests_that_make_no_sense_are_refused_at_once(
    load: Engines, request_: GenerationRequest
) -> None:
    with pytest.raises(UsageError):
        load(ScriptedBackend()).stream(request_)


def test_a_candidate_is_the_answer_of_its_seed_alone(load: Engines) -> None:
    def by_seed(prefix: list[int]) -> int:
        return 97 + (prefix[-1] * 7 + sum(prefix)) % 26

    engine = load(ScriptedBackend(answer=by_seed))
    together = finished(engine.stream(asked("a" * 100, 20, candidates=8)))
    assert together.usage.prompt_tokens == 100
    for found in together.answers:
        single = replace(asked("a" * 100, 20), seed=found.seed)
        assert answer(engine.stream(single)).text == found.text
    assert len({found.text for found in together.answers}) == 8


def test_candidates_whose_leader_ends_at_once_still_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end_for_first(prefix: list[int]) -> int:
        return 256 if prefix[-1] == 1 else 120  # by seed

    bench = Bench(ScriptedBackend(answer=end_for_first), monkeypatch)
    run = bench.add("a" * 100, 5, candidates=4, ends_repetition=False)
    bench.go_on()
    end = result(run)
    assert [len(found.text) for found in end.answers] == [0, 5, 5, 5]
    assert sum(sum(call.values()) for call in bench.backend.calls) < 130  # one prefill
    assert isinstance(end.usage, Usage)
    assert bench.backend.open_samplers == 0
