"""The engine on a backend whose encoder reads a prompt whole: nothing of it serves another one."""

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import date

import pytest
from scripted_backend import ScriptedBackend, opener
from scripted_engine import Bench, alone, answer, asked, finished, loaded, result

from assistant.backends.base import DecodeResult, Row
from assistant.engine.base import Keep
from assistant.engine.local import LocalEngine
from assistant.engine.prefix_cache import PrefixCache
from assistant.errors import ModelError, UsageError
from assistant.events import Reason
from assistant.messages import ChatPrompt, RawPrompt, Role, message


class Encoder(ScriptedBackend):
    """Notes the rows of every call."""

    def __init__(self, *, slots: int = 1, cells: int = 10**9) -> None:
        super().__init__(encoder=True, slots=slots, cells=cells)
        self.rows: list[Row] = []

    def decode(self, rows: Sequence[Row]) -> DecodeResult:
        outcome = super().decode(rows)
        if outcome is DecodeResult.DECODED:
            self.rows += rows
        return outcome


@pytest.fixture
def backend() -> Encoder:
    return Encoder()


@pytest.fixture
def engine(backend: Encoder) -> Iterator[LocalEngine]:
    engine = loaded(opener(backend))
    yield engine
    engine.close()


def lone(prompt: str, new: int) -> str:
    """What a fresh encoder model answers."""
    engine = loaded(opener(Encoder()))
    text = answer(engine.stream(asked(prompt, new))).text
    engine.close()
    return text


# ── what is kept ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("keep", list(Keep))
def test_what_an_encoder_has_read_is_never_found_again(
    engine: LocalEngine, backend: Encoder, keep: Keep
) -> None:
    request = asked("a" * 200, 20, keep=keep)
    first = answer(engine.stream(request))
    longer = asked("a" * 200 + first.text, 20, keep=keep)
    assert engine.measure(request.prompt).tokens_cached == 0
    assert engine.measure(longer.prompt).tokens_cached == 0
    for asked_again, expected in (
        (request, first.text),
        (longer, lone("a" * 200 + first.text, 20)),
    ):
        end = finished(engine.stream(asked_again))
        assert end.usage.cached_tokens == 0
        assert end.answers[0].text == expected
    assert backend.held == [[]]


def test_a_slot_that_is_given_back_is_cleared() -> None:
    backend = Encoder(slots=2)
    cache = PrefixCache(backend, 2**20)
    slots = []
    for ids in ([97] * 100, [97] * 120):  # the second while the first runs: nothing to copy
        slot, found = cache.take(ids)
        assert found == 0
        backend.held[slot].extend(ids)
        cache.advance(slot, len(ids))
        slots.append(slot)
        assert cache.longest_prefix([97] * 140) == 0
    for slot in slots:
        cache.give_back(slot, Keep.TURN, 100)
    assert backend.held == [[], []]
    assert not cache.put_away_idle()
    assert cache.longest_prefix([97] * 140) == 0


# ── how a prompt is read ────────────────────────────────────────────────────────────────────


def test_a_prompt_is_read_in_whole_rows_and_its_last_token_alone_wants_logits(
    engine: LocalEngine, backend: Encoder
) -> None:
    prompt = "a" * 1200
    text = answer(engine.stream(asked(prompt, 3))).text
    assert [(len(row.tokens), row.wants_logits) for row in backend.rows] == [
        (512, False),
        (512, False),
        (176, True),
        (1, True),
        (1, True),
    ]
    backend.rows.clear()
    engine.score(RawPrompt(prompt), [text])
    wanted = [row.start + len(row.tokens) for row in backend.rows if row.wants_logits]
    assert wanted == [1200, 1201, 1202]
    assert backend.rows[0].tokens == [97] * 512


