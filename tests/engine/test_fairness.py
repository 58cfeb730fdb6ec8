"""Who is next, how many may wait, and what each client gets; on a scripted backend."""

import threading

import pytest
from scripted_backend import ScriptedBackend
from scripted_engine import Bench, asked, finished, loaded, result

from assistant.engine.base import Keep, Priority
from assistant.engine.crowd import MOST_OF_ONE_CLIENT, MOST_REQUESTS, Crowd
from assistant.engine.run import Run
from assistant.errors import EngineBusy
from assistant.events import Queued, Reason


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(ScriptedBackend(slots=4), monkeypatch)


def running_clients(bench: Bench) -> list[int]:
    return sorted(sequence.run.client for sequence in bench.scheduler._places.running)


def positions(run: Run) -> list[int]:
    events = [run.events.get() for _ in range(run.events.qsize())]
    return [event.position for event in events if isinstance(event, Queued)]


def test_one_client_leaves_a_place_for_others(bench: Bench) -> None:
    for number in range(20):
        bench.add(f"flood {number}", 50, client=1)
    bench.go_on(2)
    assert running_clients(bench) == [1, 1, 1]
    other = bench.add("hello", 5, client=2)
    bench.go_on(1)
    assert running_clients(bench) == [1, 1, 1, 2]
    bench.go_on()
    assert result(other).answers[0].reason is Reason.LENGTH


def test_who_has_least_is_next(bench: Bench) -> None:
    for client, requests in ((1, 3), (2, 1)):
        for number in range(requests):
            bench.add(f"long {client} {number}", 300, client=client)
    bench.go_on(2)
    late = [bench.add(f"later {client}", 5, client=client) for client in (1, 2, 3)]
    bench.go_on(2)
    assert [positions(run)[-1] for run in late] == [3, 2, 1]


def test_in_one_process_all_places_are_ours(bench: Bench) -> None:
    for number in range(6):
        bench.add(f"one {number}", 50)
    bench.go_on(2)
    assert running_clients(bench) == [0, 0, 0, 0]


def test_a_client_alone_with_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(slots=1), monkeypatch)
    run = bench.add("hello", 5, client=9)
    bench.go_on()
    assert result(run).answers[0].reason is Reason.LENGTH


def test_a_stream_of_completions_does_not_stop_a_summary_for_ever(bench: Bench) -> None:
    for number in range(4):
        bench.add(f"writes {number}", 30, client=number + 1)
    bench.go_on(2)
    summary = bench.add("summary", 5, client=9, priority=Priority.BACKGROUND)
    started = bench.backend.clock.now
    number = 0
    while summary.admitted is None:
        assert bench.backend.clock.now - started < 60
        while len(bench.scheduler._places.waiting) < 8:
            number += 1
            bench.add(f"key {number}", 8, client=number % 4 + 1, keep=Keep.NOTHING)
        bench.go_on(1)
    assert bench.backend.clock.now - started > 10  # and yet the urgent ones went first
    bench.go_on()
    assert result(summary).answers[0].reason is Reason.LENGTH


def test_two_equal_clients_get_the_same(bench: Bench) -> None:
    one, two = (bench.add(f"count {client}", 200, client=client) for client in (1, 2))
    bench.go_on(100)
    written = [run.leader.written for run in (one, two)]
    assert min(written) > 50
    assert abs(written[0] - written[1]) <= 0.1 * max(written)


# ── the queue has an end ────────────────────────────────────────────────────────────────────


def test_more_than_that_are_refused_at_once_with_the_numbers() -> None:
    crowd = Crowd()
    for _ in range(MOST_OF_ONE_CLIENT):
        crowd.come(1)
    with pytest.raises(EngineBusy, match=f"{MOST_OF_ONE_CLIENT} requests of this program"):
        crowd.come(1)
    for client in range(2, MOST_REQUESTS - MOST_OF_ONE_CLIENT + 2):
        crowd.come(client)
    with pytest.raises(EngineBusy, match=f"{MOST_REQUESTS} requests"):
        crowd.come(1000)
    crowd.go(1)
    crowd.come(1000)


def test_who_has_gone_makes_room_and_is_counted() -> None:
    engine = loaded(lambda _spec, _on_progress: ScriptedBackend(slots=2))
    refused: list[EngineBusy] = []
    answered: list[object] = []

    def ask(client: int) -> None:
        for number in range(20):
            try:
                stream = engine.stream(asked(f"{client} {number}", 2), client=client)
            except EngineBusy as err:
                refused.append(err)
            else:
                answered.append(finished(stream))

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not refused
    assert len(answered) == 400
    assert engine.activity.requests == 400
    assert engine.activity.running == engine.activity.waiting == 0
    streams = [engine.stream(asked("x" * 600, 3000), client=7) for _ in range(MOST_OF_ONE_CLIENT)]
    with pytest.raises(EngineBusy, match="this program"):
        engine.stream(asked("y", 2), client=7)
    engine.close()
    assert {finished(stream).answers[0].reason for stream in streams} == {Reason.FAILED}
