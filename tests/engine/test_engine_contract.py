"""What every engine promises, shown on the starter model with each runtime."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pytest
from msgspec.structs import replace

from assistant.backends.base import (
    Backend,
    DecodeResult,
    ModelSpec,
    OnProgress,
    Row,
    SamplingOptions,
)
from assistant.backends.open import open_backend
from assistant.engine.base import AnswerStream, Engine, GenerationRequest, Keep, Priority
from assistant.engine.client import ResidentEngine
from assistant.engine.local import LocalEngine
from assistant.errors import EngineFailed, ModelError, PromptTooLong, UsageError
from assistant.events import (
    Answer,
    Event,
    Finished,
    ModelLoading,
    PromptProgress,
    Queued,
    Reason,
    TextChunk,
)
from assistant.messages import ChatPrompt, Message, Part, RawPrompt, Role, message

GREEDY = SamplingOptions(temperature=0.0)
WARM = SamplingOptions(temperature=1.0)
LINE = "def add(a, b):\n    return a + b\n\n"
# Counting and lists: the model is sure of each next token, so that rounding decides nothing.
SURE = tuple(
    ", ".join(str(first + step * place) for place in range(12)) + ","
    for first, step in ((1, 1), (21, 1), (501, 1), (10, 10))
)


def chat(text: str) -> ChatPrompt:
    return ChatPrompt((message(Role.USER, text),), date(2026, 1, 1))


def asked(text: str, new: int = 16, **more: object) -> GenerationRequest:
    return replace(
        GenerationRequest(RawPrompt(text), sampling=GREEDY, max_new_tokens=new, seed=3),
        **more,
    )


def finished(stream: AnswerStream) -> Finished:
    return end_of(list(stream))


def end_of(events: Sequence[Event]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    assert [type(event) for event in events].count(Finished) == 1
    return last


def answer(stream: AnswerStream) -> Answer:
    return finished(stream).answers[0]


_unique = iter(range(10**6))


def long_text(tokens: int) -> str:
    """A prompt of a little more than so many tokens that no earlier test has read."""
    return f"# File {next(_unique)}\n" + LINE * (tokens // 14 + 1)


@dataclass(frozen=True)
class Sizes:
    """How much a runtime is given to do: on one core PyTorch writes a third as fast."""

    compared: int  # tokens of answers that must be the same
    beside: int  # tokens that others write while one waits
    watched: int  # tokens of a prompt whose progress is followed; a few seconds
    stops_within: float  # seconds, far less than the running call would take


RUNTIMES = {
    "llamacpp": Sizes(compared=24, beside=40, watched=600, stops_within=0.5),
    "resident": Sizes(compared=24, beside=40, watched=600, stops_within=0.5),
    "torch": Sizes(compared=14, beside=20, watched=300, stops_within=1.0),
}
SPECS = {
    "llamacpp": "starter_spec",
    "resident": "starter_spec",
    "torch": "torch_starter_spec",
}
ENGINES = {
    "llamacpp": "starter_engine",
    "resident": "resident_starter_engine",
    "torch": "torch_starter_engine",
}


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def sizes(runtime: str) -> Sizes:
    return RUNTIMES[runtime]


@pytest.fixture
def spec(runtime: str, request: pytest.FixtureRequest) -> ModelSpec:
    found = request.getfixturevalue(SPECS[runtime])
    assert isinstance(found, ModelSpec)
    return found


@pytest.fixture
def engine(runtime: str, request: pytest.FixtureRequest) -> Engine:
    found = request.getfixturevalue(ENGINES[runtime])
    assert isinstance(found, LocalEngine | ResidentEngine)
    return found


@pytest.fixture(scope="session")
def resident_starter_engine(
    tmp_path_factory: pytest.TempPathFactory, starter_spec: ModelSpec
) -> Iterator[ResidentEngine]:
    """In a process that ends with the session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMCHAT_HOME", str(tmp_path_factory.mktemp("resident")))
        engine = ResidentEngine(starter_spec, keep_alive=0.0)
        list(engine.load())
    yield engine
    engine.close()