def test_the_speed_is_that_of_the_whole_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(Encoder(), monkeypatch)

    def encode() -> None:  # all in the call that brings the last token
        held = len(bench.backend.held[0])
        bench.backend.tokens_per_second = 176 / 12.0 if held == 1024 else 1e9

    bench.backend.before_call = encode
    bench.add("a" * 1200, 2)
    bench.go_on(5)
    assert bench.scheduler.seconds_for(0, 1200) == pytest.approx(12.0, rel=0.01)


def test_an_answer_that_was_interrupted_goes_on_with_the_same_encoded_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = lone("a" * 300, 30)
    bench = Bench(Encoder(), monkeypatch)
    run = bench.add("a" * 300, 30)
    while not bench.scheduler.is_idle:
        if len(bench.backend.results) % 2:
            bench.backend.interrupt()
        bench.scheduler.step()
    assert bench.backend.results.count(DecodeResult.INTERRUPTED) > 10
    assert result(run).answers[0].text == expected
    assert expected != alone("a" * 300, 30, monkeypatch)  # the script tells encoders apart


@pytest.mark.parametrize(("found", "is_cut"), [(Encoder(), False), (ScriptedBackend(), True)])
def test_a_long_call_is_cut_short_for_newcomers_only_where_they_gain(
    found: ScriptedBackend, is_cut: bool
) -> None:
    engine = loaded(opener(found))
    found.before_call = lambda: time.sleep(0.1)  # it learns to read 1,000 tokens in a second
    finished(engine.stream(asked("a" * 100, 1)))
    found.gate = threading.Event()
    streams = [engine.stream(asked("b" * 500, 1))]
    assert found.in_call.wait(20)
    streams.append(engine.stream(asked("c" * 40, 1)))
    found.gate.set()
    assert {answer(stream).reason for stream in streams} == {Reason.LENGTH}
    assert (DecodeResult.INTERRUPTED in found.results) is is_cut
    engine.close()


# ── no room ─────────────────────────────────────────────────────────────────────────────────


def test_without_room_the_younger_answer_fails_and_is_not_read_again_as_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(Encoder(slots=2, cells=250), monkeypatch)
    older, younger = bench.add("a" * 100, 60), bench.add("b" * 100, 60)
    bench.go_on()
    (failed,) = result(younger).answers
    assert (failed.reason, failed.error) == (Reason.FAILED, "there is not enough memory to go on")
    assert failed.text == lone("b" * 100, 60)[: len(failed.text)] != ""
    (end,) = result(older).answers
    assert (end.reason, end.text) == (Reason.LENGTH, lone("a" * 100, 60))
    assert bench.backend.open_samplers == 0


# ── what is refused ─────────────────────────────────────────────────────────────────────────


def test_several_answers_at_once_are_refused(engine: LocalEngine) -> None:
    with pytest.raises(UsageError, match="scripted cannot write several answers at once"):
        engine.stream(asked("a", candidates=2))


def test_a_grammar_is_refused_by_a_model_that_cannot_be_bound(engine: LocalEngine) -> None:
    with pytest.raises(UsageError, match="scripted cannot be bound to a grammar") as caught:
        engine.stream(asked("a", grammar='root ::= "a"'))
    assert "GGUF" in caught.value.hint


def test_a_chat_is_refused_with_what_the_model_can_do(engine: LocalEngine) -> None:
    prompt = ChatPrompt((message(Role.USER, "hello"),), date(2026, 1, 1))
    with pytest.raises(ModelError, match="an encoder–decoder model: it cannot chat") as caught:
        engine.render(prompt)
    assert "llmchat summarize FILE" in caught.value.hint


def test_a_model_that_only_completes_is_told_apart_from_an_encoder() -> None:
    engine = loaded(opener(ScriptedBackend()))
    prompt = ChatPrompt((message(Role.USER, "hello"),), date(2026, 1, 1))
    with pytest.raises(ModelError, match="has no chat template"):
        engine.render(prompt)
    engine.close()


def test_scores_need_a_prompt_for_the_encoder(engine: LocalEngine) -> None:
    with pytest.raises(UsageError, match="the prompt is empty"):
        engine.score(RawPrompt(""), ["abc"])
