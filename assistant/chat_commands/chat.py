"""An interactive chat without a screen: its settings, its model, its conversation, and what the
next question takes along. The screen and the linear chat share it.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from assistant.attachments.attached import Attached
from assistant.attachments.reading import attach
from assistant.backends.base import BackendInfo
from assistant.chat_commands.attached_once import attached_once
from assistant.chat_commands.engine_in_use import EngineInUse, OpenEngine
from assistant.chat_commands.typed_settings import FOR_ENGINES, sampling_field, with_setting
from assistant.config import SamplingChoices, Settings, nearest
from assistant.conversation.compaction import Compaction
from assistant.conversation.message_names import MessageName, split_name
from assistant.conversation.questions import PLAIN, Question
from assistant.conversation.records import Conversation, Kind, StoredMessage, Writing
from assistant.conversation.session import Session, Turn
from assistant.conversation.store import Store
from assistant.conversation.window import Ledger
from assistant.engine.base import Engine, Kept
from assistant.errors import InputError
from assistant.events import ModelLoading
from assistant.messages import Attachment
from assistant.prompts.finding import find_prompt
from assistant.prompts.prompt_file import Gives, PromptFile
from assistant.spoken_languages import language_name, language_of_locale
from assistant.startup import choose_model, open_engine, open_session, open_store

NOTHING_SAID = ("nothing has been said yet", "type a question")


def open_chosen_engine(settings: Settings) -> Engine:
    """The engine of the settings, not loaded yet. Raises `ModelError`, `UsageError`."""
    return open_engine(choose_model(settings), settings)


class Chat:
    """For one thread at a time, but for what only looks: the plain attributes, `conversation`,
    `messages`, `info` and `kept` may be read by any.

    These wait for the engine or the disk, and belong into a thread where a screen must not stand
    still: reading what `load`, `change_model` and `change_setting` give, `ask`, `again`,
    `compaction`, `take_stock`, `attach`, `resume`, `fork`, `close`. The stream of a turn, and a
    compaction, are read by whoever started them; `cancel` of either is for any thread. While an
    answer is being written only `attach`, `detach` and `question` may change anything.

    `themes` are those that the front end knows. There is no model before `load` has been read to
    its end, but past conversations can be looked at. Raises `InputError` when there is no
    conversation to `resume`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        resume: MessageName | None = None,
        has_notes: bool = True,
        open_engine: OpenEngine = open_chosen_engine,
        themes: Sequence[str] = (),
    ) -> None:
        self.settings = settings
        self.themes = tuple(themes)
        self.prompt_name = PLAIN
        self.attachments: tuple[Attachment, ...] = ()
        self._has_notes = has_notes
        self._engines = EngineInUse(open_engine)
        self._store: Store | None = None
        self._guard = threading.Lock()  # of the store's opening
        self._told: list[str] = []
        self.chosen = SamplingChoices()  # what was set since the chat began
        self._session = self._open_session(resume)

    # ── what there is ───────────────────────────────────────────────────────────────────────

    @property
    def conversation(self) -> Conversation | None:
        """None before the first question."""
        return self._session.conversation

    @property
    def messages(self) -> tuple[StoredMessage, ...]:
        """The current branch, without an answer that is still being written."""
        return self._session.messages

    @property
    def info(self) -> BackendInfo:
        """Of the model. Raises `ModelError` when there is none."""
        return self._engines.current.info

    @property
    def is_loading(self) -> bool:
        """Whether a model is on its way, the first or another one."""
        return self._engines.is_loading

    @property
    def engine(self) -> Engine:
        """For counting tokens; asking is for `ask` alone."""
        return self._engines.current

    @property
    def kept(self) -> Kept | None:
        """What stays in memory when the chat is over."""
        return self._engines.current.kept

    @property
    def store(self) -> Store:
        """All that is remembered, thread-safe; without history that of this process alone."""
        with self._guard:
            if self._store is None:
                self._store = open_store(self.settings)
            return self._store

    def new_notices(self) -> list[str]:
        """What the user should be told about what is kept, each sentence once."""
        said = [*self._session.notices, *([] if self._store is None else self._store.notices)]
        new = [notice for notice in dict.fromkeys(said) if notice not in self._told]
        self._told += new
        return new

    def answer(self, number: int | None = None) -> StoredMessage:
        """The one with this number, or the last. Raises `InputError`."""
        return self._message(Kind.ANSWER, number)

    def asked(self, number: int | None = None) -> StoredMessage:
        """The question with this number, or the last. Raises `InputError`."""
        return self._message(Kind.QUESTION, number)

    def _message(self, kind: Kind, number: int | None) -> StoredMessage:
        """Of the branch, or another version."""
        if self.conversation is None:
            raise InputError(*NOTHING_SAID)
        others = [] if number is None else self.store.messages(self.conversation.name)
        for message in (*reversed(self.messages), *others):
            if message.kind is kind and number in (None, message.number):
                return message
        which = f"no {kind}" if number is None else f"no {kind} {number}"
        raise InputError(f"there is {which} in this conversation", "/history")

    # ── the model and the settings ──────────────────────────────────────────────────────────

    def load(self) -> Iterator[ModelLoading]:
        """The model of the settings: its loading begins at once, and ends with what is given.

        Who reads no further gives it up. Raises `ModelError`, `NotEnoughMemory`, `UsageError`,
        `EngineUnreachable`, here or while it is read.
        """
        return self._change(self.settings)

    def change_model(self, name: str) -> Iterator[ModelLoading]:
        """As `load`, for another one: the old one goes when the new one is loaded, and stays
        when that fails."""
        return self._change(replace(self.settings, model=name))

    def change_setting(self, key: str, value: str) -> Iterator[ModelLoading]:
        """`value` as it is typed on a command line. Empty unless another engine is needed; the
        setting holds once it was read to its end.

        With another `history` a new conversation begins. Raises `UsageError`, else as `load`.
        """
        settings = with_setting(self.settings, key, value)
        if key in FOR_ENGINES:
            return self._change(settings)
        self.settings = settings
        if field := sampling_field(key):
            self.chosen = replace(self.chosen, **{field: getattr(settings, key)})
        if key == "history":
            self._close_store()
            self.new()
        else:
            self._session = self._open_session(self._here())
        return iter(())

    def _change(self, settings: Settings) -> Iterator[ModelLoading]:
        return self._changed(self._engines.change(settings), settings)

    def _changed(
        self, loading: Iterator[ModelLoading], settings: Settings
    ) -> Iterator[ModelLoading]:
        yield from loading
        self.settings = settings
        self._session = self._open_session(self._here())

    # ── the conversation ────────────────────────────────────────────────────────────────────

    def new(self) -> None:
        """A conversation that begins with the next question."""
        self._session = self._open_session(None)
        self.attachments = ()

    def resume(self, word: str) -> None:
        """Another conversation, by the beginning of its name; with `NAME.4` it goes on from that
        message, with `.4` this conversation does. "" is the latest. Raises `InputError`."""
        name = split_name(f".{word}" if word.isdecimal() else word)
        if not name.conversation and name.number is not None:
            if self.conversation is None:
                raise InputError(*NOTHING_SAID)
            name = MessageName(self.conversation.name, name.number)
        self._session = self._open_session(name)

    def fork(self, number: int | None = None) -> Conversation:
        """A new conversation with all up to this message, or to the last; it is gone on with.

        Raises `InputError`.
        """
        if self.conversation is None or not self.messages:
            raise InputError(*NOTHING_SAID)
        number = self.messages[-1].number if number is None else number
        new = self.store.fork(self.conversation.name, number)
        self._session = self._open_session(MessageName(new.name))
        return new

    # ── asking ──────────────────────────────────────────────────────────────────────────────

    def attach(self, names: Sequence[str]) -> Attached:
        """To the next question; what is there already stays once. Raises `InputError`."""
        found = attach(names, None, self.settings.max_input)
        self.attachments = attached_once(self.attachments, found.attachments)
        return found

    def detach(self, name: str = "") -> None:
        """Without a name all. Raises `InputError`."""
        names = [attachment.name for attachment in self.attachments]
        if name and name not in names:
            raise InputError(f"{name} is not attached", nearest(name, names))
        self.attachments = tuple(a for a in self.attachments if name and a.name != name)

    def question(
        self,
        text: str,
        attachments: Sequence[Attachment] = (),
        *,
        prompt: PromptFile | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Question:
        """What `text` asks, with what is attached: by the current prompt unless another is given.

        Raises `UsageError` when the prompt's file is gone or wrong.
        """
        prompt = prompt or find_prompt(self.prompt_name)
        return Question(
            prompt,
            text,
            attached_once(self.attachments, attachments),
            sampling=self.settings.sampling,
            variables=variables or {},
            system=self.settings.system,
            language=_language(prompt, self.settings),
        )

    def ask(self, question: Question, *, instead_of: int | None = None) -> Turn:
        """See `Session.ask`. Nothing has changed when this raises; else nothing is attached any
        more."""
        here = self._here()
        try:
            turn = self._session.ask(question, instead_of=instead_of)
        except BaseException:
            self._session = self._open_session(here)
            raise
        self.attachments = ()
        return turn

    def again(self, number: int | None = None, candidates: int = 1) -> Turn:
        """See `Session.again`: drawn as the last answer was, but for what was set since."""
        here = self._here()
        try:
            return self._session.again(
                number, sampling=self._chosen_for(number), candidates=candidates
            )
        except BaseException:
            self._session = self._open_session(here)
            raise

    def writings(self, question: int) -> list[Writing]:
        """How the answers to it were made, the oldest first."""
        if self.conversation is None:
            return []
        messages = self.store.messages(self.conversation.name)
        return [m.writing for m in messages if m.parent == question and m.writing is not None]

    def _chosen_for(self, number: int | None) -> SamplingChoices:
        """A seed that was used already would give the same answer."""
        used = {writing.seed for writing in self.writings(self.asked(number).number)}
        return replace(self.chosen, seed=None) if self.chosen.seed in used else self.chosen

    def compaction(self, question: Question | None = None) -> Compaction | None:
        """See `Session.compaction`."""
        return self._session.compaction(question)

    def take_stock(self, question: Question) -> Ledger:
        """See `Session.take_stock`: where the window would go. Nothing is asked."""
        return self._session.take_stock(question)

    def close(self) -> None:
        self._engines.close()
        self._close_store()

    # ── pieces ──────────────────────────────────────────────────────────────────────────────

    def _open_session(self, resume: MessageName | None) -> Session:
        return open_session(
            self._engines.current,
            self.settings,
            resume=resume,
            has_notes=self._has_notes,
            kept=lambda: self.store,
        )

    def _here(self) -> MessageName | None:
        """Where the conversation is now; None: it has not begun."""
        if self.conversation is None:
            return None
        last = self.messages[-1].number if self.messages else None
        return MessageName(self.conversation.name, last)

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def _language(prompt: PromptFile, settings: Settings) -> str:
    """The locale decides only where the prompt leaves it open."""
    if prompt.own_language or prompt.gives is not Gives.MARKDOWN:
        return ""
    return language_name(settings.lang) if settings.lang else language_of_locale(os.environ)
