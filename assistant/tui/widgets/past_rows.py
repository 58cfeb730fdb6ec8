"""How a past conversation and a message that was found look in a narrow list."""

from rich.text import Text
from textual.widgets.option_list import Option

from assistant.conversation.message_names import join_name
from assistant.conversation.records import Conversation, Hit
from assistant.rendering.conversation_facts import title_of
from assistant.rendering.quantities import age_text
from assistant.rendering.search_hits import excerpts
from assistant.rendering.tables import one_line

HERE, ELSEWHERE = "● ", "  "
DIM, MATCH = "dim", "bold underline"


def conversation_option(one: Conversation, now: float, *, is_here: bool) -> Option:
    """Its title, and below it when it was gone on with; `now` in seconds since the epoch."""
    text = Text(HERE if is_here else ELSEWHERE)
    text.append(one_line(title_of(one)), "bold" if is_here else "")
    messages = f"{one.messages:,} message{'s' * (one.messages != 1)}"
    facts = f"{age_text(one.updated, now)} · {messages} · {one.name}"
    text.append(f"\n{ELSEWHERE}{facts}", DIM)
    return Option(text, id=one.name)


def hit_option(hit: Hit, query: str, cells: int, *, is_here: bool) -> Option:
    """The conversation's title, and the lines that hold the words."""
    text = Text(HERE if is_here else ELSEWHERE)
    text.append(one_line(title_of(hit.conversation)), "bold" if is_here else "")
    for pieces in excerpts(hit, query, max(1, cells - len(ELSEWHERE))):
        text.append(f"\n{ELSEWHERE}")
        for piece in pieces:
            text.append(piece.text, MATCH if piece.is_match else DIM)
    return Option(text, id=join_name(hit.conversation.name, hit.message.number))


def words_option(words: str) -> Option:
    """What is said where there is nothing to choose."""
    return Option(Text(ELSEWHERE + one_line(words)), disabled=True)
