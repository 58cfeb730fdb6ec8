"""The conversations that are kept: all that the rest of llmchat knows of the history.

Nothing is overwritten: an answer that is written again, or a question that is changed, is another
message with the same parent. What the disk refuses is kept in memory until the process ends.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assistant import paths
from assistant.conversation import known_names, listing, searching, writers
from assistant.conversation.new_messages import (
    new_message,
    not_streaming,
    storable,
    storable_writing,
)
from assistant.conversation.records import (
    Conversation,
    HistoryStats,
    Hit,
    Kind,
    State,
    StoredMessage,
    Writing,
)
from assistant.conversation.whole_characters import whole_characters
from assistant.errors import InputError
from assistant.messages import Message

if TYPE_CHECKING:
    from assistant.conversation.places import Places
    from assistant.conversation.tables import Tables

FILE = "history.db"


class Store:
    """Thread-safe. `name` is a conversation's everywhere, `number` a message's in it.

    `InputError` comes out where there is no such conversation or message, and what the disk
    does wrong never, except where that is said: `notices` tells it, one sentence each.
    """

    def __init__(self, places: "Places") -> None:
        self._places = places

    @classmethod
    def open(cls, path: Path | None = None) -> "Store":
        """Whatever is wrong with the place: then there is a notice, and memory."""
        from assistant.conversation import opening, places  # with sqlite3 they take 6 ms

        return cls(places.Places(opening.open_file(path or paths.data_folder() / FILE)))

    @classmethod
    def in_memory(cls) -> "Store":
        """For who wants nothing kept."""
        from assistant.conversation import places  # as above

        return cls(places.Places(None))

    @property
    def notices(self) -> list[str]:
        return self._places.notices

    @property
    def is_lasting(self) -> bool:
        """Whether what is written now is there after this process."""
        return self._places.is_lasting

    @property
    def is_read_only(self) -> bool:
        """A newer llmchat wrote it: new things are kept in memory."""
        return self._places.is_read_only

    def close(self) -> None:
        self._places.close()

    # ── conversations ───────────────────────────────────────────────────────────────────────

    def begin(self, title: str, folder: str, first_day: date) -> Conversation:
        now = time.time()
        with self._places.guard:
            name = known_names.new_name(self._places)
            title, folder = whole_characters(title), whole_characters(folder)
            conversation = Conversation(name, title, folder, first_day, now, now)
            self._places.begin(conversation)
            self._places.copies.keep(name, conversation)
            return conversation

    def latest(self) -> Conversation | None:
        """The one that was used last."""
        return next(iter(self.conversations(1)), None)

    def find(self, word: str) -> Conversation:
        """By its name, or a beginning that no other name has."""
        with self._places.guard:
            return known_names.find_meant(self._places, word)

    def conversations(self, limit: int | None = None, offset: int = 0) -> list[Conversation]:
        """Those that were used last come first."""
        return listing.conversations(self._places, limit, offset)

    def rename(self, name: str, title: str) -> None:
        """Raises `InputError` where the disk refuses, too."""
        with self._places.guard:
            conversation = self._conversation(name)
            self._places.write(name, lambda tables: tables.rename(name, title), must_last=True)
            self._places.copies.keep(name, replace(conversation, title=title))

    def fork(self, name: str, number: int) -> Conversation:
        """A new conversation with the messages that lead to this one, and their numbers."""
        with self._places.guard:
            old, messages = self._conversation(name), self.path(name, number)
            now = time.time()
            new = replace(
                old,
                name=known_names.new_name(self._places),
                created=now,
                updated=now,
                messages=len(messages),
                leaf=number,
                fork_of=f"{name}.{number}",
            )
            return self._insert(new, [not_streaming(message) for message in messages])

    def delete(self, names: Sequence[str]) -> None:
        """Nothing of them stays in the file, or in the copies made when it changed its form.

        Raises `InputError`, and deletes none, where there is no such conversation or the disk
        refuses.
        """
        with self._places.guard:
            for name in names:
                self._conversation(name)
            self._places.delete(names)

    def add_whole(
        self, conversation: Conversation, messages: Sequence[StoredMessage]
    ) -> Conversation:
        """As it is, with its name and numbers; once, however often it comes.

        Raises `InputError` where another conversation has that name, or the disk refuses.
        """
        stored = [storable(not_streaming(message)) for message in messages]
        with self._places.guard:
            name = conversation.name
            known = known_names.find_named(self._places, name)
            if known is not None:
                if self.messages(name) == sorted(stored, key=lambda message: message.number):
                    return known
                raise _name_is_taken(name)
            return self._insert(conversation, stored, must_last=True)

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is written meanwhile is kept, or nothing. Raises `InputError`."""
        with self._places.together():
            yield

    # ── messages ────────────────────────────────────────────────────────────────────────────

    def path(self, name: str, leaf: int | None = None) -> list[StoredMessage]:
        """From the first message to `leaf`, without which the current branch."""
        with self._places.guard:
            conversation = self._conversation(name)
            end = conversation.leaf if leaf is None else leaf
            if not end:
                return []
            self._message(name, end)
            messages = self._places.read(name, lambda tables: tables.branch(name, end)) or []
            self._places.copies.keep(name, conversation, messages)
            return messages

    def messages(self, name: str) -> list[StoredMessage]:
        """All versions, by number."""
        with self._places.guard:
            self._conversation(name)
            return self._places.read(name, lambda tables: tables.messages(name)) or []

    def versions(self, name: str, number: int) -> list[int]:
        """The numbers of those that stand in the same place, this one among them."""
        with self._places.guard:
            it = self._message(name, number)
            found = self._places.read(name, lambda t: t.versions(name, it.parent, it.kind))
            return found or [number]

    def set_leaf(self, name: str, number: int) -> None:
        """The current branch ends there; 0: before the first message."""
        with self._places.guard:
            if number:
                self._message(name, number)
            conversation = self._conversation(name)
            self._places.write(name, lambda tables: tables.set_leaf(name, number))
            self._places.copies.keep(name, replace(conversation, leaf=number))

    def add_question(
        self, name: str, parent: int, text: str, content: tuple[Message, ...]
    ) -> StoredMessage:
        """Becomes the leaf."""
        message = new_message(parent, Kind.QUESTION, State.COMPLETE, text, content=content)
        return self._add(name, message)

    def begin_answer(self, name: str, parent: int, writing: Writing) -> StoredMessage:
        """Becomes the leaf. This process is known to write it until `end_answer`."""
        message = new_message(parent, Kind.ANSWER, State.STREAMING, "", writing=writing)
        return self._add(name, message)

    def append(self, name: str, number: int, text: str, reasoning: str = "") -> None:
        """What arrived. Of a conversation that was deleted meanwhile nothing is kept."""
        text, reasoning = whole_characters(text), whole_characters(reasoning)
        writer = writers.this_writer()
        with self._places.guard, suppress(InputError):
            self._places.write(
                name,
                lambda tables: tables.extend(name, number, text, reasoning, writer),
                may_be_lost=True,
            )
            self._places.copies.extend(name, number, text, reasoning)

    def end_answer(
        self, name: str, number: int, state: State, text: str, reasoning: str, writing: Writing
    ) -> None:
        """All of it, and how it ended. Of a deleted conversation nothing is kept."""

        def end(tables: "Tables") -> StoredMessage | None:
            tables.end(name, number, state, text, reasoning, writing)
            tables.touch(name)
            return tables.message(name, number)

        text, reasoning = whole_characters(text), whole_characters(reasoning)
        writing = storable_writing(writing)
        with self._places.guard, suppress(InputError):
            ended = self._places.write(name, end)
            self._places.copies.keep(name, messages=[ended] if ended else [])

    def add_summary(
        self, name: str, parent: int, text: str, covers: int, writing: Writing | None
    ) -> StoredMessage:
        """Of all up to the message `covers`, in the place of any summary before it; what was said
        after that message stays. Becomes the leaf."""
        message = new_message(
            parent, Kind.SUMMARY, State.COMPLETE, text, writing=writing, covers=covers
        )
        return self._add(name, message)

    # ── finding and counting ────────────────────────────────────────────────────────────────

    def search(self, query: str, limit: int = 50) -> list[Hit]:
        """Messages in which all terms occur; of many those that were kept last. Newest first.

        Terms stand between blanks or in quotes. Neither case nor accents count. One of one or two
        letters has to be a word of its own. Raises `InputError` for a query without any.
        """
        return searching.search(self._places, query, limit)

    def stats(self) -> HistoryStats:
        """What a moved conversation has left on the disk is counted twice."""
        return listing.stats(self._places)

    # ── pieces ──────────────────────────────────────────────────────────────────────────────

    def _insert(
        self,
        conversation: Conversation,
        messages: Sequence[StoredMessage],
        *,
        must_last: bool = False,
    ) -> Conversation:
        name = conversation.name

        def insert(tables: "Tables") -> Conversation:
            if tables.conversation(name) is not None:  # by another process, since we looked
                raise _name_is_taken(name)
            tables.insert_conversation(conversation)
            for message in messages:
                tables.insert_message(name, message)
            inserted = tables.conversation(name)
            assert inserted is not None
            return inserted

        new = self._places.write(name, insert, is_new=True, must_last=must_last)
        self._places.copies.keep(name, new, messages)
        return new

    def _add(self, name: str, message: StoredMessage) -> StoredMessage:
        """With the next number, as the leaf."""

        def add(tables: "Tables") -> tuple[StoredMessage, Conversation | None]:
            if tables.conversation(name) is None:
                raise known_names.no_conversation(name)
            if message.parent and tables.message(name, message.parent) is None:
                raise known_names.no_message(name, message.parent)
            new = replace(message, number=tables.next_number(name))
            writer = writers.this_writer() if message.state is State.STREAMING else ""
            tables.insert_message(name, new, writer)
            tables.set_leaf(name, new.number, message.created)
            return new, tables.conversation(name)

        with self._places.guard:
            message = storable(message)
            new, conversation = self._places.write(name, add)
            self._places.copies.keep(name, conversation, [new])
            return new

    def _conversation(self, name: str) -> Conversation:
        found = known_names.find_named(self._places, name)
        if found is None:
            raise known_names.no_conversation(name)
        return found

    def _message(self, name: str, number: int) -> StoredMessage:
        self._conversation(name)
        found = self._places.read(name, lambda tables: tables.message(name, number))
        if found is None:
            raise known_names.no_message(name, number)
        return found


def _name_is_taken(name: str) -> InputError:
    return InputError(
        f"there is another conversation {name} already", f"llmchat history show {name}"
    )