@pytest.fixture
def unloaded(runtime: str, spec: ModelSpec) -> Iterator[Engine]:
    engine = ResidentEngine(spec, 0.0) if runtime == "resident" else LocalEngine(spec)
    yield engine
    engine.close()


@pytest.fixture
def fresh(unloaded: Engine) -> Engine:
    """An engine that has cached nothing."""
    for _ in unloaded.load():
        pass
    return unloaded


# ── loading and closing ─────────────────────────────────────────────────────────────────────


def test_loading_tells_what_it_does_and_ends_when_the_model_is_ready(unloaded: Engine) -> None:
    engine = unloaded
    with pytest.raises(ModelError, match="not loaded"):
        engine.tokenize("a")
    for event in engine.load():
        assert isinstance(event, ModelLoading)
        assert event.share is None or 0 <= event.share <= 1
    assert engine.info.parameters > 10**8
    assert list(engine.load()) == []
    assert engine.detokenize(engine.tokenize("héllo")) == "héllo"
    engine.close()
    engine.close()


def test_whatever_is_asked_of_a_closed_engine_is_refused(fresh: Engine) -> None:
    engine = fresh
    running = engine.stream(asked(long_text(600)))
    engine.close()
    assert answer(running).reason is Reason.FAILED
    running.cancel()
    for use in (
        lambda: engine.info,
        lambda: engine.tokenize("a"),
        lambda: engine.detokenize([1]),
        lambda: engine.measure(RawPrompt("a")),
        lambda: engine.render(chat("a")),
        lambda: engine.score(RawPrompt("a"), ["b"]),
        lambda: engine.stream(asked("a")),
        lambda: list(engine.load()),
    ):
        with pytest.raises(EngineFailed, match="closed"):
            use()


def test_an_engine_closed_while_it_loads_does_not_become_ready(unloaded: Engine) -> None:
    steps = unloaded.load()
    unloaded.close()
    with pytest.raises(EngineFailed, match="closed"):
        list(steps)


def test_an_engine_that_was_never_loaded_can_be_closed(unloaded: Engine) -> None:
    unloaded.close()


def test_an_engine_whose_backend_broke_answers_like_a_new_one(
    runtime: str, spec: ModelSpec
) -> None:
    if runtime == "resident":
        pytest.skip("nobody reaches into another process; test_resident_faults.py kills it")
    opened: list[Backend] = []

    def open_and_break_the_first(spec: ModelSpec, on_progress: OnProgress) -> Backend:
        backend = open_backend(spec, on_progress)
        results = [backend.decode] * 6

        def decode(rows: Sequence[Row]) -> DecodeResult:
            return results.pop()(rows)

        if not opened:
            backend.decode = decode  # type: ignore[method-assign]  # this one only
        opened.append(backend)
        return backend

    engine = LocalEngine(spec, open_and_break_the_first)
    list(engine.load())
    broken = answer(engine.stream(asked(SURE[0], 12)))
    assert (broken.reason, broken.hint) == (Reason.FAILED, "ask again")
    assert "IndexError" in broken.error
    whole = answer(engine.stream(asked(SURE[0], 12)))
    assert whole.reason is Reason.LENGTH
    assert broken.text == whole.text[: len(broken.text)] != ""
    assert len(opened) == 2
    engine.close()


# ── a stream ────────────────────────────────────────────────────────────────────────────────


def test_a_stream_ends_with_one_finished_and_its_chunks_are_the_text(engine: Engine) -> None:
    events = list(engine.stream(GenerationRequest(chat("Say hello."), max_new_tokens=24)))
    (found,) = end_of(events).answers
    assert found.text == "".join(e.text for e in events if isinstance(e, TextChunk))
    assert found.text
    assert engine.detokenize(found.token_ids) == found.text
    assert found.reason in (Reason.DONE, Reason.LENGTH)


