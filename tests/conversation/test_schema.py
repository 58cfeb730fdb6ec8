"""Files that older and newer versions wrote, and how old ones get new tables."""

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from first_history import CONVERSATIONS
from stored_turns import (
    ask,
    begun,
    files,
    history,
    opened,
    python,
    texts,
    told_at_once,
    turn,
)

from assistant.conversation import schema

DATA = Path(__file__).parent / "data"
BACKUP = "history.db.bak-v1"
# A second version of the tables, which must be made once.
SECOND = """
from assistant.conversation import schema
def second(connection, is_indexed):
    connection.execute("ALTER TABLE conversations ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")
    connection.execute("UPDATE conversations SET title = title || '!'")
schema.MIGRATIONS = (*schema.MIGRATIONS, second)
"""
MIGRATE = (
    SECOND
    + """
import sys
from assistant.conversation.store import Store
print("ready", flush=True)
sys.stdin.readline()
store = Store.open()
print(store.notices, store.is_lasting, [one.title for one in store.conversations()], flush=True)
"""
)


@pytest.fixture
def old_file() -> Path:
    """The history of this home was written by the first version."""
    history().parent.mkdir(parents=True)
    return Path(shutil.copy(DATA / "history-v1.db", history()))


@pytest.fixture
def second_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS)  # and back again
    exec(SECOND)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_there_is_a_file_of_every_version() -> None:
    found = {path.name for path in DATA.glob("history-v*.db")}
    assert found == {f"history-v{n + 1}.db" for n in range(len(schema.MIGRATIONS))}
    for number in range(len(schema.MIGRATIONS)):
        path = DATA / f"history-v{number + 1}.db"
        assert rows(path, "PRAGMA user_version") == [(number + 1,)]


def test_the_first_version_is_read_as_it_was_written(old_file: Path) -> None:
    with opened() as store:
        assert store.notices == []
        assert store.conversations() == [conversation for conversation, _ in CONVERSATIONS]
        for conversation, messages in CONVERSATIONS:
            assert store.messages(conversation.name) == list(messages)
        assert texts(store.path("k7m2q")) == ["How do I sort?", *texts_of(2, 3, 5)]
        for query in ("sorted(x)", "中文", "sort.py", "🎉", '"how do"'):
            assert store.search(query), query
        assert store.stats().tokens_written == 9
        store.delete(["k7m2q"])
        turn(store, begun(store), "still", "works")


def texts_of(*numbers: int) -> list[str]:
    return [CONVERSATIONS[0][1][number - 1].text for number in numbers]


def test_a_new_file_has_the_tables_of_an_old_one(old_file: Path) -> None:
    query = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    with opened():
        old = rows(history(), query)
    old_file.unlink()
    with opened():
        assert rows(history(), query) == old
    assert len(old) > 10


def test_a_new_file_needs_no_copy() -> None:
    with opened() as store:
        ask(store, begun(store), "?")
    assert {path.name for path in files()} <= {"history.db", "history.db-journal"}


@pytest.mark.usefixtures("second_version")
def test_a_copy_is_kept_of_a_file_that_gets_new_tables(old_file: Path) -> None:
    before = old_file.read_bytes()
    with opened() as store:
        assert store.notices == []
        assert [one.title for one in store.conversations()] == ["Sorting, 排序!", "!"]
        assert store.messages("k7m2q") == list(CONVERSATIONS[0][1])
    assert rows(history(), "PRAGMA user_version") == [(2,)]
    backup = history().with_name(BACKUP)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert rows(backup, "PRAGMA user_version") == [(1,)]
    shutil.copy(backup, history())
    assert rows(history(), "SELECT title FROM conversations") == [("Sorting, 排序",), ("",)]
    assert len(backup.read_bytes()) == len(before)


@pytest.mark.usefixtures("second_version")
def test_a_file_that_has_them_already_is_left_alone(old_file: Path) -> None:
    with opened():
        pass
    history().with_name(BACKUP).unlink()
    with opened() as store:
        assert store.find("k7").title == "Sorting, 排序!"
    assert not history().with_name(BACKUP).exists()


def test_two_processes_may_make_new_tables_at_once(old_file: Path) -> None:
    answers = told_at_once(*[python(MIGRATE, is_asked=True) for _ in range(4)])
    assert answers == ["[] True ['Sorting, 排序!', '!']\n"] * 4
    backup = history().with_name(BACKUP)
    assert rows(backup, "PRAGMA user_version") == [(1,)]
    assert rows(backup, "SELECT title FROM conversations") == [("Sorting, 排序",), ("",)]
    assert [path.name for path in files() if "bak" in path.name] == [BACKUP]


def test_two_processes_may_make_the_file_at_once() -> None:
    assert told_at_once(*[python(MIGRATE, is_asked=True) for _ in range(4)]) == ["[] True []\n"] * 4
    assert not [path.name for path in files() if "bak" in path.name]


def test_tables_that_cannot_be_made_leave_the_old_ones(
    old_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(connection: sqlite3.Connection, is_indexed: bool) -> None:
        connection.execute("DELETE FROM messages")
        connection.execute("DELETE FROM nowhere")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, half))
    with opened() as store:
        (notice,) = store.notices
        assert notice.startswith("new messages are kept in memory only: ")
        assert notice.endswith("history.db: no such table: nowhere")
        assert (store.is_lasting, store.is_read_only) == (False, False)
        assert store.messages("k7m2q") == list(CONVERSATIONS[0][1])
    assert rows(history(), "SELECT count(*) FROM messages") == [(5,)]
    assert rows(history(), "PRAGMA user_version") == [(1,)]


def test_a_file_of_a_newer_version_is_only_read(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as connection:
        connection.execute("ALTER TABLE messages ADD COLUMN mood TEXT")
        connection.execute("PRAGMA user_version = 99")
    before = old_file.read_bytes()
    with opened() as store:
        assert store.notices == [
            f"new messages are kept in memory only: {old_file} was written by a newer "
            "llmchat and is only read"
        ]
        assert (store.is_lasting, store.is_read_only) == (False, True)
        assert store.messages("k7m2q") == list(CONVERSATIONS[0][1])
        assert len(store.search("sorted(x)")) == 1
        new = turn(store, "k7m2q", "And now?", "Now this.", 3)
        assert texts(store.path("k7m2q")) == [
            "How do I sort?",
            *texts_of(2, 3),
            "And now?",
            new.text,
        ]
        assert [hit.message.text for hit in store.search("now")] == ["Now this.", "And now?"]
        assert len(store.search("sorted(x)")) == 1
        assert [one.name for one in store.conversations()] == ["k7m2q", "x0000"]
        assert len(store.notices) == 1
    assert old_file.read_bytes() == before


def test_a_newer_file_that_cannot_be_understood_is_left_alone(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as connection:
        connection.execute("ALTER TABLE messages RENAME COLUMN parent TO before")
        connection.execute("PRAGMA user_version = 99")
    before = old_file.read_bytes()
    with opened() as store:
        assert store.is_read_only
        name = begun(store)
        turn(store, name, "a", "b")
        assert texts(store.path(name)) == ["a", "b"]
        assert store.search("sorted") == []
        assert store.conversations()[0].name == name
    assert old_file.read_bytes() == before
