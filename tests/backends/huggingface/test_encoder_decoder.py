"""Encoder–decoder models: what the engine gets from them is what transformers' own loop writes."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
import torch
from tiny_encoder_decoders import (
    ENDS,
    SHAPES,
    VOCABULARY,
    ShiftedBytes,
    info_of,
    make_model,
    never_ends,
)

from assistant.backends.base import Backend, DecodeResult, ModelSpec, Row, SamplingOptions
from assistant.backends.huggingface.encoder_decoder import EncoderDecoder
from assistant.config import SamplingChoices
from assistant.conversation.questions import Question
from assistant.conversation.session import Session
from assistant.conversation.store import Store
from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.errors import EngineFailed, ModelError, PromptTooLong, UsageError
from assistant.events import Answer, Finished, Queued, Reason, TextChunk
from assistant.messages import Attachment, ChatPrompt, RawPrompt, Role, message
from assistant.prompts.finding import find_prompt

GREEDY = SamplingOptions(temperature=0.0)
TEXT = "def add(a, b): return a + b"
ENCODER_LAYERS, DECODER_LAYERS = 3, 2


class Tiny:
    """A model with its tokenizer, and what transformers itself makes of a text."""

    def __init__(self, shape: str, model: Any = None) -> None:
        self.shape = shape
        self.tokenizer = ShiftedBytes(shape)
        self.model = make_model(shape) if model is None else model

    def backend(self, *, window: int = 2048) -> EncoderDecoder:
        return EncoderDecoder(self.model, self.tokenizer, info_of(window=window))

    def engine(self, *, window: int = 2048) -> LocalEngine:
        engine = LocalEngine(ModelSpec("none"), lambda *_: self.backend(window=window))  # type: ignore[arg-type]  # never opened
        for _ in engine.load():
            pass
        return engine

    def generated(self, text: str, tokens: int) -> list[int]:
        """The greedy answer, without its end."""
        ids = torch.tensor([self.tokenizer.framed(text)])
        written = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            num_beams=1,
            max_new_tokens=tokens,
        )[0, 1:].tolist()
        return [token for token in written if token != ENDS[self.shape]]

    def log_probabilities(self, text: str, answer: list[int]) -> torch.Tensor:
        """Of the tokens after each of the answer's first ones, (answer + 1, vocabulary)."""
        start = self.model.config.decoder_start_token_id
        with torch.no_grad():
            logits = self.model(
                input_ids=torch.tensor([self.tokenizer.framed(text)]),
                decoder_input_ids=torch.tensor([[start, *answer]]),
                use_cache=False,
            ).logits[0]
        return torch.log_softmax(logits, dim=-1)

    def score(self, text: str, continuation: str) -> float:
        ids = self.tokenizer.tokenize(continuation)
        values = self.log_probabilities(text, ids)
        return float(sum(values[place, token] for place, token in enumerate(ids)))


@pytest.fixture(scope="module", params=SHAPES)
def tiny(request: pytest.FixtureRequest) -> Tiny:
    return Tiny(request.param)


@pytest.fixture
def open_engine() -> Iterator[Callable[..., LocalEngine]]:
    engines = []

    def open_one(tiny: Tiny, *, window: int = 2048) -> LocalEngine:
        engines.append(tiny.engine(window=window))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.close()


@pytest.fixture
def backend(tiny: Tiny) -> Iterator[EncoderDecoder]:
    backend = tiny.backend()
    yield backend
    backend.close()


@pytest.fixture
def endless() -> Tiny:
    return Tiny("flan", never_ends(make_model("flan"), "flan"))


def greedy(text: str, tokens: int = 24, **more: Any) -> GenerationRequest:
    options = {"sampling": GREEDY, "ends_repetition": False, **more}
    return GenerationRequest(RawPrompt(text), max_new_tokens=tokens, **options)


def finished(events: Iterator[object]) -> Answer:
    last = list(events)[-1]
    assert isinstance(last, Finished)
    return last.answers[0]


def texts(count: int, *, longest: int) -> list[str]:
    letters = random.Random(5)
    return [
        "".join(chr(letters.randrange(32, 127)) for _ in range(letters.randint(1, longest)))
        for _ in range(count)
    ]


# ── the same answers as transformers ────────────────────────────────────────────────────────


