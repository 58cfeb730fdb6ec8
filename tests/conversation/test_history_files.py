"""Files of conversations: whole, byte for byte the same after a round trip, all of one or none."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace
from past_conversations import WRITING, conversation, question, remembered, several, talk

from assistant.conversation import history_files
from assistant.conversation.history_files import (
    Remembered,
    keep_all,
    read_conversations,
    sort_out,
    written_lines,
)
from assistant.conversation.records import State
from assistant.conversation.store import Store
from assistant.errors import InputError
from assistant.events import Usage


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "history.db")
    yield opened
    opened.close()


def written(*found: Remembered) -> bytes:
    return b"".join(line for one in found for line in written_lines(one))


def read(data: bytes) -> tuple[Remembered, ...]:
    return read_conversations(io.BytesIO(data), "old.jsonl")


def all_of(store: Store) -> list[Remembered]:
    """The oldest first, as they were added."""
    return [
        Remembered(one, tuple(store.messages(one.name)))
        for one in sorted(store.conversations(), key=lambda one: one.name)
    ]


def refusal(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(data)
    return caught.value.message


@given(several())
def test_what_was_written_is_read_again(found: list[Remembered]) -> None:
    assert read(written(*found)) == tuple(found)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(found=several())
def test_an_export_after_an_import_is_the_same_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, found: list[Remembered]
) -> None:
    data = written(*found)
    store = Store.open(tmp_path_factory.mktemp("home") / "history.db")
    keep_all(read(data), store)
    for one in found:
        name = one.conversation.name
        kept = Remembered(store.find(name), tuple(store.messages(name)))
        assert written(kept) == written(one)
    assert sort_out(read(data), store).new == ()
    assert store.is_lasting
    store.close()


@given(remembered(), st.data())
def test_a_file_that_is_cut_anywhere_is_refused(one: Remembered, data: st.DataObject) -> None:
    whole = written(one)
    end = data.draw(st.integers(0, len(whole) - 2))
    assert refusal(whole[:end]).startswith("old.jsonl")


@given(remembered(), st.data())
def test_a_file_with_a_wrong_byte_is_refused_or_read(one: Remembered, data: st.DataObject) -> None:
    whole = bytearray(written(one))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    said = "old.jsonl"
    try:
        read(bytes(whole))
    except InputError as err:
        said = err.message
    assert said.startswith("old.jsonl")


def changed(at: int, **changes: object) -> bytes:
    """A talk in which message `at` is not right, or (0) the conversation."""
    one = talk()
    messages = list(one.messages)
    if at:
        messages[at - 1] = replace(messages[at - 1], **changes)
        return json.encode({**HEAD, "conversation": one.conversation}) + b"".join(
            b"\n" + json.encode(message) for message in messages
        )
    head = {**HEAD, "conversation": replace(one.conversation, **changes)}
    return b"\n".join([json.encode(head), *map(json.encode, messages)])


HEAD = {"format": "llmchat conversation", "version": 1}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "old.jsonl is empty"),
        (b"\n \n", "old.jsonl is empty"),
        (b"# Sorting\n", "line 1: this is no conversation of llmchat: JSON is malformed"),
        (b"\n\n[]\n", "line 3: this is no conversation of llmchat: Expected `object`"),
        (b'{"format":"\xff","version":1}', "line 1: this is no conversation of llmchat: 'utf-8'"),
        (b'{"x":' + b"[" * 100_000, "line 1: this is no conversation of llmchat: "),
        (b'{"format":"chats","version":1}', "line 1: the format is 'chats', not 'llmchat conv"),
        (
            b'{"format":"llmchat conversation","version":2,"new":0}',
            "line 1: version 2 of the format needs a newer llmchat",
        ),
        (changed(0, name="../x"), "line 1: a conversation cannot be named '../x'"),
        (changed(0, name="--all"), "line 1: a conversation cannot be named '--all'"),
        (changed(0, messages=-1), "line 1: it cannot have -1 messages"),
        (changed(0, fork_of="a\nb"), r"line 1: it cannot be a fork of 'a\nb'"),
        (changed(0, updated=1e300), "line 1: 1e+300 is no time"),
        (changed(0, leaf=6), "line 6: k7m2q ends with message 6, which is missing"),
        (changed(0, leaf=0), "line 6: k7m2q ends with message 0, which is missing"),
        (changed(0, messages=6), "line 7: the file is cut: of k7m2q it has 5 of 6 messages"),
        (changed(0, messages=4, leaf=4), "line 6: this is no conversation of llmchat: Object mis"),
        (
            changed(3, writing=replace(WRITING, usage=Usage(2**70, 0, 0, 0.0, 0.0, 0.0))),
            "line 4: it cannot have cost so many tokens",
        ),
        (changed(2, number=1), "line 3: message 1 cannot come after message 1"),
        (changed(2, number=-2), "line 3: message -2 cannot come after message 1"),
        (changed(4, parent=4), "line 5: parent 4 is no message before it"),
        (changed(4, parent=9), "line 5: parent 9 is no message before it"),
        (changed(5, covers=7), "line 6: covers 7 is no message before it"),
        (changed(3, created=-1), "line 4: -1.0 is no time"),
        (changed(2, state="streaming"), "line 3: nothing in a file is still being written"),
        (changed(2, state="lost"), "line 3: this is no message of k7m2q: Invalid enum value"),
        (changed(2, number="2"), "line 3: this is no message of k7m2q: Expected `int`, got `str`"),
        (written(talk(), talk("abcde"), talk()), "line 18: k7m2q is in there twice"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(data: bytes, reason: str) -> None:
    said = refusal(data)
    assert reason in said
    assert said.startswith("old.jsonl")
    assert len(said) < 300


def test_a_line_without_an_end_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_files, "LONGEST_LINE", 1000)
    assert refusal(b" " * 5000) == "old.jsonl, line 1: it is too long"


def test_what_is_still_being_written_is_interrupted_in_a_file() -> None:
    one = talk()
    last = replace(one.messages[-1], state=State.STREAMING)
    (found,) = read(written(Remembered(one.conversation, (*one.messages[:-1], last))))
    assert found.messages[-1].state is State.INTERRUPTED


def test_nothing_changes_for_what_is_there_already(store: Store) -> None:
    first = [talk(), talk("abcde", "Other")]
    keep_all(first, store)
    before = all_of(store)
    found = sort_out([*first, talk("vwxyz")], store)
    assert [one.conversation.name for one in found.new] == ["vwxyz"]
    assert list(found.known) == first
    keep_all(first, store)
    assert all_of(store) == before


def test_what_has_gone_on_here_counts_as_there(store: Store) -> None:
    keep_all([talk()], store)
    store.add_question("k7m2q", 5, "More?", ())
    store.rename("k7m2q", "Mine now")
    assert sort_out([talk()], store).new == ()
    assert store.find("k7m2q").title == "Mine now"


def test_what_has_gone_on_elsewhere_is_refused(store: Store) -> None:
    keep_all([talk()], store)
    one = talk()
    more = (*one.messages, question(6, 5, "More?"))
    longer = Remembered(conversation(messages=6, leaf=6), more)
    with pytest.raises(InputError, match="k7m2q has gone on: 5 of its 6 messages are here"):
        sort_out([longer], store)


def taken(found: Sequence[Remembered], store: Store) -> str:
    before = all_of(store)
    with pytest.raises(InputError) as caught:
        sort_out(found, store)
    with pytest.raises(InputError):
        keep_all(found, store)
    assert all_of(store) == before
    return caught.value.message


def test_a_file_is_taken_in_as_a_whole_or_not_at_all(store: Store) -> None:
    keep_all([talk()], store)
    others = [talk("abcde"), talk(text="Use heapq."), talk("vwxyz")]
    assert taken(others, store) == "another conversation here has the name k7m2q"
