"""Conversations and messages in the tables of one database: what is asked of them, in SQL.

The caller has begun the transaction, or reads. What there is not is None, or nothing.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

from assistant.conversation import search_index
from assistant.conversation.cells import (
    attached_names,
    conversation_of,
    encoded,
    message_of,
    searched,
    tokens_of,
)
from assistant.conversation.database import Database
from assistant.conversation.records import Conversation, Kind, State, StoredMessage, Writing
from assistant.conversation.search_index import Term
from assistant.conversation.whole_characters import whole_characters

CONVERSATION = (
    "SELECT name, title, folder, first_day, created, updated,"
    " (SELECT count(*) FROM messages WHERE conversation = conversations.id),"
    " leaf, fork_of FROM conversations"
)
MESSAGE_COLUMNS = "number, parent, kind, state, text, created, content, reasoning, writing, covers"
MESSAGE = f"SELECT {MESSAGE_COLUMNS} FROM messages"  # noqa: S608 # columns of ours
OF = "conversation = (SELECT id FROM conversations WHERE name = ?)"
BRANCH = f"""
WITH RECURSIVE branch (at) AS (
    SELECT ?2
    UNION ALL
    SELECT parent FROM messages JOIN branch ON number = at AND parent < at
    WHERE conversation = (SELECT id FROM conversations WHERE name = ?1)
)
SELECT {MESSAGE_COLUMNS} FROM branch JOIN messages ON number = at
WHERE conversation = (SELECT id FROM conversations WHERE name = ?1) ORDER BY number
"""  # noqa: S608 # columns of ours
LARGEST_NUMBER = 2**62


class Tables:
    """Those of one connection; `is_indexed`: with the search's indexes.

    A message is in the indexes exactly while nobody is writing it.
    """

    def __init__(self, database: Database, *, is_indexed: bool) -> None:
        self.database = database
        self.is_indexed = is_indexed
        self._connection = database.connection

    # ── conversations ───────────────────────────────────────────────────────────────────────

    def conversation(self, name: str) -> Conversation | None:
        row = self._connection.execute(f"{CONVERSATION} WHERE name = ?", (name,)).fetchone()
        return conversation_of(row) if row else None

    def latest(self) -> Conversation | None:
        return next(iter(self.conversations(1, 0)), None)

    def conversations(self, limit: int, offset: int) -> list[Conversation]:
        """Newest first; a limit of -1 is none."""
        rows = self._connection.execute(
            f"{CONVERSATION} ORDER BY updated DESC, id DESC LIMIT ? OFFSET ?", (limit, offset)
        )
        return [conversation_of(row) for row in rows]

    def names(self, beginning: str = "") -> list[str]:
        rows = self._connection.execute(
            "SELECT name FROM conversations WHERE substr(name, 1, ?) = ? ORDER BY updated DESC",
            (len(beginning), beginning),
        )
        return [row[0] for row in rows]

    def insert_conversation(self, conversation: Conversation) -> None:
        self._connection.execute(
            "INSERT INTO conversations"
            " (name, title, folder, first_day, created, updated, leaf, fork_of)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                conversation.name,
                whole_characters(conversation.title),
                whole_characters(conversation.folder),
                conversation.first_day.isoformat(),
                conversation.created,
                conversation.updated,
                conversation.leaf,
                conversation.fork_of,
            ),
        )

    def rename(self, name: str, title: str) -> None:
        self._connection.execute(
            "UPDATE conversations SET title = ? WHERE name = ?", (whole_characters(title), name)
        )

    def set_leaf(self, name: str, number: int, updated: float | None = None) -> None:
        self._connection.execute(
            "UPDATE conversations SET leaf = ?, updated = coalesce(?, updated) WHERE name = ?",
            (number, updated, name),
        )

    def touch(self, name: str) -> None:
        self._connection.execute(
            "UPDATE conversations SET updated = ? WHERE name = ?", (time.time(), name)
        )

    def delete(self, name: str) -> None:
        """With its messages; the indexes hold their words until `forget_removed`."""
        if self.is_indexed:
            rows = self._connection.execute(
                f"SELECT id, text, names FROM messages WHERE {OF} AND writer = ''",  # noqa: S608
                (name,),
            ).fetchall()
            for row, text, names in rows:
                search_index.remove(self._connection, row, searched(text, names))
        self._connection.execute("DELETE FROM conversations WHERE name = ?", (name,))

    # ── messages ────────────────────────────────────────────────────────────────────────────

    def message(self, name: str, number: int) -> StoredMessage | None:
        if not 0 < number < LARGEST_NUMBER:
            return None
        row = self._connection.execute(
            f"{MESSAGE} WHERE {OF} AND number = ?", (name, number)
        ).fetchone()
        return message_of(row) if row else None

    def messages(self, name: str) -> list[StoredMessage]:
        rows = self._connection.execute(f"{MESSAGE} WHERE {OF} ORDER BY number", (name,))
        return [message_of(row) for row in rows]

    def branch(self, name: str, number: int) -> list[StoredMessage]:
        """From the root to `number`."""
        return [message_of(row) for row in self._connection.execute(BRANCH, (name, number))]

    def versions(self, name: str, parent: int, kind: Kind) -> list[int]:
        rows = self._connection.execute(
            f"SELECT number FROM messages WHERE {OF} AND parent = ? AND kind = ? ORDER BY number",  # noqa: S608
            (name, parent, kind.value),
        )
        return [row[0] for row in rows]

    def next_number(self, name: str) -> int:
        row = self._connection.execute(
            f"SELECT coalesce(max(number), 0) + 1 FROM messages WHERE {OF}",  # noqa: S608
            (name,),
        ).fetchone()
        return int(row[0])

    def insert_message(self, name: str, message: StoredMessage, writer: str = "") -> None:
        """`writer`: the process that is writing it."""
        names = attached_names(message.content)
        read, written = tokens_of(message.writing)
        cursor = self._connection.execute(
            "INSERT INTO messages (conversation, number, parent, kind, state, text, created,"
            " covers, names, reasoning, content, writing, writer, tokens_read, tokens_written)"
            " VALUES ((SELECT id FROM conversations WHERE name = ?),"
            " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                name,
                message.number,
                message.parent,
                message.kind.value,
                message.state.value,
                message.text,
                message.created,
                message.covers,
                names,
                message.reasoning,
                encoded(message.content or None),
                encoded(message.writing),
                writer,
                read,
                written,
            ),
        )
        assert cursor.lastrowid is not None
        if not writer:
            self._index(cursor.lastrowid, searched(message.text, names))

    def extend(self, name: str, number: int, text: str, reasoning: str, writer: str) -> None:
        """Of a message that was thought to be cut off it is known now that it goes on."""
        self._revive(name, number, writer)
        self._connection.execute(
            f"UPDATE messages SET text = text || ?, reasoning = reasoning || ?"  # noqa: S608
            f" WHERE {OF} AND number = ?",
            (text, reasoning, name, number),
        )

    def end(
        self, name: str, number: int, state: State, text: str, reasoning: str, writing: Writing
    ) -> None:
        """From now on this is the message."""
        self._revive(name, number, "-")
        self._connection.execute(
            "UPDATE messages SET state = ?, text = ?, reasoning = ?, writing = ?, writer = '',"  # noqa: S608
            f" tokens_read = ?, tokens_written = ? WHERE {OF} AND number = ?",
            (state.value, text, reasoning, encoded(writing), *tokens_of(writing), name, number),
        )
        if found := self._row(name, number):
            self._index(found[0], searched(found[1], found[2]))

    def writers(self) -> list[str]:
        """Of all messages that are being written."""
        rows = self._connection.execute("SELECT DISTINCT writer FROM messages WHERE writer <> ''")
        return [row[0] for row in rows]

    def interrupt(self, writer: str) -> None:
        """What it was writing stays as it is."""
        its = "writer = ? AND writer <> ''"  # as in the index
        rows = self._connection.execute(
            f"SELECT id, text, names FROM messages WHERE {its}",  # noqa: S608
            (writer,),
        ).fetchall()
        self._connection.execute(
            f"UPDATE messages SET state = ?, writer = '' WHERE {its}",  # noqa: S608
            (State.INTERRUPTED.value, writer),
        )
        for row, text, names in rows:
            self._index(row, searched(text, names))

    def index_all(self) -> None:
        """Into empty indexes."""
        rows = self._connection.execute("SELECT id, text, names FROM messages WHERE writer = ''")
        for row, text, names in rows:
            self._index(row, searched(text, names))

    # ── searching and counting ──────────────────────────────────────────────────────────────

    def search(self, terms: Sequence[Term]) -> Generator[tuple[str, StoredMessage], None, None]:
        """Names of conversations, and messages in which all terms occur; the last added first."""
        for row in self._candidates(terms):
            cells = self._connection.execute(
                "SELECT text, names, writer FROM messages WHERE id = ?",
                (row,),
            ).fetchone()
            if cells is None or cells[2]:
                continue
            text = search_index.fold(searched(cells[0], cells[1]))
            if all(term.text in text for term in terms):
                name, *found = self._connection.execute(
                    "SELECT (SELECT name FROM conversations WHERE id = conversation),"  # noqa: S608
                    f" {MESSAGE_COLUMNS} FROM messages WHERE id = ?",
                    (row,),
                ).fetchone()
                yield name, message_of(found)

    def _candidates(self, terms: Sequence[Term]) -> Iterator[int]:
        if not self.is_indexed:
            return self._all_rows()
        found = search_index.candidates(self._connection, terms)
        return self._rows_with(terms[0].text) if found is None else found

    def _all_rows(self) -> Iterator[int]:
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()
        yield from range(last, 0, -1)

    def _rows_with(self, signs: str) -> Iterator[int]:
        """Or with other characters than those of ASCII: folding may make any signs of them."""
        cursor = self._connection.execute(
            "SELECT id FROM messages WHERE instr(text, ?1) OR instr(names, ?1)"
            " OR length(text) <> length(CAST(text AS BLOB))"
            " OR length(names) <> length(CAST(names AS BLOB)) ORDER BY id DESC",
            (signs,),
        )
        with closing(cursor):
            for (row,) in cursor:
                yield row

    def counts(self) -> tuple[int, int, int, int, int]:
        """Conversations, messages, bytes of their texts, tokens read and written."""
        (conversations,) = self._connection.execute("SELECT count(*) FROM conversations").fetchone()
        row = self._connection.execute(
            "SELECT count(*), coalesce(sum(length(CAST(text AS BLOB))), 0),"
            " coalesce(sum(tokens_read), 0), coalesce(sum(tokens_written), 0) FROM messages"
        ).fetchone()
        return conversations, *row

    # ── the indexes ─────────────────────────────────────────────────────────────────────────

    def _index(self, row: int, text: str) -> None:
        if self.is_indexed:
            search_index.add(self._connection, row, text)

    def _revive(self, name: str, number: int, writer: str) -> None:
        """Out of the indexes, if somebody thought that its writer is dead."""
        found = self._row(name, number)
        if found is None or found[3]:
            return
        if self.is_indexed:
            search_index.remove(self._connection, found[0], searched(found[1], found[2]))
        self._connection.execute(
            "UPDATE messages SET state = ?, writer = ? WHERE id = ?",
            (State.STREAMING.value, writer, found[0]),
        )

    def _row(self, name: str, number: int) -> tuple[int, str, str, str] | None:
        """Id, text, names and writer."""
        row: tuple[int, str, str, str] | None = self._connection.execute(
            f"SELECT id, text, names, writer FROM messages WHERE {OF} AND number = ?",  # noqa: S608
            (name, number),
        ).fetchone()
        return row
