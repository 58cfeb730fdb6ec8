"""What is learnt of the speed: any machine's, from few calls, in spite of one outlier."""

import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from scripted_backend import ScriptedBackend
from scripted_engine import Bench

from assistant.engine.reading_speed import CALLS, Cost, Learnt, Pace, ReadingSpeed, positions

PARAMETERS = 135_000_000
STARTER = Cost(6e-3, 2.4e-3, 5.4e-7)  # about, on two cores
COSTS = st.builds(  # of machines and models: per_call in rows, attention beside the usual share
    lambda row, call, share: Cost(row * call, row, row * share * 3 / math.sqrt(PARAMETERS)),
    st.floats(1e-6, 1.0),
    st.floats(0.5, 60.0),
    st.floats(0.3, 3.0),
)
CHUNKS = st.lists(st.tuples(st.integers(0, 8000), st.integers(2, 512)), min_size=1, max_size=20)


def speed_after(cost: Cost, chunks: list[tuple[int, int]], slower: float = 1.0) -> ReadingSpeed:
    """Of a machine on which a call takes exactly that."""
    speed = ReadingSpeed(PARAMETERS, 512)
    read(speed, cost.times(slower), chunks)
    return speed


def read(speed: ReadingSpeed, cost: Cost, chunks: list[tuple[int, int]]) -> None:
    for start, rows in chunks:
        read = positions(start, start + rows)
        speed.learn(rows, read, cost.of(rows, read))


def exact(cost: Cost, done: int, total: int) -> float:
    starts = range(done, total, 512)
    return sum(
        cost.of(end - start, positions(start, end))
        for start in starts
        for end in [min(total, start + 512)]
    )


def error(speed: ReadingSpeed, cost: Cost, done: int, total: int) -> float:
    predicted = speed.seconds(done, total)
    assert predicted is not None
    return abs(predicted - exact(cost, done, total)) / exact(cost, done, total)


def test_nothing_is_known_before_the_first_call() -> None:
    speed = ReadingSpeed(PARAMETERS, 512)
    assert speed.seconds(0, 100) is None
    assert speed.of_call(100, 4950) is None
    assert speed.start_seconds == 0.0


@given(COSTS, CHUNKS, st.integers(0, 6000), st.integers(1, 4000))
@settings(max_examples=150)
def test_a_prediction_is_a_positive_number_that_grows_with_the_prompt(
    cost: Cost, chunks: list[tuple[int, int]], done: int, tokens: int
) -> None:
    speed = speed_after(cost, chunks)
    shorter, longer = speed.seconds(done, done + tokens), speed.seconds(done, done + tokens + 1)
    assert shorter is not None
    assert longer is not None
    assert 0.0 < shorter <= longer < math.inf


@given(COSTS)
@settings(max_examples=100)
def test_calls_of_all_kinds_tell_the_cost_of_any_other(cost: Cost) -> None:
    chunks = [(0, 20), (0, 512), (512, 512), (4096, 512), (2000, 10), (6000, 100)] * 2
    speed = speed_after(cost, chunks)
    for done, total in ((0, 50), (0, 4000), (1900, 2000), (6000, 6002), (100, 600)):
        assert error(speed, cost, done, total) < 0.2


@pytest.mark.parametrize("chunks", [[(0, 32), (32, 100)], [(0, 50), (0, 300)], [(0, 60), (0, 40)]])
def test_two_short_prompts_tell_about_a_long_one(chunks: list[tuple[int, int]]) -> None:
    """How much attention costs is not to be seen in them: the size of the model says it."""
    speed = speed_after(STARTER, chunks)
    for done, total in ((0, 50), (0, 1000), (0, 4000), (3900, 4000)):
        assert error(speed, STARTER, done, total) < 0.25


@given(st.integers(0, 11), st.sampled_from([0.05, 5.0, 50.0]))
def test_one_outlier_is_no_news(place: int, factor: float) -> None:
    chunks = [(0, 300), (0, 512), (512, 512), (1024, 64)] * 3
    speed = ReadingSpeed(PARAMETERS, 512)
    for number, chunk in enumerate(chunks):
        read(speed, STARTER.times(factor if number == place else 1.0), [chunk])
    for done, total in ((0, 50), (0, 4000), (1900, 2000)):
        assert error(speed, STARTER, done, total) < 0.25