def test_usage_counts_the_tokens(engine: Engine) -> None:
    prompt = RawPrompt(long_text(100))
    measure = engine.measure(prompt)
    end = finished(engine.stream(replace(asked(""), prompt=prompt)))
    assert end.usage.prompt_tokens == measure.tokens
    assert end.usage.cached_tokens == measure.tokens_cached
    assert end.usage.new_tokens == len(end.answers[0].token_ids) == 16
    assert end.usage.seconds_to_first_token > 0
    assert end.usage.prefill_tokens_per_second > 0
    assert end.usage.decode_tokens_per_second > 0


def test_the_same_seed_writes_the_same(engine: Engine) -> None:
    request = asked("Once upon a time", sampling=WARM)
    first, again = (answer(engine.stream(request)) for _ in range(2))
    other = answer(engine.stream(replace(request, seed=4)))
    assert again == first
    assert first.seed == 3
    assert other.token_ids != first.token_ids


def test_a_seed_that_nobody_chose_is_told_and_repeats_the_answer(engine: Engine) -> None:
    request = asked("Once upon a time", sampling=WARM, seed=None)
    first = answer(engine.stream(request))
    assert answer(engine.stream(replace(request, seed=first.seed))).text == first.text


# ── the cache ───────────────────────────────────────────────────────────────────────────────


def test_a_cached_prompt_writes_what_an_uncached_one_does(engine: Engine) -> None:
    request = asked(f"{next(_unique)} dwarfs count: " + SURE[0] * 4)
    first, again = (finished(engine.stream(request)) for _ in range(2))
    assert again.usage.cached_tokens == first.usage.prompt_tokens - 2
    assert again.answers[0].token_ids == first.answers[0].token_ids


def test_the_next_turn_of_a_chat_finds_the_last_one_in_the_cache(engine: Engine) -> None:
    question = message(Role.USER, f"Count to ten. ({next(_unique)})")
    first = chat("").first_day
    turn = finished(
        engine.stream(GenerationRequest(ChatPrompt((question,), first), max_new_tokens=40, seed=1))
    )
    said = replace(
        message(Role.ASSISTANT, turn.answers[0].text),
        token_ids=turn.answers[0].token_ids,
        fingerprint=engine.info.fingerprint,
    )
    next_turn = ChatPrompt((question, said, message(Role.USER, "Go on.")), first)
    held = turn.usage.prompt_tokens + turn.usage.new_tokens
    assert engine.measure(next_turn).tokens_cached >= held - 1
    end = finished(engine.stream(GenerationRequest(next_turn, max_new_tokens=2)))
    assert end.usage.cached_tokens >= held - 1


def test_a_request_that_keeps_nothing_leaves_nothing_cached(fresh: Engine) -> None:
    request = asked(long_text(80), 4, keep=Keep.NOTHING)
    finished(fresh.stream(request))
    assert fresh.measure(request.prompt).tokens_cached == 0
    finished(fresh.stream(replace(request, keep=Keep.PREFIX)))
    measure = fresh.measure(request.prompt)
    assert measure.tokens_cached == measure.tokens - 2


def test_an_idle_conversation_comes_back_after_another_one_ran(engine: Engine) -> None:
    first, second = (asked(long_text(120) + SURE[0], 8) for _ in range(2))
    text = answer(engine.stream(first)).text
    finished(engine.stream(second))
    again = finished(engine.stream(first))
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 2
    assert again.answers[0].text == text


# ── several at once ─────────────────────────────────────────────────────────────────────────


def test_answers_written_together_are_those_written_alone(engine: Engine, sizes: Sizes) -> None:
    requests = [asked(text, sizes.compared, keep=Keep.NOTHING) for text in SURE]
    alone = [answer(engine.stream(request)).text for request in requests]
    together = [engine.stream(request) for request in requests]
    assert [answer(stream).text for stream in together] == alone


