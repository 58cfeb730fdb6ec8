"""The scheduler alone, on a clock that only work moves."""

import pytest
from scripted_backend import ScriptedBackend
from scripted_engine import Bench, alone, result

from assistant.backends.base import DecodeResult
from assistant.engine.base import Keep, Priority
from assistant.engine.scheduler import PROBE_TOKENS, SHARED_CALL_SECONDS
from assistant.events import Reason, Usage


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


@pytest.mark.parametrize("candidates", [1, 3])
def test_without_room_a_lonely_answer_fails_and_keeps_its_text(
    monkeypatch: pytest.MonkeyPatch, candidates: int
) -> None:
    bench = Bench(ScriptedBackend(cells=100 * candidates + 20), monkeypatch)
    run = bench.add("a" * 100, 60, candidates=candidates)
    bench.go_on()
    ends = result(run).answers
    assert ends[0].text == alone("a" * 100, 60, monkeypatch)[: len(ends[0].text)]
    assert 20 <= sum(len(end.text) for end in ends) <= 20 + candidates  # what there was room for
    for end in ends:
        assert end.text
        assert end.reason is Reason.FAILED
        assert end.error == "there is not enough memory to go on"
        assert "close other programs" in end.hint
    assert bench.backend.open_samplers == 0


def test_without_room_for_a_lonely_prompt_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(cells=90), monkeypatch)
    run = bench.add("a" * 100, 60, candidates=3)
    bench.go_on()
    ends = result(run).answers
    assert {(end.reason, end.text) for end in ends} == {(Reason.FAILED, "")}
    expected = "there is not enough memory for this prompt: of its 100 tokens 0 found room"
    assert {end.error for end in ends} == {expected}


def test_after_an_answer_failed_for_want_of_room_the_next_one_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(ScriptedBackend(cells=120), monkeypatch)
    failed, waiting = bench.add("a" * 100, 60), bench.add("b" * 40, 60)
    bench.go_on()
    assert result(failed).answers[0].reason is Reason.FAILED
    assert result(waiting).answers[0].text == alone("b" * 40, 60, monkeypatch)


def test_only_the_end_of_the_window_is_a_full_context(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedBackend(window=120), monkeypatch)
    run = bench.add("a" * 100, 60)
    bench.go_on()
    (end,) = result(run).answers
    assert (end.reason, len(end.text), end.error) == (Reason.CONTEXT_FULL, 20, "")


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


def test_a_run_put_back_for_want_of_room_leaks_nothing_when_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(ScriptedBackend(cells=280), monkeypatch)
    bench.add("a" * 100, 60)
    younger = bench.add("b" * 100, 60)
    while younger not in bench.scheduler._places.waiting or younger.admitted is None:
        bench.scheduler.step()
    younger.end_with = Reason.STOPPED
    bench.scheduler.step()
    assert result(younger).answers[0].reason is Reason.STOPPED
    bench.go_on()
    assert bench.backend.open_samplers == 0
    assert bench.scheduler._cache.has_free_slot()


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
    while any(run is not writing for run in bench.scheduler._places.waiting) or any(
        s.run is not writing for s in bench.scheduler._places.running
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
