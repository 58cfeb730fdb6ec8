"""Whose prompt is read when: short before long, client by client, and nobody left out."""

import pytest
from scripted_backend import ScriptedBackend
from scripted_engine import Bench, result

from assistant.backends.base import DecodeResult
from assistant.engine.base import Priority
from assistant.engine.places import LONG_WAIT_SECONDS
from assistant.engine.reading_order import LEFT_OUT_SECONDS
from assistant.engine.run import Run
from assistant.engine.scheduler import SHARED_CALL_SECONDS
from assistant.events import Reason


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """It reads 300 tokens in a second, 60 in a call that others wait for."""
    made = Bench(ScriptedBackend(slots=8), monkeypatch)
    made.backend.tokens_per_second = 300.0
    made.add("warm" * 50, 2)
    made.go_on()
    return made


def read_of(run: Run) -> int:
    return run.leader.done


def test_a_short_prompt_is_read_whole_in_the_first_call(bench: Bench) -> None:
    bench.add("a" * 3000, 4, client=1)
    bench.go_on(3)
    short = bench.add("b" * 64, 4, client=2)  # a little more than the call should hold
    bench.go_on(1)
    assert short.first_token is not None


def test_a_short_answer_is_written_before_the_rest_of_a_long_prompt(bench: Bench) -> None:
    long = bench.add("a" * 3000, 4, client=1)
    bench.go_on(3)
    short = bench.add("b" * 60, 32, client=2)
    asked = bench.backend.clock.now
    while not short.is_finished:
        bench.go_on(1)
    assert bench.backend.clock.now - asked < 3 * SHARED_CALL_SECONDS
    assert long.is_prefilling


def test_a_stream_of_completions_does_not_stop_a_long_prompt(bench: Bench) -> None:
    long = bench.add("a" * 3000, 4, client=1)
    bench.go_on(2)
    number, waited, before, since = 0, 0.0, read_of(long), bench.backend.clock.now
    while long.is_prefilling:
        if len(bench.scheduler._places.runs) < 5:
            number += 1
            bench.add(f"{number:050}", 16, client=2)
        bench.go_on(1)
        now = bench.backend.clock.now
        if read_of(long) != before:
            before, since = read_of(long), now
        waited = max(waited, now - since)
    assert number > 20
    assert waited < LEFT_OUT_SECONDS + 3 * SHARED_CALL_SECONDS


def test_a_long_prompt_has_half_beside_many_of_another_client(bench: Bench) -> None:
    many = [bench.add(f"{number}" * 2000, 4, client=1) for number in range(6)]
    one = bench.add("x" * 2000, 4, client=2)
    bench.go_on(1)
    before = read_of(one), sum(map(read_of, many))
    bench.go_on(24)
    own, others = read_of(one) - before[0], sum(map(read_of, many)) - before[1]
    assert own == pytest.approx(others, rel=0.2)
    assert max(map(read_of, many)) - min(map(read_of, many)) <= 64


def test_many_prompts_do_not_make_a_call_longer(bench: Bench) -> None:
    writing = bench.add("w" * 40, 3000, client=9, ends_repetition=False)
    bench.go_on(2)
    for number in range(7):
        bench.add(f"{number}" * 2000, 4, client=number)
    before = len(bench.backend.calls)
    bench.go_on(60)
    calls = [sum(call.values()) for call in bench.backend.calls[before:]]
    assert max(calls) / bench.backend.tokens_per_second <= 1.3 * SHARED_CALL_SECONDS
    assert writing.leader.written > 55  # a token in each of them


def test_background_is_urgent_one_at_a_time(bench: Bench) -> None:
    number = 0

    def flood() -> None:
        nonlocal number
        while len(bench.scheduler._places.waiting) < 16:
            number += 1
            bench.add(f"{number:0300}", 65, client=number % 5 + 1)

    flood()
    bench.go_on(1)
    late = [
        bench.add(f"{number}" * 400, 4, client=9, priority=Priority.BACKGROUND)
        for number in range(4)
    ]
    while not any(run.is_finished for run in late):
        flood()
        bench.go_on(1)
        assert sum(run.is_overdue for run in late) <= 1
    assert bench.backend.clock.now - late[0].started > LONG_WAIT_SECONDS
    assert number > 40
    (first,) = (run for run in late if run.is_finished)
    assert result(first).answers[0].reason is Reason.LENGTH


def test_positions_are_the_order_of_admission(bench: Bench) -> None:
    for client, requests in ((1, 7), (2, 1)):
        for number in range(requests):
            bench.add(f"{client}{number}" * 20, 100 + 20 * number, client=client)
    bench.go_on(2)
    late = [bench.add(f"{client} late", 200, client=client) for client in (2, 3, 3, 3)]
    bench.go_on(1)
    assert [run.queue_position for run in late] == [2, 1, 3, 4]
    bench.go_on()
    assert sorted(late, key=lambda run: run.admitted or 0.0) == [late[1], late[0], *late[2:]]


def test_without_room_the_client_with_the_most_answers_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(ScriptedBackend(cells=370), monkeypatch)
    many = [bench.add(letter * 100, 60, client=1) for letter in "ab"]
    bench.go_on(4)
    late = bench.add("c" * 100, 60, client=2)
    ends: list[Run] = []
    while not bench.scheduler.is_idle:
        bench.go_on(1)
        ends += [run for run in (*many, late) if run.is_finished and run not in ends]
    assert DecodeResult.NO_ROOM in bench.backend.results
    assert ends == [many[0], late, many[1]]
    assert {len(result(run).answers[0].text) for run in ends} == {60}
