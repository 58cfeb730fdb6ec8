"""The two places of conversations, disk and memory, and how one moves from the first to the other.

A write that the disk refuses is said once; from then on everything new goes into memory, and what
is on the disk is still read as far as that can be done. Thread-safe.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from assistant.conversation import opening, search_index
from assistant.conversation.copies import Copies
from assistant.conversation.database import Database
from assistant.conversation.known_names import no_conversation
from assistant.conversation.opening import OpenedFile
from assistant.conversation.records import Conversation, StoredMessage
from assistant.conversation.schema import create_in_memory
from assistant.conversation.storage_fault import StorageFault
from assistant.conversation.tables import Tables
from assistant.errors import InputError

T = TypeVar("T")


class Places:
    """`opened` None: memory alone, as the user wants it."""

    def __init__(self, opened: OpenedFile | None) -> None:
        self.guard = threading.RLock()
        self.notices = [] if opened is None else opened.notices
        self._opened = opened
        database = opened and opened.database
        self.disk = Tables(database, is_indexed=True) if database else None
        self._memory: Tables | None = None
        self.copies = Copies()
        self._begun: dict[str, Conversation] = {}  # nothing was said in them yet
        self._is_together = False
        self._is_failing = False  # the disk, and the user was told

    @property
    def is_lasting(self) -> bool:
        return self._opened is not None and self._opened.may_write

    @property
    def is_read_only(self) -> bool:
        return self._opened is not None and self._opened.is_newer

    def close(self) -> None:
        with self.guard:
            for tables in self._all():
                tables.database.close()
            self.disk = self._memory = None

    # ── reading ─────────────────────────────────────────────────────────────────────────────

    def read(self, name: str, work: Callable[[Tables], T]) -> T | None:
        """`work` where the conversation lives; None when nothing can be read there."""
        with self.guard:
            self._write_begun(name)
            tables = self._memory if self._is_in_memory(name) else self.disk
            if tables is None:
                return None
            try:
                with tables.database.reading():
                    return work(tables)
            except StorageFault as fault:
                self._give_up(fault)
                return work(self._moved(name)) if name in self.copies else None

    def read_everywhere(self, work: Callable[[Tables], T]) -> list[T]:
        """Of the disk first; where nothing can be read there is nothing."""
        with self.guard:
            self._write_begun(*self._begun)
            found = (self._read(tables, work) for tables in self._all())
            return [one for one in found if one is not None]

    def is_moved(self, tables: Tables, name: str) -> bool:
        """Whether what `tables` hold of it is old, because it lives in memory now."""
        return tables is self.disk and self._is_in_memory(name)

    def sizes(self) -> tuple[int, int]:
        """Bytes of the file, and of the search's indexes in it."""
        with self.guard:
            if self._opened is None or self.disk is None:
                return 0, 0
            disk = self.disk
            index = self._read(disk, lambda _: search_index.size_bytes(disk.database.connection))
            return opening.size_bytes(self._opened.path), index or 0

    # ── writing ─────────────────────────────────────────────────────────────────────────────

    def begin(self, conversation: Conversation) -> None:
        """It is written together with its first message, which spares a wait for the disk."""
        with self.guard:
            self._begun[conversation.name] = conversation

    def write(
        self,
        name: str,
        work: Callable[[Tables], T],
        *,
        is_new: bool = False,
        may_be_lost: bool = False,
        must_last: bool = False,
    ) -> T:
        """`work` in one transaction, on the disk if that can be.

        `is_new`: it makes the conversation. `may_be_lost`: by a power cut. Where it `must_last`,
        raises `InputError` rather than writing into memory; also when there is no such
        conversation.
        """

        with self.guard:
            begun = self._begun.get(name)
            while True:
                is_unknown = is_new or begun is not None
                tables = self._place_of(name, is_new=is_unknown, must_last=must_last)
                try:
                    with tables.database.transaction(may_be_lost=may_be_lost):
                        if begun is not None:
                            tables.insert_conversation(begun)
                        done = work(tables)
                except StorageFault as fault:
                    if self._is_together or tables is not self.disk:
                        raise
                    self._give_up(fault)  # and then into memory
                else:
                    self._begun.pop(name, None)
                    return done

    def _write_begun(self, *names: str) -> None:
        for name in self._begun.keys() & set(names):
            self.write(name, lambda _: None)

    def delete(self, names: Sequence[str]) -> None:
        """From both. Raises `InputError` when the disk refuses; all of them are there then."""
        with self.guard:
            if self.disk is not None:
                self._delete_from(self.disk, names)
            if self._memory is not None:
                with self._memory.database.transaction():
                    for name in names:
                        self._memory.delete(name)
            for name in names:
                self.copies.forget(name)

    def _delete_from(self, disk: Tables, names: Sequence[str]) -> None:
        assert self._opened is not None
        try:
            with disk.database.reading():
                if not any(disk.conversation(name) for name in names):
                    return
            if self.is_read_only:
                raise self._refusal()
            with disk.database.transaction() as connection:
                for name in names:
                    disk.delete(name)
                search_index.forget_removed(connection)
            if not disk.database.empty_journal():
                self.notices.append(
                    f"what was deleted is still in {self._opened.path}-wal, which other llmchats "
                    "are reading: it is gone when they end"
                )
            opening.remove_backups(self._opened)
        except StorageFault as fault:
            self._give_up(fault)
            raise self._refusal(fault.reason) from fault

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is written meanwhile is kept, or nothing. Raises `InputError`."""
        with self.guard:
            if self._opened is None:
                yield
                return
            if not self.is_lasting or self.disk is None:
                raise self._refusal()
            self._is_together = True
            try:
                with self.disk.database.transaction():
                    yield
            except StorageFault as fault:
                self._give_up(fault)
                raise self._refusal(fault.reason) from fault
            finally:
                self._is_together = False

    def _place_of(self, name: str, *, is_new: bool, must_last: bool) -> Tables:
        """See `write`."""
        if self._is_in_memory(name):
            return self._in_memory()
        if self.is_lasting and self.disk is not None:
            return self.disk
        if must_last and self._opened is not None:
            raise self._refusal()
        return self._in_memory() if is_new else self._moved(name)

    # ── the move ────────────────────────────────────────────────────────────────────────────

    def _moved(self, name: str) -> Tables:
        """Memory, with the conversation in it. Raises `InputError` if there is none."""
        memory = self._in_memory()
        if memory.conversation(name) is None:
            conversation, messages = self._known(name)
            with memory.database.transaction():
                memory.insert_conversation(conversation)
                for message in messages:
                    memory.insert_message(name, message)
        return memory

    def _known(self, name: str) -> tuple[Conversation, list[StoredMessage]]:
        if self.disk is not None:
            try:
                with self.disk.database.reading():
                    conversation = self.disk.conversation(name)
                    messages = self.disk.messages(name)
            except StorageFault:
                if copy := self.copies.get(name):
                    return copy
                raise self._refusal() from None
            if conversation is not None:
                return conversation, messages
        raise no_conversation(name)

    def _in_memory(self) -> Tables:
        if self._memory is None:
            database = Database.in_memory()
            create_in_memory(database.connection)
            self._memory = Tables(database, is_indexed=False)
        return self._memory

    def _is_in_memory(self, name: str) -> bool:
        return self._memory is not None and self._memory.conversation(name) is not None

    def _all(self) -> list[Tables]:
        return [tables for tables in (self.disk, self._memory) if tables is not None]

    def _read(self, tables: Tables, work: Callable[[Tables], T]) -> T | None:
        try:
            with tables.database.reading():
                return work(tables)
        except StorageFault as fault:
            self._give_up(fault)
            return None

    def _give_up(self, fault: StorageFault) -> None:
        """On the disk; it is still read as long as that works."""
        opened = self._opened
        assert opened is not None
        if fault.is_damage and not self.is_read_only:
            opening.note_damage(opened.path)
        if opened.may_write:
            opened.may_write = False
            what = f"{opening.KEPT_IN_MEMORY} from now on"
        elif not self._is_failing:
            what = "what was kept cannot be read"
        else:
            return
        self._is_failing = True
        self.notices.append(f"{what}: {opened.path}: {fault.reason}")
        if self.disk is not None:
            self.disk.database.wait_no_more()

    def _refusal(self, reason: str = "") -> InputError:
        assert self._opened is not None
        why = reason or (self.notices[-1] if self.notices else "it cannot be written")
        message = f"the history in {self._opened.path} cannot be changed: {why}"
        return InputError(message, "llmchat doctor")