def test_greedy_answers_are_those_of_generate(
    tiny: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    engine = open_engine(tiny)
    asked = texts(20, longest=60)
    written = [finished(iter(engine.stream(greedy(text)))).token_ids for text in asked]
    assert [list(ids) for ids in written] == [tiny.generated(text, 24) for text in asked]
    assert len(set(written)) > 15, "the model says the same to everything"
    assert len({token for ids in written for token in ids}) > 40, "the model repeats itself"


def test_a_prompt_longer_than_a_call_is_read_whole(
    tiny: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    engine = open_engine(tiny)
    long = "".join(texts(80, longest=60))
    asked = [long[:size] for size in (509, 510, 511, 512, 513, 1022, 1023, 1024, 1025, 1500)]
    written = [list(finished(iter(engine.stream(greedy(text)))).token_ids) for text in asked]
    assert written == [tiny.generated(text, 24) for text in asked]
    assert len({token for ids in written for token in ids}) > 20, "the model repeats itself"
    other = finished(iter(engine.stream(greedy("?" * 512 + long[512:1500]))))
    assert list(other.token_ids) != written[-1], "the first call's text makes no difference"


def test_a_prompt_of_plain_text_is_answered_and_a_chat_refused(
    tiny: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    choices = SamplingChoices(temperature=0.0, max_new_tokens=24)
    session = Session(open_engine(tiny), choices, Store.in_memory)
    notes = (Attachment("notes.txt", "It rains.", ""),)
    turn = session.ask(Question(find_prompt("summarize"), attachments=notes))
    text = "Summarize this:\n\nnotes.txt:\n```\nIt rains.\n```"
    assert list(finished(iter(turn.stream)).token_ids) == tiny.generated(text, 24)
    for name in ("explain", "complete"):
        with pytest.raises(ModelError, match="encoder–decoder model: it cannot chat"):
            session.ask(Question(find_prompt(name), attachments=notes))


def test_an_answer_ends_where_the_model_ends_it(open_engine: Callable[..., LocalEngine]) -> None:
    tiny = Tiny("flan")
    tiny.model.lm_head.weight[ENDS["flan"]] *= 3.0
    engine = open_engine(tiny)
    answers = [finished(iter(engine.stream(greedy(text, 200)))) for text in texts(8, longest=20)]
    assert {answer.reason for answer in answers} >= {Reason.DONE}
    assert [list(answer.token_ids) for answer in answers] == [
        tiny.generated(text, 200) for text in texts(8, longest=20)
    ]


def test_a_seed_gives_the_same_answer_alone_and_in_a_queue(
    tiny: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    engine = open_engine(tiny)
    warm = SamplingOptions(temperature=1.5, top_k=0, top_p=1.0, min_p=0.0)
    requests = [greedy(TEXT, sampling=warm, seed=seed) for seed in (1, 2, 1)]
    alone = [finished(iter(engine.stream(request))).token_ids for request in requests]
    streams = [engine.stream(request) for request in requests]
    assert [finished(iter(stream)).token_ids for stream in streams] == alone
    assert alone[0] == alone[2] != alone[1]


def test_queued_requests_are_answered_one_after_another(
    tiny: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    engine = open_engine(tiny)
    asked = texts(6, longest=40)
    streams = [engine.stream(greedy(text)) for text in asked]
    events = [list(stream) for stream in streams]
    assert any(isinstance(event, Queued) for event in events[-1])
    answers = [finished(iter(told)) for told in events]
    assert [list(a.token_ids) for a in answers] == [tiny.generated(text, 24) for text in asked]


# ── probabilities ───────────────────────────────────────────────────────────────────────────


def test_scores_are_sums_of_log_probabilities(
    tiny: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    engine = open_engine(tiny)
    continuations = ["a", "yes, it does", "", "x" * 3 + texts(1, longest=90)[0] * 3]
    for text in (TEXT, TEXT * 25):
        scores = engine.score(RawPrompt(text), continuations)
        assert scores == pytest.approx([tiny.score(text, c) for c in continuations], abs=2e-3)
        assert scores[2] == 0.0
    answer = finished(iter(engine.stream(greedy(TEXT))))
    assert list(answer.token_ids) == tiny.generated(TEXT, 24)


def test_reported_log_probabilities_are_those_of_the_model(
    tiny: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    engine = open_engine(tiny)
    answer = finished(iter(engine.stream(greedy(TEXT, top_logprobs=3))))
    values = tiny.log_probabilities(TEXT, list(answer.token_ids))
    for place, token in enumerate(answer.logprobs):
        assert token.logprob == pytest.approx(float(values[place, token.token_id]), abs=1e-3)
        best = torch.topk(values[place], 3).indices.tolist()
        assert [other.token_id for other in token.top] == best
    assert len(answer.logprobs) == len(answer.token_ids)


def test_several_answers_are_scored_with_one_reading(
    tiny: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    engine = open_engine(tiny)
    first = tiny.model.get_encoder()
    passes = []
    hook = first.register_forward_pre_hook(lambda *_: passes.append(1))
    engine.score(RawPrompt(TEXT), ["yes", "no", "perhaps"])
    hook.remove()
    assert len(passes) == 1


def test_tokens_that_only_pad_the_vocabulary_are_never_drawn(
    open_engine: Callable[..., LocalEngine],
) -> None:
    tiny = Tiny("flan", make_model("flan", vocabulary=VOCABULARY + 60))
    tiny.model.lm_head.weight[VOCABULARY:] *= 100.0
    backend = tiny.backend()
    ids = tiny.tokenizer.framed(TEXT)
    assert backend.decode([Row(0, ids, 0, True)]) is DecodeResult.DECODED
    assert backend.log_probabilities(0).shape == (VOCABULARY,)
    assert numpy.exp(backend.log_probabilities(0)).sum() == pytest.approx(1.0, abs=1e-4)
    backend.close()
    answer = finished(iter(open_engine(tiny).stream(greedy(TEXT))))
    assert max(answer.token_ids) < VOCABULARY


# ── stopping ────────────────────────────────────────────────────────────────────────────────


def test_a_cancelled_answer_keeps_what_came_and_the_next_is_right(
    endless: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    expected, next_one = endless.generated(TEXT, 24), endless.generated("another", 30)
    engine = open_engine(endless, window=100_000)
    stream = engine.stream(greedy(TEXT, 90_000))
    events = []
    for event in stream:
        events.append(event)
        if isinstance(event, TextChunk) and len(events) > 20:
            stream.cancel()
    answer = finished(iter(events))
    assert answer.reason is Reason.STOPPED
    assert 0 < len(answer.token_ids) < 90_000
    assert list(answer.token_ids[:24]) == expected[: len(answer.token_ids)]
    again = finished(iter(engine.stream(greedy("another", 30))))
    assert list(again.token_ids) == next_one


def test_a_deadline_ends_an_answer(endless: Tiny, open_engine: Callable[..., LocalEngine]) -> None:
    expected = endless.generated(TEXT, 24)
    engine = open_engine(endless, window=100_000)
    answer = finished(iter(engine.stream(greedy(TEXT, 90_000, deadline_seconds=0.3))))
    assert answer.reason is Reason.DEADLINE
    assert len(answer.token_ids) < 90_000
    assert list(answer.token_ids[:24]) == expected[: len(answer.token_ids)]


def layers_of(tiny: Tiny) -> list[Any]:
    """Every block of the encoder, then of the decoder."""
    stacks = (tiny.model.get_encoder(), tiny.model.get_decoder())
    return [layer for stack in stacks for layer in getattr(stack, "block", None) or stack.layers]


@pytest.mark.parametrize(
    ("call", "layer"),
    [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (3, 3), (3, 4)],  # 1 encodes, 3 writes a token
)
def test_an_interrupted_call_ends_within_a_layer_and_leaves_no_trace(
    tiny: Tiny, backend: EncoderDecoder, call: int, layer: int
) -> None:
    layers = layers_of(tiny)
    expected = logits_of(tiny)
    rows = steps(tiny)
    assert [backend.decode(rows.pop(0)) for _ in range(call)] == [DecodeResult.DECODED] * call
    begun: list[int] = []
    hooks = [
        one.register_forward_hook(lambda *_, place=place: begun.append(place))
        for place, one in enumerate(layers)
    ]
    hooks.append(layers[layer].register_forward_hook(lambda *_: backend.interrupt()))
    result = backend.decode(rows[0])
    for hook in hooks:
        hook.remove()
    if layer == len(layers) - 1:  # no layer was left to notice it
        assert result is DecodeResult.DECODED
        rows.pop(0)
        assert backend.decode(rows[0]) is DecodeResult.INTERRUPTED
    else:
        assert result is DecodeResult.INTERRUPTED
        assert begun[-1] == layer
    for row in rows:
        assert backend.decode(row) is DecodeResult.DECODED
    assert numpy.array_equal(backend.log_probabilities(0), expected)


def steps(tiny: Tiny) -> list[list[Row]]:
    """Calls that read a text in two pieces and then write four tokens."""
    ids = tiny.tokenizer.framed(TEXT)
    calls = [[Row(0, ids[:7], 0, False)], [Row(0, ids[7:], 7, True)]]
    for token in tiny.tokenizer.tokenize("abcd"):
        at = len(ids) + len(calls) - 2
        calls.append([Row(0, [token], at, True)])
    return calls


def logits_of(tiny: Tiny) -> Any:
    """Log-probabilities after all of `steps`, undisturbed."""
    backend = tiny.backend()
    for rows in steps(tiny):
        assert backend.decode(rows) is DecodeResult.DECODED
    values = backend.log_probabilities(0).copy()
    backend.close()
    return values


def test_an_interrupt_between_calls_stops_the_next_one_once(
    tiny: Tiny, backend: EncoderDecoder
) -> None:
    calls = steps(tiny)
    backend.interrupt()
    assert backend.decode(calls[0]) is DecodeResult.INTERRUPTED
    assert [backend.decode(rows) for rows in calls] == [DecodeResult.DECODED] * len(calls)


def test_progress_counts_the_layers_of_a_call(tiny: Tiny, backend: EncoderDecoder) -> None:
    seen: list[float] = []
    hooks = [
        layer.register_forward_hook(lambda *_: seen.append(backend.progress()))
        for layer in layers_of(tiny)
    ]
    reading, first, second = steps(tiny)[:3]
    assert backend.progress() == 0.0
    backend.decode(reading)
    assert seen == []
    backend.decode(first)
    assert seen == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    backend.decode(second)
    assert seen[5:] == [0.0, 0.5]
    assert backend.progress() == 0.0
    for hook in hooks:
        hook.remove()


# ── what fails ──────────────────────────────────────────────────────────────────────────────

NO_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("not enough memory: you tried to allocate 1 byte"),
)


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: str(error)[:12])
@pytest.mark.parametrize("layer", range(ENCODER_LAYERS + DECODER_LAYERS))
def test_without_memory_there_is_no_room_and_nothing_has_changed(
    tiny: Tiny, backend: EncoderDecoder, layer: int, error: Exception
) -> None:
    expected = logits_of(tiny)
    for rows in steps(tiny):
        hook = layers_of(tiny)[layer].register_forward_hook(raising(error))
        result = backend.decode(rows)
        hook.remove()
        if result is not DecodeResult.DECODED:  # else the layer had no part in it
            assert result is DecodeResult.NO_ROOM
            assert backend.decode(rows) is DecodeResult.DECODED
    assert numpy.array_equal(backend.log_probabilities(0), expected)


def test_memory_that_ends_inside_a_layer_takes_half_of_it_back(
    tiny: Tiny, backend: EncoderDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = logits_of(tiny)
    calls = steps(tiny)
    for rows in calls[:3]:
        backend.decode(rows)
    cat, done = torch.cat, []

    def cat_once(*given: Any, **more: Any) -> torch.Tensor:
        done.append(1)
        if len(done) == 2:  # the keys have grown, the values have not
            raise NO_MEMORY[0]
        grown: torch.Tensor = cat(*given, **more)
        return grown

    with monkeypatch.context() as patch:
        patch.setattr(torch, "cat", cat_once)
        assert backend.decode(calls[3]) is DecodeResult.NO_ROOM
    for rows in calls[3:]:
        assert backend.decode(rows) is DecodeResult.DECODED
    assert numpy.array_equal(backend.log_probabilities(0), expected)


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_what_breaks_in_torch_is_an_engine_failure(tiny: Tiny, backend: EncoderDecoder) -> None:
    hook = layers_of(tiny)[1].register_forward_hook(raising(RuntimeError("CUDA error: lost\nx")))
    with pytest.raises(EngineFailed, match=r"CUDA error: lost$"):
        backend.decode([Row(0, [5, 6], 0, True)])
    hook.remove()


def test_a_full_window_has_no_room(tiny: Tiny) -> None:
    backend = tiny.backend(window=8)
    assert backend.decode([Row(0, [5] * 9, 0, True)]) is DecodeResult.NO_ROOM
    assert backend.decode([Row(0, [5] * 7, 0, True)]) is DecodeResult.DECODED
    assert backend.decode([Row(0, [5], 7, True)]) is DecodeResult.DECODED
    assert backend.decode([Row(0, [5], 8, True)]) is DecodeResult.NO_ROOM
    backend.close()


def test_rows_that_do_not_go_on_are_refused(backend: EncoderDecoder) -> None:
    backend.decode([Row(0, [5, 6, 7], 0, True)])
    for rows in (
        [Row(0, [5], 2, True)],
        [Row(0, [5], 4, True)],
        [Row(0, [], 3, True)],
        [Row(1, [5], 0, True)],
        [Row(0, [5] * 513, 3, False)],
        [Row(0, [5], 3 + at, True) for at in range(33)],
    ):
        with pytest.raises(ValueError, match=r"slot|at most"):
            backend.decode(rows)
    assert backend.decode([Row(0, [5], 3, True)]) is DecodeResult.DECODED


def test_a_slot_is_forgotten_whole_or_not_at_all(tiny: Tiny, backend: EncoderDecoder) -> None:
    expected = logits_of(tiny)
    for length in (9, 0):
        backend.trim(0, 0)
        backend.decode([Row(0, [5] * 9, 0, True)])
        backend.trim(0, length)
    for length in (1, 8):
        backend.decode([Row(0, [5] * 9, 0, True)])
        with pytest.raises(ValueError, match="forget a part"):
            backend.trim(0, length)
        assert not backend.import_state(0, b"anything")
    for rows in steps(tiny):
        assert backend.decode(rows) is DecodeResult.DECODED
    assert numpy.array_equal(backend.log_probabilities(0), expected)


def test_nothing_of_a_slot_is_copied_or_kept(backend: EncoderDecoder) -> None:
    with pytest.raises(ValueError, match="one slot"):
        backend.copy(0, 0)
    with pytest.raises(ValueError, match="no other text"):
        backend.export_state(0)


def test_several_rows_in_a_call_are_as_one_after_another(tiny: Tiny) -> None:
    one_by_one, together = tiny.backend(), tiny.backend()
    text, answer = tiny.tokenizer.framed(TEXT), tiny.tokenizer.tokenize("return")
    rows = [Row(0, text[:-1], 0, False), Row(0, text[-1:], len(text) - 1, True)]
    rows += [Row(0, [token], len(text) + at, True) for at, token in enumerate(answer)]
    assert together.decode(rows) is DecodeResult.DECODED
    for place, row in enumerate(rows):
        assert one_by_one.decode([row]) is DecodeResult.DECODED
        if row.wants_logits:
            values = one_by_one.log_probabilities(0)
            assert together.log_probabilities(place) == pytest.approx(values, abs=1e-4)
    one_by_one.close()
    together.close()


def test_it_closes_twice_and_leaves_the_model_alone(tiny: Tiny) -> None:
    backend: Backend = tiny.backend()
    backend.decode([Row(0, [5, 6], 0, True)])
    backend.close()
    backend.close()
    backend.interrupt()
    assert not any(layer._forward_pre_hooks for layer in layers_of(tiny))


def test_a_model_that_does_not_say_how_an_answer_begins_is_refused() -> None:
    tiny = Tiny("classic")
    tiny.model.config.decoder_start_token_id = None
    tiny.model.generation_config.decoder_start_token_id = None
    with pytest.raises(ModelError, match="decoder_start_token_id"):
        tiny.backend()
    tiny.model.generation_config.bos_token_id = 3
    tiny.backend().close()


# ── what it cannot do ───────────────────────────────────────────────────────────────────────


def test_chat_grammars_and_candidates_are_refused_before_anything_runs(
    tiny: Tiny, open_engine: Callable[..., LocalEngine]
) -> None:
    from datetime import date

    engine = open_engine(tiny, window=64)
    chat = ChatPrompt((message(Role.USER, "Hi"),), date(2026, 1, 1))
    with pytest.raises(ModelError, match="encoder–decoder model: it cannot chat") as caught:
        engine.stream(GenerationRequest(chat, max_new_tokens=8))
    assert "llmchat summarize FILE" in caught.value.hint
    with pytest.raises(UsageError, match="grammar"):
        engine.stream(greedy("Hi", grammar='root ::= "yes"'))
    with pytest.raises(UsageError, match=r"at once"):
        engine.stream(greedy("Hi", candidates=2))
    with pytest.raises(PromptTooLong):
        engine.stream(greedy("x" * 60))
