"""Messages of the history as they look in the transcript."""

from collections.abc import Mapping, Sequence

from assistant.conversation.message_names import join_name
from assistant.conversation.records import Kind, State, StoredMessage
from assistant.rendering.conversation_facts import attached, author, ending
from assistant.tui.widgets.answer import AnswerView
from assistant.tui.widgets.lines import LineView
from assistant.tui.widgets.notice import NoticeView
from assistant.tui.widgets.question import Chip, QuestionView

SEPARATOR = " · "
Versions = Mapping[int, Sequence[int]]  # for a message's number those of all in its place


def view_of(message: StoredMessage, conversation: str, versions: Versions) -> LineView:
    """`conversation` is its name."""
    name = join_name(conversation, message.number)
    match message.kind:
        case Kind.QUESTION:
            chips = [Chip(file.name) for file in attached(message)]
            return QuestionView(message.text, chips, name)
        case Kind.SUMMARY:
            verb = "Summary of" if message.text else "The model no longer sees"
            words = f"{verb} everything up to {join_name(conversation, message.covers)}"
            return NoticeView(words, markdown=message.text, name=name)
        case Kind.ANSWER:
            view = AnswerView(name, author(message))
            view.finish(message.text, message.reasoning, footer_of(message, versions))
            return view


def footer_of(message: StoredMessage, versions: Versions) -> str:
    """How an answer ended, how fast it was, which of its versions it is."""
    facts = [ending(message) or ("done" if message.state is State.COMPLETE else "")]
    usage = message.writing.usage if message.writing else None
    if usage is not None and usage.new_tokens:
        facts.append(f"{usage.new_tokens:,} tokens")
        if usage.decode_tokens_per_second:
            facts.append(f"{usage.decode_tokens_per_second:.1f} tokens/s")
    numbers = sorted(versions.get(message.number, ()))
    if len(numbers) > 1:
        facts.append(f"{numbers.index(message.number) + 1} of {len(numbers)}")
    return SEPARATOR.join(filter(None, facts))