def test_cancelling_one_of_four_changes_nothing_for_the_others(
    engine: Engine, sizes: Sizes
) -> None:
    requests = [asked(text, sizes.compared, keep=Keep.NOTHING) for text in SURE]
    alone = [answer(engine.stream(request)).text for request in requests]
    streams = [engine.stream(request) for request in requests]
    cancelled = streams.pop(1)
    for event in cancelled:
        if isinstance(event, TextChunk):
            cancelled.cancel()
        if isinstance(event, Finished):
            assert event.answers[0].reason is Reason.STOPPED
            assert alone[1].startswith(event.answers[0].text)
    assert [answer(stream).text for stream in streams] == [alone[0], *alone[2:]]


def test_more_requests_than_places_wait_and_all_finish(engine: Engine) -> None:
    streams = [engine.stream(asked(f"{n}, {n + 1},", 6)) for n in range(20, 31)]
    events = [list(stream) for stream in streams]
    assert all(end_of(of_one).answers[0].reason is Reason.LENGTH for of_one in events)
    assert any(isinstance(event, Queued) for event in events[-1])
    places = [event.position for event in events[-1] if isinstance(event, Queued)]
    assert places == sorted(places, reverse=True)


def test_background_waits_behind_interactive(engine: Engine, sizes: Sizes) -> None:
    lengths = [6] + [sizes.beside] * 7
    running = [engine.stream(asked(f"{n}, {n + 1},", new)) for n, new in enumerate(lengths)]
    background = engine.stream(asked("a b c", 8, priority=Priority.BACKGROUND))
    interactive = engine.stream(asked("d e f", 2))
    order: list[str] = []

    def follow(stream: AnswerStream, name: str) -> None:
        finished(stream)
        order.append(name)

    threads = [
        threading.Thread(target=follow, args=pair)
        for pair in ((background, "background"), (interactive, "interactive"))
    ]
    for thread in threads:
        thread.start()
    ends = [finished(stream).usage for stream in running]
    for thread in threads:
        thread.join(60)
    assert len(ends) == 8
    assert order == ["interactive", "background"]


def test_candidates_share_one_prefill(engine: Engine) -> None:
    request = asked(long_text(100) + "Once upon a time", 6, sampling=WARM)
    single = answer(engine.stream(request))
    end = finished(engine.stream(replace(request, candidates=3, prompt=request.prompt)))
    assert end.usage.prompt_tokens == engine.measure(request.prompt).tokens
    assert end.usage.new_tokens == sum(len(found.token_ids) for found in end.answers)
    assert [found.candidate for found in end.answers] == [0, 1, 2]
    assert [found.seed for found in end.answers] == [3, 4, 5]
    assert end.answers[0].token_ids[0] == single.token_ids[0]  # later ones may round apart
    assert len({found.text for found in end.answers}) > 1
    sure = asked(SURE[0], 12, sampling=SamplingOptions(temperature=0.5))
    together = answer(engine.stream(replace(sure, candidates=3)))
    assert together.text == answer(engine.stream(sure)).text


# ── cancelling and deadlines ────────────────────────────────────────────────────────────────


def test_a_cancel_while_the_prompt_is_read_ends_soon(engine: Engine, sizes: Sizes) -> None:
    finished(engine.stream(asked(long_text(60), 1)))  # the speed is known: calls are long
    stream = engine.stream(asked(long_text(3000)))
    cancelled: list[float] = []

    def cancel() -> None:
        cancelled.append(time.monotonic())
        stream.cancel()

    timer = threading.Timer(0.4, cancel)
    timer.start()
    end = finished(stream)
    seconds = time.monotonic() - cancelled[0]
    assert end.answers[0].reason is Reason.STOPPED
    assert end.answers[0].text == ""
    assert seconds < sizes.stops_within
    stream.cancel()
    assert answer(engine.stream(asked(SURE[0], 4))).reason is Reason.LENGTH


