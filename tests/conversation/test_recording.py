"""Answers on their way into the store: little of what a reader has seen can be lost, and nothing
is kept twice."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from stored_turns import WRITING

from assistant.conversation import recording
from assistant.conversation.new_messages import new_message
from assistant.conversation.recording import RecordedStream
from assistant.conversation.records import Kind, State, StoredMessage
from assistant.conversation.store import Store
from assistant.events import Answer, Event, Finished, Reason, ReasoningChunk, TextChunk, Usage

CANDIDATES = 2


class Kept(Store):
    """What was handed in of each message: text and reasoning, and how it ended."""

    def __init__(self) -> None:
        self.pieces: dict[int, list[tuple[str, str]]] = {}
        self.ended: dict[int, tuple[State, str, str]] = {}

    def append(self, _name: str, number: int, text: str, reasoning: str = "") -> None:
        assert text or reasoning, "a write for nothing"
        self.pieces.setdefault(number, []).append((text, reasoning))

    def end_answer(self, _name: str, number: int, *ended: object) -> None:
        state, text, reasoning, _writing = ended
        self.ended[number] = (state, text, reasoning)  # type: ignore[assignment]  # as they come

    def so_far(self, number: int) -> tuple[str, str]:
        texts, thoughts = zip(*self.pieces.get(number, [("", "")]), strict=True)
        return "".join(texts), "".join(thoughts)


class Stream:
    """Its events come at certain seconds of a clock."""

    def __init__(self, events: Sequence[tuple[float, Event]], clock: SimpleNamespace) -> None:
        self._events = events
        self._clock = clock

    def cancel(self) -> None:
        pass

    def __iter__(self) -> Iterator[Event]:
        for seconds, event in self._events:
            self._clock.now += seconds
            yield event


def rows(count: int) -> list[StoredMessage]:
    row = new_message(1, Kind.ANSWER, State.STREAMING, "", writing=WRITING)
    return [replace(row, number=2 + place) for place in range(count)]


def finished(texts: Sequence[tuple[str, str]]) -> Finished:
    answers = [
        Answer(Reason.DONE, text, reasoning, (), seed=1, candidate=place)
        for place, (text, reasoning) in enumerate(texts)
    ]
    return Finished(tuple(answers), Usage(1, 0, 1, 0.1, 1.0, 1.0))


chunks = st.builds(
    lambda kind, text, candidate: kind(text, candidate),
    st.sampled_from([TextChunk, ReasoningChunk]),
    st.one_of(
        st.text(min_size=1, max_size=5),
        st.integers(1, 3000).map(lambda count: "x" * count),
        st.integers(1, 900).map(lambda count: "字" * count),
    ),
    st.integers(0, CANDIDATES - 1),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1), chunks), max_size=40))
def test_what_a_reader_has_seen_is_kept_but_for_half_a_second_and_2_kib(
    monkeypatch: pytest.MonkeyPatch, events: list[tuple[float, Event]]
) -> None:
    clock, store = SimpleNamespace(now=0.0), Kept()
    monkeypatch.setattr(recording, "time", SimpleNamespace(monotonic=lambda: clock.now))
    stream = RecordedStream(Stream(events, clock), store, "k", rows(CANDIDATES), lambda _: None)
    seen = [["", ""] for _ in range(CANDIDATES)]
    unkept = [(0, 0.0)] * CANDIDATES  # bytes, and since when
    for event in stream:
        assert isinstance(event, TextChunk | ReasoningChunk)
        seen[event.candidate][isinstance(event, ReasoningChunk)] += event.text
        for place in range(CANDIDATES):
            kept = store.so_far(2 + place)
            for whole, part in zip(seen[place], kept, strict=True):
                assert whole.startswith(part)
            missing = sum(len(text.encode()) for text in seen[place])
            missing -= sum(len(text.encode()) for text in kept)
            since = unkept[place][1] if unkept[place][0] and missing else clock.now
            unkept[place] = (missing, since)
            assert missing < 2048
            assert clock.now - since < 0.5
    assert [store.ended[2 + place] for place in range(CANDIDATES)] == [
        (State.STOPPED, text, reasoning) for text, reasoning in seen
    ]


def test_the_end_brings_all_of_each_candidate() -> None:
    store, clock = Kept(), SimpleNamespace(now=0.0)
    whole = [("Yes.", "Hm."), ("No.", "")]
    events: list[tuple[float, Event]] = [(0, TextChunk("Ye", 0)), (0, finished(whole))]
    ended: list[StoredMessage] = []
    list(RecordedStream(Stream(events, clock), store, "k", rows(2), ended.extend))
    assert [store.ended[number] for number in (2, 3)] == [
        (State.COMPLETE, *texts) for texts in whole
    ]
    assert [(m.text, m.state) for m in ended] == [
        ("Yes.", State.COMPLETE),
        ("No.", State.COMPLETE),
    ]
