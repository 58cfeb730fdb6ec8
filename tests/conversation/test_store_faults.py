"""Whatever is wrong with the place of the history: the conversation goes on, one line says why."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from conftest import SCALE
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from stored_turns import (
    DAY,
    ENDED,
    WITH_JOURNAL,
    WRITING,
    ask,
    begun,
    files,
    history,
    opened,
    python,
    texts,
    turn,
)

from assistant import paths
from assistant.conversation import database
from assistant.conversation.records import Conversation, State
from assistant.conversation.store import Store
from assistant.errors import InputError

PAGE = 4096
MEMORY = "new messages are kept in memory only"
OTHER_BOOT = "00000000-0000-0000-0000-000000000000 1 1"
# Fills a history with turns in one conversation until it is kept in memory, and says what it has.
FILL = """
import resource, sys
from stored_turns import begun, texts, turn
from assistant.conversation.store import Store
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
store = Store.open()
name = begun(store)
last, number, after = 0, 0, 0
while after < 3:
    after += not store.is_lasting
    last = turn(store, name, f"question {number} " + "x" * 900, f"answer {number}", last).number
    number += 1
said = [text.split(" x")[0] for text in texts(store.path(name))]
assert said == [f"{who} {n}" for n in range(number) for who in ("question", "answer")], said
assert len(store.search("question")) == min(number, 50)
print(number, len(store.notices), store.notices[0])
"""


@pytest.fixture
def one_turn() -> str:
    """The name of a conversation in the history, which nobody has open."""
    with opened() as store:
        name = begun(store)
        turn(store, name, "What was it?", "It was this.")
        return name


def chat_goes_on(store: Store) -> None:
    name = begun(store)
    answered = turn(store, name, "a", "b")
    assert texts(store.path(name)) == ["a", "b"]
    store.begin_answer(name, answered.parent, WRITING)
    assert store.find(name).messages == 3


def damage(path: Path) -> None:
    """All but the first page is lost, and everybody sees that the file has changed."""
    data = bytearray(path.read_bytes())
    data[PAGE:] = b"\x5a" * (len(data) - PAGE)
    for counter in (24, 92):
        data[counter : counter + 4] = (int.from_bytes(data[counter : counter + 4]) + 9).to_bytes(4)
    with path.open("r+b") as file:
        file.write(data)


@contextmanager
def changed(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


# ── damaged files ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"this is no database" * 500,
        lambda data: b"\0" * len(data),
        lambda data: data[: len(data) // 2],
        lambda data: data[:PAGE] + b"\0" * (len(data) - PAGE),
        lambda data: b"\xff" * PAGE + data[PAGE:],
        lambda data: data[:100],
    ],
)
def test_a_damaged_file_is_put_aside_and_a_new_one_begun(
    one_turn: str, spoil: Callable[[bytes], bytes]
) -> None:
    spoilt = spoil(history().read_bytes())
    history().write_bytes(spoilt)
    with opened() as store:
        (notice,) = store.notices
        (aside,) = history().parent.glob("history.db.corrupt-*Z")
        assert notice == (
            f"{history()} is damaged and was put aside: what can be saved of it, "
            f"`sqlite3 {aside} .recover` shows"
        )
        assert aside.read_bytes() == spoilt
        assert store.is_lasting
        assert store.conversations() == []
        chat_goes_on(store)
    with opened() as store:
        assert store.notices == []
        assert len(store.conversations()) == 1


def test_damaged_files_do_not_replace_each_other(one_turn: str) -> None:
    for number in range(3):
        history().write_bytes(b"no database %d" % number * 500)
        with opened() as store:
            chat_goes_on(store)
    aside = [path.read_bytes()[:13] for path in history().parent.glob("history.db.corrupt-*")]
    assert sorted(aside) == [b"no database 0", b"no database 1", b"no database 2"]


def test_an_empty_file_is_a_new_one() -> None:
    history().parent.mkdir(parents=True)
    history().touch()
    with opened() as store:
        assert (store.notices, store.is_lasting) == ([], True)
        chat_goes_on(store)


@settings(
    max_examples=round(200 * SCALE),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=9)), max_size=6),
    st.one_of(st.none(), st.integers(0, 2**20)),
)
@example([(2404, b"\x80")], None)
@example([(907306, b"0\t_0")], None)
def test_no_damage_stops_a_conversation(patches: list[tuple[int, bytes]], cut: int | None) -> None:
    for path in files() if history().parent.exists() else []:
        path.unlink()
    with opened() as store:
        name = begun(store)
        turn(store, name, "What was it?", "It was this.")
    data = bytearray(history().read_bytes())
    for at, junk in patches:
        data[at % len(data) : at % len(data) + len(junk)] = junk
    history().write_bytes(data if cut is None else data[: cut % len(data)])
    for _ in range(2):
        with opened() as store:
            use_all_of_it(store, name)
            chat_goes_on(store)
            assert len(store.notices) < 3


def use_all_of_it(store: Store, name: str) -> None:
    for act in (
        store.latest,
        store.conversations,
        store.stats,
        lambda: store.path(name),
        lambda: store.messages(name),
        lambda: store.search("this"),
        lambda: store.search("->"),
        lambda: turn(store, name, "Again?", "Again.", 2),
        lambda: store.fork(name, 2),
        lambda: store.rename(name, "another"),
        lambda: store.delete([name]),
    ):
        with suppress(InputError):
            act()


def test_damage_during_use_costs_nothing_of_the_conversation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "FIRST_SOUND_WAL", WITH_JOURNAL)  # a log would hide it
    with opened() as store:
        one_turn = begun(store)
        turn(store, one_turn, "What was it?", "It was this.")
    with opened() as store:
        name = begun(store)
        answered = turn(store, name, "Before?", "Before.")
        message = store.begin_answer(name, ask(store, name, "Now?", 2).number, WRITING)
        store.append(name, message.number, "No")
        damage(history())
        store.append(name, message.number, "w.")
        assert not store.is_lasting
        (notice,) = store.notices
        assert notice.startswith(f"{MEMORY} from now on: {history()}: ")
        assert texts(store.path(name)) == ["Before?", "Before.", "Now?", "Now."]
        store.end_answer(name, message.number, State.COMPLETE, "Now!", "", ENDED)
        assert texts(store.path(name)) == ["Before?", "Before.", "Now?", "Now!"]
        assert store.path(name, answered.number)[-1] == answered
        assert [hit.message.text for hit in store.search("before")] == ["Before.", "Before?"]
        use_all_of_it(store, one_turn)
        chat_goes_on(store)
        assert len(store.notices) == 1
    with opened() as store:
        assert "damaged and was put aside" in store.notices[0]
        chat_goes_on(store)


def test_a_damaged_index_is_made_again(one_turn: str) -> None:
    with changed(history()) as connection:
        connection.execute("UPDATE trigrams_data SET block = x'7f7f7f7f7f7f' WHERE id > 10")
    with opened() as store:
        assert store.search("this") == []
        (notice,) = store.notices
        assert notice.startswith(MEMORY)
    with opened() as store:
        assert [hit.message.text for hit in store.search("this")] == ["It was this."]
        assert store.notices == []
    with opened() as store:
        assert store.notices == []
    assert not [path.name for path in files() if "corrupt" in path.name or "damaged" in path.name]


def test_a_cell_that_holds_no_record_is_damage(one_turn: str) -> None:
    for column in ("kind", "state", "content", "writing"):
        with changed(history()) as connection:
            connection.execute(f"UPDATE messages SET {column} = '{{' WHERE number = 2")
        with opened() as store:
            with pytest.raises(InputError):
                store.path(one_turn)
            assert "cannot be read" in store.notices[0]
            chat_goes_on(store)


@pytest.mark.parametrize(("writer", "is_seen"), [(OTHER_BOOT, True), ("", False)])
def test_all_of_the_file_is_looked_at_after_a_power_cut_only(
    one_turn: str, writer: str, is_seen: bool
) -> None:
    with opened() as store:
        for number in range(40):
            turn(store, one_turn, f"{number} {'long ' * 500}", "text", 0)
    with changed(history()) as connection:
        connection.execute("UPDATE messages SET writer = ? WHERE number = 3", (writer,))
    data = history().read_bytes()
    page = next(at for at in range(PAGE, len(data), PAGE) if b"20 long" in data[at : at + PAGE])
    history().write_bytes(data[:page] + b"\x5a" * PAGE + data[page + PAGE :])
    with opened() as store:
        assert ["damaged" in notice for notice in store.notices] == [True] * is_seen


def test_a_journal_from_before_the_machine_started_makes_suspicious(one_turn: str) -> None:
    journal = history().with_name("history.db-journal")
    journal.write_bytes(b"\0" * 512)
    os.utime(journal, (1.0, 1.0))
    with opened() as store:
        assert store.notices == []
        chat_goes_on(store)
    damage(history())
    journal.write_bytes(b"\0" * 512)
    os.utime(journal, (1.0, 1.0))
    with opened() as store:
        assert "damaged" in store.notices[0]
    assert any("corrupt" in path.name and "journal" in path.name for path in files())


# ── places that refuse ──────────────────────────────────────────────────────────────────────


def test_a_full_disk_costs_nothing_of_the_conversation() -> None:
    child = python(FILL, str(1200 * 1024))
    told = child.communicate()[0].decode()
    assert child.returncode == 0
    turns, notices, notice = told.split(" ", 2)
    assert int(turns) > 10
    assert notices == "1"
    assert notice.startswith(f"{MEMORY} from now on: {history()}: ")
    with opened() as store:
        assert store.notices == []
        (conversation,) = store.conversations()
        kept = store.path(conversation.name)
        assert len(kept) >= 2 * (int(turns) - 4)
        assert [m.state for m in kept if m.state is not State.COMPLETE] in ([], [State.INTERRUPTED])


def test_a_disk_that_is_full_from_the_beginning_is_none() -> None:
    child = python(FILL, "1000")
    told = child.communicate()[0].decode()
    assert child.returncode == 0
    turns, notices, notice = told.split(" ", 2)
    assert (turns, notices) == ("3", "1")
    assert notice.startswith(f"{MEMORY}: {history()}: ")


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_whoever_holds_the_file_too_long_costs_nothing_of_the_conversation(
    one_turn: str, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    with opened() as store, closing(sqlite3.connect(history(), isolation_level=None)) as other:
        assert texts(store.path(one_turn)) == ["What was it?", "It was this."]
        other.execute(f"BEGIN {lock}")
        asked = ask(store, one_turn, "And now?", 2)
        assert texts(store.path(one_turn)) == ["What was it?", "It was this.", "And now?"]
        assert store.notices == [f"{MEMORY} from now on: {history()}: database is locked"]
        other.execute("ROLLBACK")
        turn(store, one_turn, "Still?", "Still.", asked.number)
        assert len(store.path(one_turn)) == 5
        assert [one.name for one in store.conversations()] == [one_turn]
        assert len(store.search("was")) == 2
    with opened() as store:
        assert len(store.path(one_turn)) == 2


def test_a_file_that_is_held_at_the_beginning_is_waited_for(one_turn: str) -> None:
    with closing(sqlite3.connect(history(), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with opened() as store:
            assert store.is_lasting
            other.execute("ROLLBACK")
            chat_goes_on(store)
            assert store.notices == []


def test_without_a_place_there_is_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMCHAT_HOME", "/dev/null/nowhere")
    with opened() as store:
        assert store.notices == [
            f"{MEMORY}: /dev/null/nowhere/data/history.db: /dev/null/nowhere/data cannot be written"
        ]
        assert not store.is_lasting
        chat_goes_on(store)
        assert len(store.notices) == 1


def test_a_folder_in_the_place_of_the_file_is_left_there() -> None:
    history().mkdir(parents=True)
    with opened() as store:
        assert not store.is_lasting
        chat_goes_on(store)
    assert history().is_dir()


def test_what_cannot_last_is_refused_where_it_must(
    one_turn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    conversation = Conversation("k7m2q", "t", "/", DAY, 1.0, 1.0)
    with opened() as store, closing(sqlite3.connect(history(), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for act in (
            lambda: store.delete([one_turn]),
            lambda: store.rename(one_turn, "another"),
            lambda: store.add_whole(conversation, ()),
            lambda: store.together().__enter__(),
        ):
            with pytest.raises(InputError, match=f"{history()} cannot be changed: .*locked"):
                act()
        assert len(store.notices) == 1
        chat_goes_on(store)
        store.rename(store.conversations()[0].name, "of memory")
        store.delete([store.conversations()[0].name])
        assert [one.name for one in store.conversations()] == [one_turn]


READ_ONLY = """
import os
from pathlib import Path
from stored_turns import DAY, history, texts, turn
from assistant.conversation.store import Store
memory = Store.in_memory()
turn(memory, memory.begin("", "", DAY).name, "nothing is imported later", "x")
memory.search("later")
if os.geteuid() == 0:
    os.setuid(65534)