def test_a_cancel_in_the_queue_ends_before_any_work(engine: Engine) -> None:
    running = [engine.stream(asked(f"{n}, {n + 1},", 12)) for n in range(8)]
    waiting = engine.stream(asked("never read"))
    waiting.cancel()
    end = finished(waiting)
    assert end.answers[0].reason is Reason.STOPPED
    assert end.usage.new_tokens == 0
    assert {answer(stream).reason for stream in running} == {Reason.LENGTH}


def test_a_deadline_ends_the_answer_and_keeps_its_text(engine: Engine) -> None:
    request = asked(SURE[0], 4000, deadline_seconds=0.6, ends_repetition=False)
    end = answer(engine.stream(request))
    assert end.reason is Reason.DEADLINE
    assert end.text == engine.detokenize(end.token_ids)


def test_a_deadline_ends_the_reading_of_a_prompt(engine: Engine) -> None:
    started = time.monotonic()
    end = answer(engine.stream(asked(long_text(4000), deadline_seconds=0.3)))
    assert end.reason is Reason.DEADLINE
    assert time.monotonic() - started < 2.0


# ── where an answer ends ────────────────────────────────────────────────────────────────────


def test_a_stop_string_ends_the_answer_before_it(engine: Engine) -> None:
    whole = answer(engine.stream(asked(SURE[0], 24))).text
    for stop in (whole[9:10], whole[7:12], whole[3:4]):  # also across tokens
        found = answer(engine.stream(asked(SURE[0], 24, stop=(stop, "never there"))))
        assert found.text == whole[: whole.index(stop)]
        assert found.reason is Reason.DONE


def test_an_answer_has_max_new_tokens_at_most(engine: Engine) -> None:
    found = answer(engine.stream(asked(SURE[0], 5)))
    assert found.reason is Reason.LENGTH
    assert len(found.token_ids) == 5


def test_a_prompt_and_answer_beyond_the_window_are_refused(engine: Engine) -> None:
    window = engine.info.window
    with pytest.raises(PromptTooLong, match=f"{window:,}"):
        engine.stream(asked("a", window))
    with pytest.raises(PromptTooLong):
        engine.score(RawPrompt("a " * window), ["b"])


def test_a_grammar_binds_the_answer_or_is_refused(engine: Engine) -> None:
    request = asked("Is water wet? ", grammar='root ::= "yes" | "no"')
    if not engine.info.abilities.grammar:
        with pytest.raises(UsageError, match="cannot be bound to a grammar"):
            engine.stream(request)
        return
    assert answer(engine.stream(request)).text in ("yes", "no")
    with pytest.raises(UsageError, match="grammar"):
        engine.stream(asked("a", grammar="root ::= ("))


def test_a_repeat_penalty_is_obeyed(engine: Engine) -> None:
    penalised = replace(GREEDY, repeat_penalty=1.8)
    plain, other = (
        answer(engine.stream(asked("la la la la la la la", 12, sampling=options)))
        for options in (GREEDY, penalised)
    )
    assert other.reason in (Reason.LENGTH, Reason.DONE)
    assert plain.text != other.text


def test_ids_that_are_no_tokens_are_refused(engine: Engine) -> None:
    for token in (-1, 10**6):
        with pytest.raises(UsageError):
            engine.stream(replace(asked(""), prompt=RawPrompt(token_ids=(5, token))))
        with pytest.raises(UsageError):
            engine.detokenize([token])


# ── probabilities ───────────────────────────────────────────────────────────────────────────


def test_top_logprobs_tell_what_else_could_have_come(engine: Engine) -> None:
    found = answer(engine.stream(asked(SURE[1], 6, top_logprobs=3)))
    assert tuple(written.token_id for written in found.logprobs) == found.token_ids
    for written in found.logprobs:
        assert len(written.top) == 3
        assert written.top[0].token_id == written.token_id
        assert written.top[0].logprob == written.logprob <= 0
        assert list(written.top) == sorted(written.top, key=lambda top: -top.logprob)
    own = answer(engine.stream(asked(SURE[1], 6, top_logprobs=0)))
    assert [written.top for written in own.logprobs] == [()] * 6
    assert answer(engine.stream(asked(SURE[1], 6))).logprobs == ()


