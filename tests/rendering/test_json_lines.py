"""Every fact that an engine tells becomes an object; everything is ASCII, one line each."""

import io
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.backends.base import Abilities, BackendInfo
from assistant.conversation.window import Ledger
from assistant.engine.base import Measure
from assistant.errors import InputError
from assistant.events import (
    Answer,
    Event,
    Finished,
    ModelLoading,
    PromptProgress,
    Queued,
    Reason,
    ReasoningChunk,
    TextChunk,
    Usage,
)
from assistant.messages import PartTokens, Rendered, Span
from assistant.rendering.json_lines import (
    JsonAnswer,
    event_object,
    ledger_object,
    prompt_object,
    write_object,
)

EVIL = "你好 \x1b]0;x\x07 \x9b \u202e \u2028 \udcff\nnext\r\n"
USAGE = Usage(10, 2, 20, 0.1, 100.0, 50.0)
ANSWER = Answer(Reason.LENGTH, f"{EVIL}```python\nx = 1\n```\n", EVIL, (1, 2), seed=7)
FINISHED = Finished((ANSWER,), USAGE)
INFO = BackendInfo(
    name=EVIL,
    fingerprint="f" * 8,
    parameters=1,
    size_bytes=1,
    window=100,
    quantisation="Q1",
    device="cpu",
    template_hash="t",
    abilities=Abilities(trims=True, grammar=False, candidates=False, chat=True),
)
PARTS = (
    PartTokens(None, "template", 3, 3),
    PartTokens(0, EVIL, 9, 2),
    PartTokens(1, "question", 8),
)
LEDGER = Ledger(100, Measure(20, PARTS, 5, 1.5), 80, is_shortened=False, dropped=(1, 2))
EVENTS: dict[type, tuple[Any, dict[str, Any]]] = {
    ModelLoading: (
        ModelLoading("reading", 0.5),
        {"event": "loading", "stage": "reading", "share": 0.5},
    ),
    Queued: (Queued(2), {"event": "queued", "position": 2}),
    PromptProgress: (
        PromptProgress(3, 9, 1, None),
        {
            "event": "reading",
            "tokens_done": 3,
            "tokens_total": 9,
            "tokens_cached": 1,
            "seconds_left": None,
        },
    ),
    ReasoningChunk: (
        ReasoningChunk(EVIL, 1),
        {"event": "reasoning", "text": EVIL, "candidate": 1},
    ),
    TextChunk: (TextChunk(EVIL), {"event": "delta", "text": EVIL, "candidate": 0}),
}
# U+DC80 to U+DCFF are the bytes of names that are no UTF-8.
any_text = st.text(st.characters() | st.sampled_from("\udc80\udcff"), max_size=40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)


def lines_of(out: io.StringIO) -> list[dict[str, Any]]:
    """What was written: ASCII without a control character, an object in each line."""
    written = out.getvalue()
    assert written.isascii()
    assert written.endswith("\n")
    lines = written.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    return [json.loads(line) for line in lines]


def answered(*events: Event, is_stream: bool) -> tuple[io.StringIO, JsonAnswer]:
    out = io.StringIO()
    answer = JsonAnswer(out, is_stream=is_stream)
    answer.begin(ledger_object(INFO, LEDGER), lambda answer: f"code of {answer.seed}")
    for event in events:
        answer.show(event)
    return out, answer


def every_event() -> list[Event]:
    return [*(event for event, _ in EVENTS.values()), FINISHED]


def test_every_event_has_its_object() -> None:
    assert {*EVENTS, Finished} == {*get_args(Event)}
    for event, expected in EVENTS.values():
        assert event_object(event) == expected


def test_a_stream_is_one_event_a_line_in_their_order() -> None:
    out, answer = answered(*every_event(), is_stream=True)
    answer.finish({"written": EVIL})
    start, *between, end = lines_of(out)
    assert start == {"event": "start", **ledger_object(INFO, LEDGER)}
    assert between == [expected for _, expected in EVENTS.values()]
    assert end["event"] == "end"
    assert end["answer"] == ANSWER.text
    assert end["written"] == EVIL
    assert end["usage"]["cached_tokens"] == 2


