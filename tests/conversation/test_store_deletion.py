"""What is deleted is nowhere: not in the tables, the indexes, the journals, or the copies."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from conftest import SCALE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from stored_turns import (
    ENDED,
    WITH_JOURNAL,
    WITH_LOG,
    WRITING,
    answer,
    ask,
    begun,
    files,
    history,
    opened,
    texts,
    turn,
)

from assistant.conversation import database, schema
from assistant.conversation.records import State
from assistant.conversation.search_index import fold
from assistant.conversation.store import Store
from assistant.errors import InputError

SECRETS = (
    "Qzxtitle",
    "Qzxquestion",
    "Qzxanswer",
    "Qzxreasoning",
    "Qzxattached",
    "Qzxname",
    "Qzxsummary",
    "Qzxstreaming",
    "Qzxmodel",
    "鑫龘",
    "麤靐",
    "Ökzümlaut",
)


@pytest.fixture(params=["journal", "log"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """With both kinds of journal, and other conversations that stay."""
    wanted = WITH_LOG if request.param == "log" else WITH_JOURNAL
    monkeypatch.setattr(database, "FIRST_SOUND_WAL", wanted)
    with opened() as store:
        for number in range(30):
            turn(store, begun(store), f"question {number}", f"answer {number} 中文")
        yield store


def with_secrets(store: Store) -> str:
    name = begun(store, "Qzxtitle")
    asked = ask(store, name, "Qzxquestion 鑫龘", Qzxname="Qzxattached " * 2000)
    writing = replace(WRITING, model="Qzxmodel")
    message = store.begin_answer(name, asked.number, writing)
    store.append(name, message.number, "Qzxstreaming " * 800, "Qzxreasoning " * 800)
    store.end_answer(name, 2, State.COMPLETE, "Qzxanswer 麤靐 " * 900, "Qzxreasoning", ENDED)
    store.add_summary(name, 2, "Qzxsummary Ökzümlaut", 2, None)
    store.begin_answer(name, 3, writing)
    store.append(name, 4, "Qzxstreaming")
    return name


def traces() -> list[str]:
    """Of the secrets in any file, whole, or the pieces of them that the indexes keep."""
    found = []
    for path in files():
        data = path.read_bytes()
        for secret in SECRETS:
            wanted = {secret, fold(secret), secret.lower(), *pieces(secret)}
            found += [f"{word} in {path.name}" for word in wanted if word.encode() in data]
    return found


def pieces(secret: str) -> set[str]:
    """Terms of an index stand without the beginning that they share with the one before."""
    folded = fold(secret)
    return {folded[1:], folded[2:]} if folded.isascii() else set(secret)


def test_it_is_in_the_files_before(store: Store) -> None:
    with_secrets(store)
    found = "\n".join(traces())
    assert all(secret in found for secret in SECRETS)


def test_nothing_is_left_of_what_was_deleted(store: Store) -> None:
    name = with_secrets(store)
    store.delete([name])
    assert traces() == []
    assert len(store.conversations()) == 30
    assert len(store.search("answer 中文", 100)) == 30
    with closing(sqlite3.connect(history())) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for index in ("words", "trigrams"):
            connection.execute(f"INSERT INTO {index} ({index}) VALUES ('integrity-check')")
            connection.execute(f"CREATE VIRTUAL TABLE {index}_seen USING fts5vocab({index}, row)")
            seen = {row[0] for row in connection.execute(f"SELECT term FROM {index}_seen")}
            assert not {term for term in seen if "qz" in term or term in "鑫龘麤靐"}
            connection.rollback()


def test_nothing_is_left_of_an_answer_that_was_cut_off(store: Store) -> None:
    name = with_secrets(store)
    with closing(sqlite3.connect(history())) as connection, connection:
        connection.execute("UPDATE messages SET writer = 'dead 1 1' WHERE writer <> ''")
    with opened() as other:
        assert other.path(name)[-1].state is State.INTERRUPTED
        other.delete([name])
    store.close()
    assert traces() == []


def test_nothing_is_left_of_several(store: Store) -> None:
    names = [with_secrets(store) for _ in range(5)]
    store.fork(names[0], 3)
    forks = [one.name for one in store.conversations() if one.fork_of]
    store.delete(names)
    assert traces() != []
    store.delete(forks)
    assert traces() == []


def test_nothing_is_left_in_copies_of_older_files(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = with_secrets(store)
    store.close()

    def second(connection: sqlite3.Connection, is_indexed: bool) -> None:
        connection.execute("CREATE TABLE colours (name TEXT)")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second))
    with opened() as again:
        assert any("bak-v1" in trace for trace in traces())
        again.delete([name])
        assert again.notices == []
    assert traces() == []
    assert not schema.backups_of(history())


def test_a_damaged_file_that_was_put_aside_is_pointed_out(store: Store) -> None:
    name = with_secrets(store)
    aside = history().with_name("history.db.corrupt-20260101T000000Z")
    shutil.copy(history(), aside)
    store.delete([name])
    assert store.notices == [f"{aside} may still hold what was deleted: remove it yourself"]
    assert aside.exists()


def test_a_reader_that_holds_the_log_is_told_of(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = with_secrets(store)
    is_log = history().with_name("history.db-wal").exists()
    if not is_log:
        return
    with closing(sqlite3.connect(history(), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM messages").fetchone()
        store._places.disk.database.wait_no_more()  # type: ignore[union-attr]
        store.delete([name])
        (notice,) = store.notices
        assert "history.db-wal, which other llmchats are reading" in notice
    store.close()
    assert traces() == []


def test_none_is_deleted_where_one_is_not_there(store: Store) -> None:
    name = with_secrets(store)
    with pytest.raises(InputError, match="no conversation 'missing'"):
        store.delete([name, "missing"])
    assert store.find(name).messages == 4


def test_numbers_may_be_used_again_after_deletion(store: Store) -> None:
    """Rows of the tables get the same ids; the indexes know nothing of the old ones."""
    name = with_secrets(store)
    store.delete([name])
    turn(store, begun(store), "new", "newer")
    assert store.search("qzx") == []
    assert len(store.search("new")) == 2


@settings(
    max_examples=round(200 * SCALE),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=5), st.integers(0, 4))
def test_nothing_is_left_whatever_the_lengths(lengths: list[int], which: int) -> None:
    if history().exists():
        for path in files():
            path.unlink()
    with opened() as store:
        names = []
        for number, length in enumerate(lengths):
            name = begun(store)
            word = f"Zqj{number}x"
            last = ask(store, name, f"{word} " * length, Zqfile=word * length)
            answer(store, name, last.number, f"{word} " * (length // 2), word * length)
            names.append(name)
        gone = which % len(names)
        store.delete([names[gone]])
        for path in files():
            assert not re.search(f"(?i)zqj{gone}x".encode(), path.read_bytes()), path
        for number, name in enumerate(names):
            if number != gone:
                assert texts(store.path(name))[0].startswith(f"Zqj{number}x " * lengths[number])