@pytest.mark.parametrize("factor", [0.4, 2.0, 5.0])
def test_a_machine_that_becomes_slower_or_faster_is_followed_at_once(factor: float) -> None:
    speed = speed_after(STARTER, [(0, 300), (0, 512), (512, 512), (1024, 64)] * 8)
    read(speed, STARTER.times(factor), [(0, 200), (0, 400)])
    assert error(speed, STARTER.times(factor), 0, 1000) < 0.2


def test_what_is_remembered_is_bounded_and_can_be_given_on() -> None:
    speed = speed_after(STARTER, [(0, 300), (1000, 512)] * CALLS)
    for number in range(50):
        speed.learn_start(0.002 + number)
    speed.learn_start(0.001)
    speed.away.learn(1000, 0.01)
    learnt = speed.learnt
    assert len(learnt.calls) == CALLS
    again = ReadingSpeed(PARAMETERS, 512, learnt)
    assert again.learnt == learnt
    assert again.seconds(10, 1000) == speed.seconds(10, 1000)
    assert again.start_seconds == 0.001
    assert again.away.seconds(2000) == pytest.approx(0.02)


def test_a_restored_state_is_told_apart_from_the_start() -> None:
    speed = speed_after(STARTER, [(0, 300)])
    speed.learn_start(0.002)
    speed.learn_start(0.102, restored_bytes=50_000_000)
    assert speed.start_seconds == 0.002
    assert speed.restored.seconds(25_000_000) == pytest.approx(0.05)


def test_a_pace_is_usual_before_it_is_learnt() -> None:
    pace = Pace(None, 2.0)
    assert pace.seconds(3) == 6.0
    pace.learn(10, 10.0)
    pace.learn(10, 30.0)
    assert pace.seconds(3) == 6.0
    assert pace.learnt == 2.0


def test_what_an_encoder_reads_takes_as_long_wherever_it_stands() -> None:
    speed = ReadingSpeed(PARAMETERS, None, Learnt())
    speed.learn(1200, positions(0, 1200), 12.0)
    assert speed.seconds(0, 1200) == speed.seconds(1000, 1200) == pytest.approx(12.0)
    assert speed.seconds(1200, 1200) == 0.0


def test_any_thread_may_ask_while_one_learns() -> None:
    speed = speed_after(STARTER, [(0, 300)])
    is_over = threading.Event()
    failures: list[Exception] = []

    def ask() -> None:
        try:
            while not is_over.is_set():
                assert speed.seconds(0, 1000)
        except Exception as err:
            failures.append(err)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        read(speed, STARTER, [(0, 300), (300, 512)])
    is_over.set()
    for thread in threads:
        thread.join()
    assert not failures


# ── through the scheduler, on a clock that only work moves ──────────────────────────────────


@pytest.mark.parametrize("speed", [50.0, 1000.0, 20_000.0])
def test_the_scheduler_learns_from_every_prompt(
    monkeypatch: pytest.MonkeyPatch, speed: float
) -> None:
    backend = ScriptedBackend()
    backend.info = replace(backend.info, parameters=10**9)  # attention costs little, usually
    backend.tokens_per_second = speed
    bench = Bench(backend, monkeypatch)
    bench.add("a" * 10, 2)  # too short for a rate
    bench.go_on()
    first = bench.scheduler.seconds_for(0, 10)
    assert first == pytest.approx(10 / speed, rel=0.05)
    for letter, tokens in (("b", 600), ("c", 90), ("d", 1500)):
        bench.add(letter * tokens, 2)
        bench.go_on()
    for done, total in ((0, 100), (0, 3000), (2500, 3000)):
        predicted = bench.scheduler.seconds_for(done, total)
        assert predicted == pytest.approx((total - done) / speed, rel=0.15)


def test_an_answer_alone_teaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(), monkeypatch)
    bench.add("a" * 40, 50)
    bench.go_on()
    assert len(bench.scheduler.speed.learnt.calls) == 1
    assert sum(bench.scheduler.speed.learnt.starts) == pytest.approx(0.0)
    assert len(bench.scheduler.speed.learnt.starts) == 1


def test_a_start_beside_others_is_not_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(), monkeypatch)
    bench.add("a" * 40, 50)
    bench.go_on(1)
    bench.add("b" * 40, 5)
    bench.go_on()
    assert len(bench.scheduler.speed.learnt.starts) == 1
    bench.add("c" * 40, 50)
    bench.add("d" * 40, 50)
    bench.go_on()
    assert len(bench.scheduler.speed.learnt.starts) == 1
