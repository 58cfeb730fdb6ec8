"""What a question becomes in its conversation: everything that was said, or what has room of it.

Nothing is kept and nothing asked here; session.py does both.
"""

from collections.abc import Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from assistant.config import SamplingChoices, WhenFull
from assistant.conversation.compaction import how_many_go
from assistant.conversation.layout import Layout, lay_out
from assistant.conversation.questions import Question, names_of, new_messages, user_text
from assistant.conversation.records import StoredMessage
from assistant.conversation.window import Ledger, require_room, room_wanted, take_stock
from assistant.engine.base import Engine
from assistant.messages import ChatPrompt, Message, Prompt, RawPrompt
from assistant.trust import Note


class Plan(Struct, frozen=True):
    """`new` are the messages of the question itself; `dropped` of the oldest turns make room."""

    new: tuple[Message, ...]
    prompt: Prompt
    ledger: Ledger
    layout: Layout
    dropped: int = 0


class Planning:
    """For one conversation, whose branch is given each time."""

    def __init__(
        self,
        engine: Engine,
        sampling: SamplingChoices,
        notes: Sequence[Note],
        when_full: WhenFull,
        first_day: date,
    ) -> None:
        self._engine = engine
        self._sampling = sampling
        self._notes = notes
        self._when_full = when_full
        self._first_day = first_day

    def choices(self, question: Question) -> SamplingChoices:
        """The question's, before those of the settings, before those of its prompt file."""
        return question.sampling.over(self._sampling).over(question.prompt.sampling)

    def plan(
        self, question: Question, path: Sequence[StoredMessage], *, is_draft: bool = False
    ) -> Plan:
        """Everything that was said, and which turns should go if that is too much."""
        layout = lay_out(path)
        if self._is_plain_text(question):  # it has no place for what was said before
            layout = layout.without(len(layout.turns))
        known = layout.messages() if path else None
        new = new_messages(question, self._notes, known, is_draft=is_draft)
        plan = self._measured(question, layout, new)
        ledger = plan.ledger
        if not (ledger.is_crowded and layout.turns):
            return plan
        missing = ledger.measure.tokens + room_wanted(ledger) - ledger.window
        count = how_many_go(layout, ledger.measure, missing)
        leaving = [number for turn in layout.turns[:count] for number in turn.numbers]
        return replace(plan, ledger=replace(ledger, leaving=tuple(leaving)), dropped=count)

    def with_room(
        self, question: Question, path: Sequence[StoredMessage], *, is_draft: bool = False
    ) -> Plan:
        """Raises `PromptTooLong` where dropping old turns is not enough, or not wanted."""
        plan = self.plan(question, path, is_draft=is_draft)
        if plan.dropped:
            shorter = self._without_old_turns(plan, question)
            if self._when_full is WhenFull.REFUSE:
                can_compact = shorter.ledger.fits
                require_room(plan.ledger, names_of(question), can_compact=can_compact)
                return replace(plan, dropped=0)
            plan = shorter
        require_room(plan.ledger, names_of(question))
        return plan

    def leaving(self, question: Question, path: Sequence[StoredMessage]) -> int:
        """How many of the oldest turns make room for it; 0 where that would not be enough."""
        plan = self.plan(question, path, is_draft=True)
        fits = not plan.dropped or self._without_old_turns(plan, question).ledger.fits
        return plan.dropped if fits else 0

    def _without_old_turns(self, plan: Plan, question: Question) -> Plan:
        """`layout` stays that of the branch as it is: the turns are still to be dropped."""
        shorter = self._measured(question, plan.layout.without(plan.dropped), plan.new)
        ledger = replace(shorter.ledger, leaving=plan.ledger.leaving)
        return replace(plan, prompt=shorter.prompt, ledger=ledger)

    def _measured(self, question: Question, layout: Layout, new: tuple[Message, ...]) -> Plan:
        prompt: Prompt
        if self._is_plain_text(question):
            prompt = RawPrompt(user_text(new))
        else:  # an encoder–decoder model refuses it
            prompt = ChatPrompt(layout.messages(new), self._first_day)
        wanted = self.choices(question).max_new_tokens
        return Plan(new, prompt, told(take_stock(self._engine, prompt, wanted), layout), layout)

    def _is_plain_text(self, question: Question) -> bool:
        return question.prompt.is_plain_text and self._engine.info.abilities.encoder


def prompt_again(engine: Engine, path: Sequence[StoredMessage], first_day: date) -> Prompt:
    """What was sent for the question that the branch ends with."""
    layout = lay_out(path)
    if engine.info.abilities.encoder:  # it was told nothing of what was said before
        return RawPrompt(user_text([m for turn in layout.turns[-1:] for m in turn.messages]))
    return ChatPrompt(layout.messages(), first_day)


def told(ledger: Ledger, layout: Layout) -> Ledger:
    """The ledger also says what of the conversation is not sent, and counts it by turns."""
    turns = [""] * len(layout.head)
    for turn in layout.turns:
        name = "summary" if turn.is_summary else f"turn {turn.numbers[0]}"
        turns += [name] * len(turn.messages)
    return replace(ledger, summarized=layout.summarized, dropped=layout.dropped, turns=tuple(turns))
