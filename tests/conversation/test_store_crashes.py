"""Processes that are killed while they write, and several that write at once."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from conftest import SCALE
from stored_turns import (
    WITH_JOURNAL,
    WITH_LOG,
    WRITING,
    ask,
    begun,
    history,
    opened,
    python,
    texts,
    told_at_once,
    turn,
)

from assistant.conversation import database, writers
from assistant.conversation.records import State, StoredMessage
from assistant.conversation.store import Store

KILLS = round(300 * SCALE)
PIECES = 5
# Writes turns as fast as it can, and says what is certainly kept by now: "q NUMBER" of a question,
# "p NUMBER PIECES" of what came of its answer, "a NUMBER" when that has ended.
STREAM = """
import os, sys
from stored_turns import ENDED, WRITING, ask, begun
from assistant.conversation.records import State
from assistant.conversation.store import Store
PIECES = 5
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
store = Store.open()
name = sys.argv[1] if len(sys.argv) > 1 else begun(store)
last, number = store.find(name).leaf, 0
say("name", name)
while True:
    asked = ask(store, name, f"question {os.getpid()} {number}", last)
    say("q", asked.number)
    message = store.begin_answer(name, asked.number, WRITING)
    say("p", message.number, 0)
    for piece in range(PIECES):
        store.append(name, message.number, f"<{number}.{piece}>", f"({number}.{piece})")
        say("p", message.number, piece + 1)
    text = "".join(f"<{number}.{piece}>" for piece in range(PIECES))
    thoughts = text.replace("<", "(").replace(">", ")")
    store.end_answer(name, message.number, State.COMPLETE, text, thoughts, ENDED)
    say("a", message.number)
    last, number = message.number, number + 1
"""
WAIT = """
import sys
from stored_turns import WRITING, ask, begun
from assistant.conversation.store import Store
store = Store.open()
name = begun(store)
message = store.begin_answer(name, ask(store, name, "?").number, WRITING)
store.append(name, message.number, "so far")
print(name, flush=True)
sys.stdin.readline()
"""
TURNS = round(400 * SCALE)
TALK = f"""
import sys
from stored_turns import begun, turn
from assistant.conversation.store import Store
print("ready", flush=True)
sys.stdin.readline()
store = Store.open()
name = sys.argv[1] if len(sys.argv) > 1 else begun(store)
for number in range({TURNS}):
    turn(store, name, f"question {{number}}", f"answer {{number}}", 0)