store = Store.open()
name = store.conversations()[0].name
assert texts(store.path(name)) == ["What was it?", "It was this."]
turn(store, name, "And now?", "Now this.", 2)
assert texts(store.path(name)) == ["What was it?", "It was this.", "And now?", "Now this."]
assert len(store.search("this")) == 2
print(store.is_lasting, store.is_read_only, store.notices)
"""


@pytest.mark.parametrize("is_folder_closed", [True, False])
def test_a_history_that_may_only_be_read_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_folder_closed: bool
) -> None:
    monkeypatch.setenv("LLMCHAT_HOME", str(tmp_path))
    with opened() as store:
        turn(store, begun(store), "What was it?", "It was this.")
    before = history().read_bytes()
    history().chmod(0o444)
    history().parent.chmod(0o555 if is_folder_closed else 0o777)
    with open_to_all(tmp_path):
        child = python(READ_ONLY)
        told = child.communicate()[0].decode()
    assert child.returncode == 0
    why = f"{history().parent} cannot" if is_folder_closed else "it may not"
    assert told == f"False False ['{MEMORY}: {history()}: {why} be written']\n"
    assert history().read_bytes() == before


@contextmanager
def open_to_all(folder: Path) -> Iterator[None]:
    """Up to the root: another user may come by."""
    closed = [one for one in (folder, *folder.parents) if not one.stat().st_mode & 0o005]
    for one in closed:
        one.chmod(one.stat().st_mode | 0o055)
    try:
        yield
    finally:
        for one in closed:
            one.chmod(one.stat().st_mode & ~0o055)
        paths.data_folder().chmod(0o700)
