"""What a store keeps, and how it is found again. Nothing is ever overwritten."""

import math
import re
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from conftest import SCALE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from stored_turns import (
    DAY,
    ENDED,
    WRITING,
    answer,
    ask,
    begun,
    files,
    history,
    opened,
    question_of,
    texts,
    turn,
)

from assistant.conversation.records import Conversation, Kind, State, StoredMessage
from assistant.conversation.search_index import fold
from assistant.conversation.store import Store
from assistant.errors import InputError
from assistant.events import Usage
from assistant.messages import Message, Part, Role
from benchmarks.history_corpus import corpus


@pytest.fixture
def store() -> Iterator[Store]:
    with opened() as store:
        yield store


def test_what_was_said_is_there_after_the_process(store: Store) -> None:
    name = begun(store, "Sorting")
    asked = ask(store, name, "How do I sort?", sort_py="sorted(x)")
    answered = answer(store, name, asked.number, "With sorted.", "Let me think.")
    store.close()
    with opened() as again:
        latest = again.latest()
        assert again.path(name) == [asked, answered]
        assert again.notices == []
        assert again.is_lasting
    assert latest is not None
    assert (latest.name, latest.title, latest.folder, latest.first_day) == (
        name,
        "Sorting",
        "/home/me",
        DAY,
    )
    assert (latest.messages, latest.leaf) == (2, 2)
    assert asked.content == question_of("How do I sort?", sort_py="sorted(x)")
    assert (answered.text, answered.reasoning, answered.writing) == (
        "With sorted.",
        "Let me think.",
        ENDED,
    )


def test_only_the_user_may_read_it(store: Store) -> None:
    turn(store, begun(store), "a question", "an answer")
    assert [stat.S_IMODE(path.stat().st_mode) for path in files()] == [0o600] * len(files())
    assert stat.S_IMODE(history().parent.stat().st_mode) == 0o700
    store.close()
    history().chmod(0o644)
    with opened():
        pass
    assert stat.S_IMODE(history().stat().st_mode) == 0o600


def test_a_conversation_in_which_nothing_was_said_leaves_nothing(store: Store) -> None:
    begun(store)
    store.close()
    with opened() as again:
        assert again.conversations() == []


def test_names_are_short_and_cannot_be_misread() -> None:
    store = Store.in_memory()
    names = {begun(store) for _ in range(300)}
    assert len(names) == 300
    assert all(re.fullmatch("[a-hj-km-np-tv-z][0-9a-hj-km-np-tv-z]{4}", name) for name in names)


def test_a_name_is_meant_by_its_beginning(store: Store) -> None:
    for name in ("k7m2q", "k7xyz", "b0000"):
        store.add_whole(Conversation(name, "t", "/", DAY, 1.0, 1.0), ())
    assert store.find("b").name == "b0000"
    assert store.find(" K7M2Q ").name == "k7m2q"
    with pytest.raises(InputError, match="2 conversations begin with 'k7': k7") as caught:
        store.find("k7")
    assert caught.value.hint == "llmchat history list"


@pytest.mark.parametrize("word", ["k7m2x", "k7m2qq", "7m2q"])
def test_a_mistyped_name_is_told_the_near_ones(store: Store, word: str) -> None:
    store.add_whole(Conversation("k7m2q", "t", "/", DAY, 1.0, 1.0), ())
    with pytest.raises(InputError, match=f"no conversation '{word}'; there is k7m2q"):
        store.find(word)


@pytest.mark.parametrize("word", ["", "  ", "%", "_", "*", "'", "x\0"])
def test_no_name_begins_with_what_is_no_name(store: Store, word: str) -> None:
    store.add_whole(Conversation("k7m2q", "t", "/", DAY, 1.0, 1.0), ())
    with pytest.raises(InputError, match="no conversation"):
        store.find(word)


def test_conversations_come_by_last_use(store: Store) -> None:
    names = [begun(store, str(number)) for number in range(4)]
    for name in names:
        ask(store, name, "?")
    ask(store, names[1], "again?", 1)
    by_use = [names[1], names[3], names[2], names[0]]
    assert [one.name for one in store.conversations()] == by_use
    assert [one.name for one in store.conversations(2)] == by_use[:2]
    assert [one.name for one in store.conversations(2, 1)] == by_use[1:3]
    assert [one.name for one in store.conversations(None, 3)] == by_use[3:]
    assert store.conversations(5, 4) == []
    latest = store.latest()
    assert latest is not None
    assert latest.name == names[1]


