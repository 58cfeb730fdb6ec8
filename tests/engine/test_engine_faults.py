"""The engine on a scripted backend: scores, cancels, what was kept, loading and closing."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace
from scripted_backend import ScriptedBackend, opener
from scripted_engine import SPEC, answer, asked, eventually, finished, loaded

from assistant.backends.base import DecodeResult, ModelSpec, OnProgress
from assistant.engine.base import GenerationRequest, Keep, Priority
from assistant.engine.local import LocalEngine
from assistant.engine.prefix_cache import PrefixCache
from assistant.errors import AssistantError, EngineFailed, ModelError, NotEnoughMemory, UsageError
from assistant.events import Finished, ModelLoading, Queued, Reason
from assistant.messages import RawPrompt

Engines = Callable[[ScriptedBackend], LocalEngine]


@pytest.fixture
def load() -> Iterator[Engines]:
    engines: list[LocalEngine] = []

    def start(backend: ScriptedBackend) -> LocalEngine:
        engines.append(loaded(opener(backend)))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


# ── scores and what cannot be trimmed ───────────────────────────────────────────────────────


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


# ── opening that fails ──────────────────────────────────────────────────────────────────────


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
