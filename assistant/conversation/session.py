"""A chat that remembers: a question is laid out with what was said before, fitted, asked, kept.

Every front end calls this, and knows nothing else of engines. What a question becomes is
planning.py, what of the past is shown layout.py.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from assistant.config import SamplingChoices, WhenFull
from assistant.conversation.compaction import Compaction, how_many_go, summary_request
from assistant.conversation.layout import Layout, before_unfinished, lay_out
from assistant.conversation.message_names import join_name
from assistant.conversation.planning import Plan, Planning, prompt_again, told
from assistant.conversation.questions import (
    Question,
    changed_notes,
    options_of,
    shown_text,
    title_of,
)
from assistant.conversation.recording import RecordedStream
from assistant.conversation.records import Conversation, Kind, State, StoredMessage, Writing
from assistant.conversation.store import Store
from assistant.conversation.window import Ledger, require_room, take_stock
from assistant.engine.base import AnswerStream, Engine, GenerationRequest, Keep
from assistant.errors import InputError
from assistant.events import Finished, Reason
from assistant.messages import ChatPrompt, Message, Rendered
from assistant.trust import Note

NO_OPINION = SamplingChoices()


class Turn(Struct, frozen=True):
    """A question on its way: the ledger says what is sent, the stream brings the answer.

    `question` is its number in the conversation, `numbers` are those of the answers.
    """

    ledger: Ledger
    stream: AnswerStream
    conversation: Conversation
    question: int
    numbers: tuple[int, ...]


class Session:
    """One conversation, from the front end's point of view; for one thread at a time.

    `open_store` is called when something is kept or looked up. Without a `conversation` a new
    one begins with the first question; `leaf` is the message of it that is gone on from (None:
    the last). `notes` are for its first question. With `keeps_state` False no engine remembers
    what it has read.
    """

    def __init__(
        self,
        engine: Engine,
        sampling: SamplingChoices,
        open_store: Callable[[], Store],
        conversation: Conversation | None = None,
        leaf: int | None = None,
        *,
        notes: Sequence[Note] = (),
        when_full: WhenFull = WhenFull.COMPACT,
        keeps_state: bool = True,
    ) -> None:
        self._engine = engine
        self._open_store = open_store
        self._store: Store | None = None
        self._keep = Keep.TURN if keeps_state else Keep.NOTHING
        self._first_day = conversation.first_day if conversation else date.today()
        self._when_full = when_full
        self._planning = Planning(engine, sampling, tuple(notes), when_full, self._first_day)
        found = self.store.path(conversation.name, leaf) if conversation else []
        self._path = before_unfinished(found)
        self.conversation = conversation
        self._notices = list(_about(conversation, found, self._path, notes)) if conversation else []

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    @property
    def notices(self) -> list[str]:
        """What the user should be told about what is kept, and what is not."""
        return [*self._notices, *([] if self._store is None else self._store.notices)]

    def close(self) -> None:
        """Nothing is kept any more."""
        if self._store is not None:
            self._store.close()

    @property
    def messages(self) -> tuple[StoredMessage, ...]:
        """The current branch, from its first message to its last."""
        return tuple(self._path)

    # ── asking ──────────────────────────────────────────────────────────────────────────────

    def ask(self, question: Question, *, instead_of: int | None = None) -> Turn:
        """Start the answer. Raises `PromptTooLong`, `ModelError` or `UsageError` at once.

        `instead_of` is the number of an earlier question: this one becomes another version of
        it. Old turns that leave no room are dropped; `compaction` keeps a summary of them.
        """
        if instead_of is not None:
            self._go_back_before(instead_of)
        self._leave_failure_behind()
        choices = self._planning.choices(question)
        plan = self._planning.with_room(question, self._path)
        request = GenerationRequest(
            plan.prompt,
            sampling=options_of(choices),
            max_new_tokens=plan.ledger.max_new_tokens,
            seed=_seed(choices),
            candidates=question.candidates,
            keep=self._keep,
        )
        stream = self._engine.stream(request)
        try:
            return self._kept(question, plan, request, stream)
        except BaseException:
            stream.cancel()
            raise

    def _kept(
        self, question: Question, plan: Plan, request: GenerationRequest, stream: AnswerStream
    ) -> Turn:
        """Question and answer in one wait for the disk; where it refuses, each in memory."""
        path, conversation = self._path, self.conversation

        def keep() -> Turn:
            self._path, self.conversation = list(path), conversation
            if plan.dropped:
                self._add_summary(plan.layout, plan.dropped)
            self._keep_question(question, plan.new)
            return self._recorded(request, plan.ledger, stream)

        try:
            with self.store.together():
                return keep()
        except InputError:
            return keep()

    def again(
        self,
        number: int | None = None,
        *,
        sampling: SamplingChoices = NO_OPINION,
        candidates: int = 1,
    ) -> Turn:
        """Another answer to the question with this number, or to the last: a new version.

        It is drawn as the last one was, where `sampling` has no opinion. Raises `InputError`
        where nothing was asked, else as `ask`.
        """
        self._path = self._path_to_question(number)
        before = self._last_writing()
        prompt = prompt_again(self._engine, self._path, self._first_day)
        wanted = sampling.max_new_tokens or before.max_new_tokens
        ledger = told(take_stock(self._engine, prompt, wanted), lay_out(self._path))
        require_room(ledger)
        request = GenerationRequest(
            prompt,
            sampling=options_of(sampling, before.sampling),
            max_new_tokens=ledger.max_new_tokens,
            seed=_seed(sampling),
            candidates=candidates,
            keep=self._keep,
        )
        return self._recorded(request, ledger, self._engine.stream(request))

    def render(self, question: Question) -> Rendered:
        """The exact prompt that `ask` would send; runs nothing."""
        return self._engine.render(self._planning.plan(question, self._path).prompt)

    def is_greedy(self, question: Question) -> bool:
        """Whether nothing is left to chance, so that all answers are the same."""
        return not options_of(self._planning.choices(question)).temperature

    def take_stock(self, question: Question) -> Ledger:
        """Where the window would go; runs nothing, and fails for nothing that is too long or
        missing. What `leaving` names goes before the question is asked, in one way or another."""
        return self._planning.plan(question, self._path, is_draft=True).ledger

    def require_room(self, question: Question) -> None:
        """Raises `PromptTooLong` as `ask` would."""
        self._planning.with_room(question, self._path, is_draft=True)

    # ── making room ─────────────────────────────────────────────────────────────────────────

    def compaction(self, question: Question | None = None) -> Compaction | None:
        """The older half of the conversation becomes a summary, once this is iterated.

        None where the question does not need it or fits in no way, where a summary is not worth
        it or not wanted: then `ask` drops turns, or refuses. Without a question: as far as there
        is anything to summarize.
        """
        layout = lay_out(self._path)
        if not layout.turns or (question is not None and self._when_full is not WhenFull.COMPACT):
            return None
        if question is None:
            measure = self._engine.measure(ChatPrompt(layout.messages(), self._first_day))
            count = how_many_go(layout, measure)
        else:
            count = self._planning.leaving(question, self._path)
        older = layout.first(count)
        request = summary_request(self._engine, older, self._first_day)
        if request is None:
            return None

        def keep(finished: Finished) -> str:
            answer = finished.answers[0]
            text = answer.text.strip()
            if answer.reason in (Reason.STOPPED, Reason.FAILED) or not text:
                return ""
            writing = self._writing(request, older)
            ended = replace(
                writing,
                prompt_hash=finished.prompt_hash,
                reason=answer.reason,
                token_ids=answer.token_ids,
                usage=finished.usage,
            )
            self._add_summary(layout, count, text, ended)
            return text

        return Compaction(older, self._engine.stream(request), keep)

    def _add_summary(
        self, layout: Layout, count: int, text: str = "", writing: Writing | None = None
    ) -> None:
        """It stands for so many of the oldest turns; without a text they are dropped."""
        assert self.conversation is not None
        said = [n for turn in layout.turns[:count] if not turn.is_summary for n in turn.numbers]
        # Where nothing but a summary goes, as much is covered as before.
        covers = said[-1] if said else layout.summarized[-1]
        name, parent = self.conversation.name, self._path[-1].number
        self._path.append(self.store.add_summary(name, parent, text, covers, writing))

    # ── what is kept ────────────────────────────────────────────────────────────────────────

    def _keep_question(self, question: Question, content: tuple[Message, ...]) -> None:
        if self.conversation is None:
            folder = _current_folder()
            self.conversation = self.store.begin(title_of(question), folder, self._first_day)
        parent = self._path[-1].number if self._path else 0
        name, text = self.conversation.name, shown_text(question)
        self._path.append(self.store.add_question(name, parent, text, content))

    def _recorded(self, request: GenerationRequest, ledger: Ledger, stream: AnswerStream) -> Turn:
        """A row for each candidate; the branch goes on with the first."""
        assert self.conversation is not None
        name, parent = self.conversation.name, self._path[-1].number
        writing = self._writing(request, lay_out(self._path))
        stored = []
        for candidate in range(request.candidates):
            seed = (writing.seed + candidate) % 2**32
            own = replace(writing, seed=seed, candidate=candidate)
            stored.append(self.store.begin_answer(name, parent, own))
        if request.candidates > 1:
            self.store.set_leaf(name, stored[0].number)
        recorded = RecordedStream(stream, self.store, name, stored, self._answered)
        numbers = tuple(message.number for message in stored)
        return Turn(ledger, recorded, self.conversation, parent, numbers)

    def _answered(self, answers: Sequence[StoredMessage]) -> None:
        """The next question goes on from the first of them."""
        self._path.append(answers[0])

    def _writing(self, request: GenerationRequest, layout: Layout) -> Writing:
        info = self._engine.info
        return Writing(
            model=f"{info.name} {info.quantisation}".rstrip(),
            fingerprint=info.fingerprint,
            template_hash=info.template_hash,
            build=info.build,
            sampling=request.sampling,
            max_new_tokens=request.max_new_tokens,
            seed=request.seed or 0,
            candidate=0,
            candidates=request.candidates,
            prompt=tuple(number for turn in layout.turns for number in turn.numbers),
        )

    # ── the branch ──────────────────────────────────────────────────────────────────────────

    def _go_back_before(self, number: int) -> None:
        """Raises `InputError` where there is no such question."""
        self._path = self._path_to_question(number)[:-1]

    def _leave_failure_behind(self) -> None:
        """A question whose answer failed without a word is not asked twice of the model."""
        while self._path and self._path[-1].kind is Kind.ANSWER and _is_nothing(self._path[-1]):
            self._path = self._path[:-2]

    def _path_to_question(self, number: int | None) -> list[StoredMessage]:
        for at in range(len(self._path) - 1, -1, -1):
            message = self._path[at]
            if message.kind is Kind.QUESTION and number in (None, message.number):
                return self._path[: at + 1]
        which = "no question" if number is None else f"no question {number}"
        raise InputError(f"there is {which} in this conversation", "llmchat history show")

    def _last_writing(self) -> Writing:
        assert self.conversation is not None
        question = self._path[-1].number
        for message in reversed(self.store.messages(self.conversation.name)):
            if message.parent == question and message.writing is not None:
                return message.writing
        raise InputError("there is no answer to write again", 'llmchat "…"')


def _about(
    conversation: Conversation,
    found: Sequence[StoredMessage],
    path: Sequence[StoredMessage],
    notes: Sequence[Note],
) -> Iterator[str]:
    """What is not as one may expect where it goes on, with `path` of what was found."""
    if len(path) < len(found):
        unfinished = next(m for m in found if m.state is State.STREAMING)
        name = join_name(conversation.name, unfinished.number)
        yield f"{name} is still being written: what follows goes on from before its question"
    if changed := changed_notes(lay_out(path).head, notes):
        it = "it was" if len(changed) == 1 else "they were"
        yield (
            f"{' and '.join(changed)}: this conversation goes on with what {it} when it began; "
            "a new one begins with what is there now"
        )


def _is_nothing(message: StoredMessage) -> bool:
    return message.state is State.FAILED and not message.text


def _seed(choices: SamplingChoices) -> int:
    """The chosen one, or 32 random bits; `secrets` would take 5 ms to import."""
    return int.from_bytes(os.urandom(4)) if choices.seed is None else choices.seed


def _current_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 # a Path takes longer
    except OSError:  # it was deleted
        return ""