def test_another_answer_is_another_version(store: Store) -> None:
    name = begun(store)
    asked = ask(store, name, "Which?")
    first, second = (answer(store, name, asked.number, text) for text in ("this", "that"))
    assert store.versions(name, first.number) == [first.number, second.number]
    assert texts(store.path(name)) == ["Which?", "that"]
    assert texts(store.path(name, first.number)) == ["Which?", "this"]
    store.set_leaf(name, first.number)
    assert texts(store.path(name)) == ["Which?", "this"]
    assert texts(store.messages(name)) == ["Which?", "this", "that"]


def test_a_changed_question_begins_another_branch(store: Store) -> None:
    name = begun(store)
    old = turn(store, name, "Wich?", "What?")
    new = turn(store, name, "Which?", "That.")
    assert store.versions(name, 1) == [1, new.parent]
    assert texts(store.path(name)) == ["Which?", "That."]
    assert texts(store.path(name, old.number)) == ["Wich?", "What?"]


def test_versions_are_of_one_kind(store: Store) -> None:
    name = begun(store)
    answered = turn(store, name, "a", "b")
    summary = store.add_summary(name, answered.number, "in short", answered.number, None)
    asked = ask(store, name, "c", answered.number)
    assert store.versions(name, summary.number) == [summary.number]
    assert store.versions(name, asked.number) == [asked.number]


def test_a_summary_is_a_message_of_the_branch(store: Store) -> None:
    name = begun(store)
    answered = turn(store, name, "a", "b")
    kept = store.add_summary(name, answered.number, "in short", answered.number, WRITING)
    assert (kept.kind, kept.state, kept.covers, kept.parent) == (
        Kind.SUMMARY,
        State.COMPLETE,
        answered.number,
        answered.number,
    )
    assert store.path(name)[-1] == kept
    assert texts(store.path(name)) == ["a", "b", "in short"]


def test_before_the_first_message_there_is_none(store: Store) -> None:
    name = begun(store)
    turn(store, name, "a", "b")
    store.set_leaf(name, 0)
    assert store.path(name) == []
    assert texts(store.messages(name)) == ["a", "b"]


def test_an_answer_is_there_while_it_comes(store: Store) -> None:
    name = begun(store)
    message = store.begin_answer(name, ask(store, name, "?").number, WRITING)
    store.append(name, message.number, "Hel")
    store.append(name, message.number, "lo", "hm")
    with opened() as other:
        (_, seen) = other.path(name)
        assert (seen.state, seen.text, seen.reasoning) == (State.STREAMING, "Hello", "hm")
        assert other.search("hello") == []
        store.end_answer(name, message.number, State.STOPPED, "Hello!", "hmm", ENDED)
        (_, seen) = other.path(name)
        assert (seen.state, seen.text, seen.reasoning) == (State.STOPPED, "Hello!", "hmm")
        assert [hit.message for hit in other.search("hello")] == [seen]


def test_a_fork_has_the_branch_and_its_own_future(store: Store) -> None:
    name = begun(store, "A title")
    first = turn(store, name, "a", "b")
    turn(store, name, "c", "d", first.number)
    turn(store, name, "e", "f", first.number)
    fork = store.fork(name, 6)
    assert (fork.title, fork.fork_of, fork.messages, fork.leaf) == ("A title", f"{name}.6", 4, 6)
    assert store.path(fork.name) == store.path(name, 6)
    turn(store, fork.name, "g", "h", 6)
    assert texts(store.path(fork.name)) == ["a", "b", "e", "f", "g", "h"]
    assert texts(store.path(name)) == ["a", "b", "e", "f"]


def test_nobody_goes_on_writing_a_fork(store: Store) -> None:
    name = begun(store)
    message = store.begin_answer(name, ask(store, name, "?").number, WRITING)
    store.append(name, message.number, "so far")
    copy = store.path(store.fork(name, message.number).name)[-1]
    assert (copy.state, copy.text) == (State.INTERRUPTED, "so far")
    assert [hit.message for hit in store.search("far")] == [copy]


def test_a_title_is_changed(store: Store) -> None:
    name = begun(store, "old")
    ask(store, name, "?")
    store.rename(name, "new")
    assert store.find(name).title == "new"


def test_a_conversation_comes_whole_and_once(store: Store) -> None:
    name = begun(store, "A title")
    turn(store, name, "a", "b", 0)
    turn(store, name, "c", "d", 2)
    original, messages = store.find(name), store.messages(name)
    other = Store.in_memory()
    assert other.add_whole(original, messages) == original
    assert other.messages(name) == messages
    assert other.add_whole(original, messages) == original
    assert len(other.conversations()) == 1
    with pytest.raises(InputError, match=f"another conversation {name}"):
        other.add_whole(original, [replace(messages[0], text="A"), *messages[1:]])
    assert store.add_whole(original, messages) == original


