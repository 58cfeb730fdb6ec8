"""A branch of a conversation as messages for a model: what is shown of it, and what is not.

Old turns go in big steps, as a summary or without one. Both are a message of kind SUMMARY in the
branch, so everything later begins with the same tokens.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from assistant.conversation.records import Kind, State, StoredMessage
from assistant.messages import Message, Part, Role
from assistant.prompts.sentences import sentence

ANSWER, SUMMARY = "answer", "summary"  # sources of parts


class PastTurn(Struct, frozen=True):
    """What is kept or left out as a whole: a question and its answer, or a summary."""

    numbers: tuple[int, ...]
    messages: tuple[Message, ...]
    is_summary: bool = False


class Layout(Struct, frozen=True):
    """The system messages that a conversation began with, and its turns, the oldest first.

    `summarized` and `dropped` are the numbers of the messages that are not shown.
    """

    head: tuple[Message, ...] = ()
    turns: tuple[PastTurn, ...] = ()
    summarized: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()

    def messages(self, new: Sequence[Message] = ()) -> tuple[Message, ...]:
        """All that is shown, and what is asked now."""
        return (*self.head, *(message for turn in self.turns for message in turn.messages), *new)

    def first(self, count: int) -> "Layout":
        """Only so many of the oldest turns."""
        return replace(self, turns=self.turns[:count])

    def without(self, count: int) -> "Layout":
        """With so many of the oldest turns dropped."""
        if not count:
            return self
        dropped, summarized = list(self.dropped), self.summarized
        for turn in self.turns[:count]:
            if turn.is_summary:
                dropped, summarized = [*dropped, *summarized], ()
            else:
                dropped += turn.numbers
        return replace(
            self, turns=self.turns[count:], dropped=tuple(dropped), summarized=summarized
        )


def lay_out(path: Sequence[StoredMessage]) -> Layout:
    """What a model is shown of a branch; `path` leads from its first message to its last."""
    summarized: list[int] = []
    dropped: list[int] = []
    summary: StoredMessage | None = None
    begin = 0  # of what is shown as it was said
    for message in path:
        if message.kind is not Kind.SUMMARY:
            continue
        end = _place_of(message.covers, path) + 1
        summarized += [m.number for m in path[begin:end] if m.kind is not Kind.SUMMARY]
        if not message.text:
            dropped += summarized
            summarized = []
        summary, begin = message, max(begin, end)
    turns = [*_summary_turn(summary), *_turns(path[begin:], is_first=begin == 0)]
    return Layout(_head(path), tuple(turns), tuple(summarized), tuple(dropped))


def before_unfinished(path: Sequence[StoredMessage]) -> list[StoredMessage]:
    """A branch up to a question whose answer somebody is still writing, or all of it.

    What a model is shown of such an answer would not be what it becomes.
    """
    ends = (at for at, message in enumerate(path) if message.state is State.STREAMING)
    end = next(ends, None)
    return list(path if end is None else path[: max(0, end - 1)])


def _head(path: Sequence[StoredMessage]) -> tuple[Message, ...]:
    """They hold for the whole conversation, also when its first turn is not shown any more."""
    return tuple(m for m in path[0].content if m.role is Role.SYSTEM) if path else ()


def _summary_turn(summary: StoredMessage | None) -> Iterator[PastTurn]:
    if summary is not None and summary.text:
        said = sentence("summary", summary=summary.text)
        yield PastTurn((summary.number,), (Message(Role.USER, (Part(said, SUMMARY),)),), True)


def _turns(path: Sequence[StoredMessage], *, is_first: bool) -> Iterator[PastTurn]:
    """Each begins with a question."""
    numbers: list[int] = []
    messages: list[Message] = []
    for stored in path:
        if stored.kind is Kind.QUESTION:
            if numbers:
                yield PastTurn(tuple(numbers), tuple(messages))
            is_head = is_first and stored is path[0]
            shown = [m for m in stored.content if not (is_head and m.role is Role.SYSTEM)]
            numbers, messages = [stored.number], shown
        elif stored.kind is Kind.ANSWER:
            numbers.append(stored.number)
            if stored.text.strip():
                messages.append(_answer(stored))
    if numbers:
        yield PastTurn(tuple(numbers), tuple(messages))


def _answer(stored: StoredMessage) -> Message:
    """As the tokens that were written, for the model that wrote them."""
    writing = stored.writing
    return Message(
        Role.ASSISTANT,
        (Part(stored.text, ANSWER),),
        stored.reasoning,
        token_ids=writing.token_ids if writing else (),
        fingerprint=writing.fingerprint if writing else "",
    )


def _place_of(number: int, path: Sequence[StoredMessage]) -> int:
    return next((at for at, message in enumerate(path) if message.number == number), -1)
