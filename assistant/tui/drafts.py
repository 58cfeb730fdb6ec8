"""What the text that is being written would mean, once it is sent."""

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.commands import question_text
from assistant.chat_commands.written_questions import written_question
from assistant.conversation.window import Ledger
from assistant.errors import AssistantError
from assistant.tui.measuring import Measured, Unsent
from assistant.tui.widgets.status_line import Draft


def measure_draft(chat: Chat, unsent: Unsent) -> Ledger:
    """Where the window would go. Raises `AssistantError` as asking would."""
    written = written_question(chat, question_text(unsent.text), unsent.pasted)
    return chat.take_stock(written.question)


def draft_facts(measured: Measured) -> Draft:
    if isinstance(measured, AssistantError):
        return Draft(error=measured.message)
    measure = measured.measure
    if not measured.fits and not measured.leaving:
        over = measure.tokens - measured.window
        return Draft(error=f"{measure.tokens:,} tokens do not fit: {max(over, 1):,} too many")
    return Draft(
        measure.tokens,
        measure.tokens_cached,
        measure.seconds,
        len(measured.leaving),
        is_exact=measure.is_exact,
    )
