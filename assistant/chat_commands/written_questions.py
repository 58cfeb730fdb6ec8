"""What a person wrote becomes a question: what it mentions is attached, and looked at first."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from assistant.attachments.mentions import read_mentions
from assistant.attachments.secret_warnings import Destination, secret_warnings
from assistant.chat_commands.attached_once import attached_once
from assistant.chat_commands.chat import Chat
from assistant.conversation.questions import Question
from assistant.engine.remote_spec import leaves_machine
from assistant.messages import Attachment


class Written(Struct, frozen=True):
    """`notices` are what the user should know of what is newly attached, a sentence each."""

    question: Question
    notices: tuple[str, ...] = ()


def written_question(chat: Chat, text: str, attached: Sequence[Attachment] = ()) -> Written:
    """By the current prompt. Raises `InputError` when something that is mentioned cannot be
    read."""
    mentioned = read_mentions(text, chat.settings.max_input)
    new = (*mentioned.attachments, *attached)
    return Written(chat.question(mentioned.text, new), notices_about(chat, mentioned.notices, new))


def rewritten(chat: Chat, question: Question, text: str) -> Written:
    """The same question with another text; what that mentions again is read again.

    Raises as `written_question`.
    """
    mentioned = read_mentions(text, chat.settings.max_input)
    names = {one.name for one in mentioned.attachments}
    kept = [one for one in question.attachments if one.name not in names]
    attachments = attached_once(kept, mentioned.attachments)
    return Written(
        replace(question, text=mentioned.text, attachments=attachments),
        notices_about(chat, mentioned.notices, mentioned.attachments),
    )


def notices_about(
    chat: Chat, notices: Sequence[str], attachments: Sequence[Attachment]
) -> tuple[str, ...]:
    """What was done to them when they were read, and which secrets they seem to hold."""
    where = Destination(leaves_machine(chat.settings.model), chat.settings.history)
    return (*notices, *secret_warnings(attachments, where))