def test_a_score_is_the_sum_of_what_the_answer_reported(engine: Engine) -> None:
    found = answer(engine.stream(asked(SURE[1], 6, top_logprobs=0)))
    expected = sum(written.logprob for written in found.logprobs)
    assert tuple(engine.tokenize(found.text)) == found.token_ids
    score, worse, nothing = engine.score(RawPrompt(SURE[1]), [found.text, " banana blue", ""])
    assert score == pytest.approx(expected, abs=0.5)
    assert worse < score
    assert nothing == 0.0


# ── what never waits ────────────────────────────────────────────────────────────────────────


def test_the_parts_of_a_measure_add_up(engine: Engine) -> None:
    measure = engine.measure(chat("How do I sort a list?"))
    assert sum(part.tokens for part in measure.parts) == measure.tokens
    assert measure.is_exact
    assert measure.tokens == len(engine.render(chat("How do I sort a list?")).token_ids)
    assert {part.source for part in measure.parts} == {"user", "template"}


def test_what_is_cached_is_told_part_by_part(engine: Engine) -> None:
    file, first, second = (
        Part(long_text(150), "a.py"),
        Part("\nWhat is it?", "question"),
        Part("\nWhy is that?", "question"),
    )
    asked_before, prompt = (
        ChatPrompt((Message(Role.USER, (file, question)),), date(2024, 2, 29))
        for question in (first, second)
    )
    assert not any(part.cached for part in engine.render(asked_before).parts)
    finished(engine.stream(GenerationRequest(asked_before, max_new_tokens=1)))
    measure = engine.measure(prompt)
    assert sum(part.cached for part in measure.parts) == measure.tokens_cached
    told = {part.source: part for part in measure.parts}
    assert told["a.py"].cached == told["a.py"].tokens
    assert told["question"].cached < told["question"].tokens
    assert 0 < told["template"].cached < told["template"].tokens
    assert not any(part.cached for part in engine.render(asked_before).parts)


def test_a_prompt_measured_twice_is_measured_alike(engine: Engine) -> None:
    text = "".join(f"Line {number} says something\n" for number in range(600))
    first = engine.measure(chat(text))
    assert [engine.measure(chat(text)).parts for _ in range(2)] == [first.parts] * 2
    longer = engine.render(chat(text + "x"))
    assert list(longer.token_ids) == engine.tokenize(longer.text, has_control_tokens=True)


def test_measure_render_and_tokenize_answer_while_a_prompt_is_read(engine: Engine) -> None:
    stream = engine.stream(asked(long_text(2500)))
    events = iter(stream)
    for event in events:
        if isinstance(event, PromptProgress):
            break
    started = time.monotonic()
    for _ in range(5):
        engine.measure(chat("a"))
        engine.render(chat("b"))
        engine.tokenize("c")
    assert time.monotonic() - started < 0.5
    stream.cancel()
    rest = list(events)
    assert not any(isinstance(event, TextChunk) for event in rest)
    assert end_of(rest).answers[0].reason is Reason.STOPPED


def test_progress_comes_during_one_long_call_and_grows(engine: Engine, sizes: Sizes) -> None:
    finished(engine.stream(asked(long_text(60), 1)))
    stream = engine.stream(asked(long_text(sizes.watched), 1, keep=Keep.NOTHING))
    times, told = [time.monotonic()], []
    for event in stream:
        times.append(time.monotonic())
        if isinstance(event, PromptProgress):
            told.append(event)
    assert max(after - before for before, after in pairwise(times)) < 1.0
    done = [event.tokens_done for event in told]
    assert done == sorted(done)
    assert len(set(done)) >= 4
    assert {event.tokens_total for event in told} == {told[0].tokens_total}
    assert done[-1] <= told[-1].tokens_total