def test_one_object_has_everything_that_was_asked_and_answered() -> None:
    out, answer = answered(*every_event(), is_stream=False)
    assert out.getvalue() == ""
    answer.finish({})
    (found,) = lines_of(out)
    usage = found.pop("usage")
    assert usage == {
        "prompt_tokens": 10,
        "cached_tokens": 2,
        "new_tokens": 20,
        "seconds_to_first_token": 0.1,
        "prefill_tokens_per_second": 100.0,
        "decode_tokens_per_second": 50.0,
    }
    assert found == {
        "answer": ANSWER.text,
        "reasoning": EVIL,
        "reason": "length",
        "seed": 7,
        "code": "code of 7",
        **ledger_object(INFO, LEDGER),
    }


def test_the_ledger_names_model_window_and_parts() -> None:
    assert ledger_object(INFO, LEDGER) == {
        "model": {"name": EVIL, "quantisation": "Q1", "fingerprint": "f" * 8},
        "window": 100,
        "prompt_tokens": 20,
        "cached_tokens": 5,
        "seconds": 1.5,
        "is_exact": True,
        "max_new_tokens": 80,
        "fits": True,
        "parts": [
            {"source": EVIL, "tokens": 9, "cached": 2},
            {"source": "question", "tokens": 8, "cached": 0},
            {"source": "template", "tokens": 3, "cached": 3},
        ],
        "summarized": [],
        "dropped": [1, 2],
        "leaving": [],
    }


@pytest.mark.parametrize("is_stream", [True, False])
def test_an_error_is_the_last_line_with_its_exit_code(is_stream: bool) -> None:
    out, answer = answered(TextChunk("a"), is_stream=is_stream)
    answer.fail(InputError(EVIL, "try this"), 1)
    last = lines_of(out)[-1]
    said = last if is_stream else last["error"]
    assert last.get("event") == ("error" if is_stream else None)
    assert (said["message"], said["hint"], said["exit_code"]) == (EVIL, "try this", 1)


@pytest.mark.parametrize("is_stream", [True, False])
def test_an_error_after_the_answer_does_not_lose_it(is_stream: bool) -> None:
    out, answer = answered(FINISHED, is_stream=is_stream)
    answer.fail(InputError("the disk is full", ""), 1)
    assert lines_of(out)[-1]["answer"] == ANSWER.text
    assert lines_of(out)[-1]["reason"] == "length"


@pytest.mark.parametrize("is_stream", [True, False])
def test_there_is_one_last_object_only(is_stream: bool) -> None:
    out, answer = answered(FINISHED, is_stream=is_stream)
    answer.finish({})
    before = out.getvalue()
    answer.fail(InputError("too late", ""), 1)
    assert out.getvalue() == before


def test_the_prompt_is_text_and_ids() -> None:
    rendered = Rendered((Span("<s>", 1), Span(EVIL)), (1, 5, 6), ())
    out = io.StringIO()
    write_object(prompt_object(rendered), out)
    assert lines_of(out) == [{"prompt": f"<s>{EVIL}", "token_ids": [1, 5, 6]}]


@given(json_values)
def test_any_value_comes_back(value: object) -> None:
    out = io.StringIO()
    write_object({"value": value}, out)
    assert lines_of(out) == [{"value": value}]


@given(st.lists(any_text, max_size=6))
def test_any_answer_in_pieces_comes_back(pieces: list[str]) -> None:
    out, answer = answered(*(TextChunk(piece) for piece in pieces), is_stream=True)
    answer.show(Finished((Answer(Reason.DONE, "".join(pieces), "", (), seed=1),), USAGE))
    answer.finish({})
    _, *deltas, end = lines_of(out)
    assert "".join(delta["text"] for delta in deltas) == "".join(pieces) == end["answer"]