print(name, store.notices, flush=True)
"""


@pytest.fixture
def store() -> Iterator[Store]:
    with opened() as store:
        yield store


# ── killed ──────────────────────────────────────────────────────────────────────────────────


def test_a_killed_process_loses_nothing_that_was_kept() -> None:
    """Twenty processes go on with one conversation, then there is a new one."""
    random, name, total = Random(4), "", 0
    for kill in range(KILLS):
        child = python(STREAM, *([name] if kill % 20 else []))
        name, told = killed(child, random.uniform(0, 0.05))
        with opened() as store:
            assert store.notices == []
            check_what_is_kept(store, name, told)
            assert len(store.messages(name)) == store.find(name).messages
        total += len(told)
    assert total > 10 * KILLS
    with closing(sqlite3.connect(history())) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for index in ("words", "trigrams"):
            connection.execute(f"INSERT INTO {index} ({index}) VALUES ('integrity-check')")


def killed(child: "subprocess.Popen[bytes]", seconds: float) -> tuple[str, list[list[str]]]:
    """After it has streamed for so long: the conversation, and what it said that is kept."""
    assert child.stdout is not None
    name = child.stdout.readline().decode().split()[1]
    time.sleep(seconds)  # so that the kill comes anywhere
    child.kill()
    told = [line.split() for line in child.communicate()[0].decode().splitlines()]
    return name, told


def check_what_is_kept(store: Store, name: str, told: list[list[str]]) -> None:
    messages = {message.number: message for message in store.messages(name)}
    pieces: dict[int, int] = {}
    for line in told:
        number = int(line[1])
        match line[0]:
            case "q":
                assert messages[number].text.startswith("question ")
            case "p":
                pieces[number] = int(line[2])
            case "a":
                assert messages[number].state is State.COMPLETE
                pieces[number] = PIECES
    for message in messages.values():
        if message.text.startswith("question"):
            assert message.state is State.COMPLETE
            continue
        check_answer(message, pieces.get(message.number, 0))
        hits = [hit.message for hit in store.search(message.text)] if message.text else [message]
        assert message in hits


def check_answer(message: StoredMessage, least: int) -> None:
    """All its pieces once and in order, at least those that were said to be kept."""
    found = re.findall(r"<(\d+)\.(\d+)>", message.text)
    assert [int(piece) for _, piece in found] == list(range(len(found)))
    assert "".join(f"<{turn}.{piece}>" for turn, piece in found) == message.text
    assert message.text.replace("<", "(").replace(">", ")") == message.reasoning
    assert len(found) >= least
    if message.state is State.COMPLETE:
        assert len(found) == PIECES
    else:
        assert message.state is State.INTERRUPTED


# ── whose process lives ─────────────────────────────────────────────────────────────────────


def test_an_answer_whose_process_lives_is_left_alone() -> None:
    child = python(WAIT, is_asked=True)
    assert child.stdout is not None
    name = child.stdout.readline().decode().strip()
    for _ in range(2):
        with opened() as store:
            assert store.path(name)[-1].state is State.STREAMING
    child.communicate(b"go on\n")
    with opened() as store:
        assert store.path(name)[-1].text == "so far"
        assert store.path(name)[-1].state is State.INTERRUPTED


def being_written(store: Store, writer: str) -> str:
    """The name of a conversation with an answer that `writer` writes."""
    name = begun(store)
    message = store.begin_answer(name, ask(store, name, "?").number, WRITING)
    store.append(name, message.number, "so far")
    with closing(sqlite3.connect(history())) as connection, connection:
        connection.execute("UPDATE messages SET writer = ? WHERE writer <> ''", (writer,))
    return name


def test_a_process_that_got_the_number_of_a_dead_one_is_another(store: Store) -> None:
    boot, pid, start = writers.this_writer().split()
    name = being_written(store, f"{boot} {pid} {int(start) - 1}")
    with opened() as other:
        (_, seen) = other.path(name)
        assert (seen.state, seen.text) == (State.INTERRUPTED, "so far")
        assert [hit.message for hit in other.search("far")] == [seen]


def test_a_process_of_another_boot_is_dead(store: Store) -> None:
    _, pid, start = writers.this_writer().split()
    name = being_written(store, f"another-boot {pid} {start}")
    with opened() as other:
        assert other.path(name)[-1].state is State.INTERRUPTED


def test_a_zombie_is_dead(store: Store) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1)
    writer = writers._writer(child.pid)
    assert writers.is_writing(writer)
    name = being_written(store, writer)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with opened() as other:
        assert other.path(name)[-1].state is State.INTERRUPTED
    child.communicate()


@pytest.mark.parametrize(
    "writer", ["x", "x y", "x -1 2", "1 2 3 4", "x 99999999999999999999 1", "- 1"]
)
def test_what_names_no_process_is_dead(writer: str) -> None:
    assert not writers.is_writing(writer)


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="there is no ps")
def test_without_proc_ps_tells_which_process_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(writers, "PROCESSES", tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1)
    writer = writers._writer.__wrapped__(child.pid)
    assert writers.is_writing(writer)
    assert not writers.is_writing(f"{writer}x")
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not writers.is_writing(writer)
    child.communicate()
    assert not writers.is_writing(writer)


def test_an_answer_that_was_taken_for_dead_goes_on(store: Store) -> None:
    """Its process runs in a container, perhaps, where processes have other numbers."""
    name = being_written(store, "another-boot 1 1")
    with opened() as other:
        assert other.path(name)[-1].state is State.INTERRUPTED
    store.append(name, 2, " and on")
    assert store.path(name)[-1].state is State.STREAMING
    with opened() as other:
        assert other.path(name)[-1].text == "so far and on"
        assert other.path(name)[-1].state is State.STREAMING
        assert other.search("far") == []


# ── several at once ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("is_same", [True, False])
def test_processes_may_write_at_once(store: Store, is_same: bool) -> None:
    name = begun(store)
    turn(store, name, "first question", "first answer")
    children = [python(TALK, *([name] if is_same else []), is_asked=True) for _ in range(2)]
    told = [said.split(" ", 1) for said in told_at_once(*children)]
    assert [notices for _, notices in told] == ["[]\n"] * 2
    for one in {one for one, _ in told}:
        kept = store.messages(one)
        own = kept[2:] if is_same else kept
        assert [message.number for message in kept] == list(range(1, len(kept) + 1))
        answers = sorted(text for text in texts(own) if text.startswith("answer"))
        expected = [f"answer {number}" for number in range(TURNS)]
        assert answers == sorted(expected * (2 if is_same else 1))
        assert {message.state for message in kept} == {State.COMPLETE}
        for message in own:
            if message.parent:
                question = kept[message.parent - 1].text
                assert question.replace("question", "answer") == message.text
    assert len(store.search('"answer 7"', 1000)) == len(
        [
            t
            for one in {one for one, _ in told}
            for t in texts(store.messages(one))
            if "answer 7" in t
        ]
    )


def test_a_conversation_deleted_by_another_process_stays_deleted(store: Store) -> None:
    name = begun(store)
    message = store.begin_answer(name, ask(store, name, "?").number, WRITING)
    with opened() as other:
        other.delete([name])
    store.append(name, message.number, "late")
    store.end_answer(name, message.number, State.COMPLETE, "late", "", WRITING)
    assert store.conversations() == []
    assert store.search("late") == []
    assert (store.notices, store.is_lasting) == ([], True)


# ── with a write-ahead log ──────────────────────────────────────────────────────────────────


def test_where_it_is_sound_a_write_ahead_log_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with an older SQLite may come by while it is in use, or later."""
    monkeypatch.setattr(database, "FIRST_SOUND_WAL", WITH_JOURNAL)
    with opened() as older:
        name = begun(older)
        turn(older, name, "a", "b")
        with monkeypatch.context() as patch:
            patch.setattr(database, "FIRST_SOUND_WAL", WITH_LOG)
            with opened() as newer:  # while an older one has the file open
                turn(newer, name, "c", "d", 2)
                assert journal_mode() == "wal"
                turn(older, name, "e", "f", 4)
                assert len(newer.path(name)) == 6
        assert len(older.path(name)) == 6
        assert older.notices == []
    with monkeypatch.context() as patch:
        patch.setattr(database, "FIRST_SOUND_WAL", WITH_LOG)
        newer = Store.open()
    with closing(newer):
        turn(newer, name, "g", "h", 6)
        assert journal_mode() == "wal"
        with opened() as older:
            turn(older, name, "i", "j", 8)
        turn(newer, name, "k", "l", 10)
        assert journal_mode() == "wal"
        assert newer.notices == []
    with opened() as older:
        assert texts(older.path(name)) == list("abcdefghijkl")
        assert journal_mode() == "delete"
        assert older.notices == []


def test_a_killed_process_loses_nothing_in_a_write_ahead_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "FIRST_SOUND_WAL", WITH_LOG)
    program = (
        f"from assistant.conversation import database\ndatabase.FIRST_SOUND_WAL = (0,)\n{STREAM}"
    )
    random, name = Random(5), ""
    for _ in range(max(5, KILLS // 10)):
        child = python(program, *([name] if name else []))
        name, told = killed(child, random.uniform(0, 0.05))
        with opened() as store:
            assert store.notices == []
            check_what_is_kept(store, name, told)
            assert journal_mode() == "wal"


def journal_mode() -> str:
    """In the file: "wal", or "delete" for all others."""
    with closing(sqlite3.connect(history())) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