def test_what_comes_whole_is_not_being_written(store: Store) -> None:
    conversation = Conversation("k7m2q", "t", "/", DAY, 1.0, 2.0, leaf=1)
    message = StoredMessage(1, 0, Kind.ANSWER, State.STREAMING, "half", 1.0)
    store.add_whole(conversation, [message])
    assert store.path("k7m2q")[0].state is State.INTERRUPTED
    store.add_whole(conversation, [message])


def test_what_is_written_together_is_kept_or_nothing(store: Store) -> None:
    conversation = Conversation("k7m2q", "t", "/", DAY, 1.0, 2.0)

    def fail_half_way() -> None:
        with store.together():
            store.add_whole(conversation, ())
            store.find("missing")

    with pytest.raises(InputError, match="missing"):
        fail_half_way()
    assert store.conversations() == []
    with store.together():
        store.add_whole(conversation, ())
        store.add_whole(replace(conversation, name="k7m2r"), ())
    assert len(store.conversations()) == 2


def test_messages_that_are_not_there_are_said(store: Store) -> None:
    name = begun(store)
    turn(store, name, "a", "b")
    for number in (0, 3, -1, 2**70):
        with pytest.raises(InputError, match=f"{name} has no message {number}"):
            store.versions(name, number)
    for number in (3, -1, 2**70):
        with pytest.raises(InputError, match="has no message"):
            store.path(name, number)
        with pytest.raises(InputError, match="has no message"):
            store.set_leaf(name, number)
        with pytest.raises(InputError, match="has no message"):
            store.fork(name, number)
        with pytest.raises(InputError, match="has no message"):
            ask(store, name, "?", number)
    assert texts(store.messages(name)) == ["a", "b"]


def test_conversations_that_are_not_there_are_said(store: Store) -> None:
    for act in (
        lambda: store.path("k7m2q"),
        lambda: store.messages("k7m2q"),
        lambda: store.rename("k7m2q", "t"),
        lambda: store.fork("k7m2q", 1),
        lambda: store.set_leaf("k7m2q", 0),
        lambda: store.delete(["k7m2q"]),
        lambda: ask(store, "k7m2q", "?"),
        lambda: store.begin_answer("k7m2q", 0, WRITING),
    ):
        with pytest.raises(InputError, match="no conversation 'k7m2q'"):
            act()


@pytest.mark.parametrize("text", ["half \ud83d of it", "nul \0 in it", "", "\r\n \t", "😀 é 中文"])
def test_any_text_is_kept(store: Store, text: str) -> None:
    name = begun(store, text)
    content = (Message(Role.USER, (Part(text, text),), reasoning=text),)
    asked = store.add_question(name, 0, text, content)
    answered = answer(store, name, 1, text, text)
    store.append(name, 2, "late")
    written = text.replace("\ud83d", "\ufffd")
    assert (asked.text, answered.text, answered.reasoning) == (written, written, written)
    store.close()
    with opened() as again:
        assert again.path(name)[0] == asked
        assert again.path(name)[1].text == written + "late"
        assert again.find(name).title == written
    assert asked.content[0].parts[0].source == written


def test_numbers_of_tokens_are_counted_once(store: Store) -> None:
    name = begun(store)
    asked = ask(store, name, "äß")
    for candidate in (0, 1):
        message = store.begin_answer(name, asked.number, WRITING)
        ended = replace(ENDED, candidate=candidate, candidates=2)
        store.end_answer(name, message.number, State.COMPLETE, "four", "", ended)
    stats = store.stats()
    assert (stats.conversations, stats.messages, stats.text_bytes) == (1, 3, 12)
    assert (stats.tokens_read, stats.tokens_written) == (12, 6)
    assert 0 < stats.index_bytes < stats.file_bytes
    assert stats.file_bytes == sum(path.stat().st_size for path in files())


def test_speeds_that_are_no_numbers_are_kept_as_none(store: Store) -> None:
    name = begun(store)
    message = store.begin_answer(name, ask(store, name, "?").number, WRITING)
    usage = Usage(9, 3, 2, math.inf, math.nan, 5.0)
    ended = replace(ENDED, usage=usage, error="half \ud83d")
    store.end_answer(name, message.number, State.FAILED, "", "", ended)
    kept = store.path(name)[-1].writing
    assert kept == replace(ENDED, usage=Usage(9, 3, 2, 0.0, 0.0, 5.0), error="half \ufffd")


def test_tokens_are_counted_where_a_server_tells_no_ids(store: Store) -> None:
    name = begun(store)
    message = store.begin_answer(name, ask(store, name, "?").number, WRITING)
    store.end_answer(name, message.number, State.COMPLETE, "", "", replace(ENDED, token_ids=()))
    assert store.stats().tokens_written == 3


def test_threads_may_share_a_store(store: Store) -> None:
    names = [begun(store, str(number)) for number in range(4)]

    def chat(name: str) -> None:
        last = 0
        for number in range(10):
            last = turn(store, name, f"question {number}", f"answer {number}", last).number

    threads = [threading.Thread(target=chat, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [text for n in range(10) for text in (f"question {n}", f"answer {n}")]
    assert [texts(store.path(name)) for name in names] == [expected] * 4


def test_a_long_history_is_searched_like_a_short_one(store: Store) -> None:
    """100,000 messages at full scale."""
    conversations = round(10_000 * SCALE)
    folded: list[tuple[str, str]] = []
    with store.together():
        for conversation, messages in corpus(conversations):
            store.add_whole(conversation, messages)
            for message in messages:
                names = [part.source for m in message.content for part in m.parts[1:]]
                folded.append((fold("\n".join([message.text, *names])), message.text))
    latest = store.latest()
    assert latest == conversation
    assert store.path(conversation.name) == messages
    assert store.stats().messages == len(folded) == 10 * conversations
    assert len(store.conversations(50, conversations - 20)) == 20
    for query in ("metaclass", '"def __init__(self"', "模型", "模型 module", "module_17"):
        terms = [fold(term.strip('"')) for term in re.findall(r'"[^"]+"|\S+', query)]
        expected = [text for known, text in folded if all(term in known for term in terms)]
        assert expected
        found = [hit.message.text for hit in store.search(query, len(folded))]
        assert sorted(found) == sorted(expected)
        assert [hit.message.text for hit in store.search(query, 7)] == found[:7]


# ── any sequence of changes ─────────────────────────────────────────────────────────────────


@dataclass
class Tree:
    """What a conversation should be: parents and texts by number."""

    name: str
    nodes: list[tuple[int, str]] = field(default_factory=list)
    leaf: int = 0

    def branch(self, number: int) -> list[str]:
        found: list[str] = []
        while number:
            number, text = self.nodes[number - 1]
            found.insert(0, text)
        return found


STEP = st.tuples(
    st.sampled_from(["begin", "ask", "answer", "summary", "leaf", "fork", "delete", "reopen"]),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.text(max_size=8),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEP, max_size=25))
def test_a_store_is_what_was_written_into_it(steps: list[tuple[str, int, int, str]]) -> None:
    history().unlink(missing_ok=True)
    store, trees = Store.open(), list[Tree]()
    for act, one, two, text in steps:
        tree = trees[one % len(trees)] if trees else None
        number = two % (len(tree.nodes) + 1) if tree else 0
        match act:
            case "begin":
                trees.append(Tree(begun(store)))
            case "reopen":
                store.close()
                store = Store.open()
                known = {one.name for one in store.conversations()}
                trees = [tree for tree in trees if tree.nodes or tree.name in known]
            case "delete" if tree and tree.nodes:
                store.delete([tree.name])
                trees.remove(tree)
            case "leaf" if tree:
                store.set_leaf(tree.name, number)
                tree.leaf = number
            case "fork" if tree and number and len(tree.branch(number)) == number:
                trees.append(Tree(store.fork(tree.name, number).name, tree.nodes[:number], number))
            case "ask" | "answer" | "summary" if tree:
                written = add(store, act, tree, number, text)
                tree.nodes.append((number, written.text))
                tree.leaf = written.number
                assert written.number == len(tree.nodes)
    assert {one.name for one in store.conversations()} == {tree.name for tree in trees}
    for tree in trees:
        assert store.find(tree.name).leaf == tree.leaf
        for number in range(len(tree.nodes) + 1):
            assert texts(store.path(tree.name, number)) == tree.branch(number)
    store.close()


def add(store: Store, act: str, tree: Tree, parent: int, text: str) -> StoredMessage:
    match act:
        case "ask":
            return ask(store, tree.name, text, parent)
        case "answer":
            return answer(store, tree.name, parent, text)
    return store.add_summary(tree.name, parent, text, parent, None)
