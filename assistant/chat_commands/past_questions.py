"""A question of a conversation as it was asked, so that it can be changed and asked again."""

import re
from collections.abc import Mapping, Sequence

from assistant.chat_commands.chat import Chat
from assistant.code_blocks import find_code_blocks
from assistant.conversation.questions import PLAIN, Question
from assistant.conversation.records import StoredMessage
from assistant.messages import Attachment, Role
from assistant.prompts.finding import find_prompt
from assistant.prompts.prompt_file import PromptFile
from assistant.rendering.conversation_facts import Attached, attached

FROM_PROMPT = "prompt "  # how the source of a prompt file's own words begins


def question_of(message: StoredMessage, chat: Chat) -> Question:
    """With the texts that were attached, as they were then. Raises `UsageError` when there is no
    such prompt any more."""
    prompt = find_prompt(_prompt_name(message))
    text, files = _asked_text(message), attached(message)
    chosen = _variables(message, prompt, [file.name for file in files])
    return chat.question(
        text, [_attachment(file) for file in files], prompt=prompt, variables=chosen
    )


def _prompt_name(message: StoredMessage) -> str:
    sources = (part.source for sent in message.content for part in sent.parts)
    named = (source for source in sources if source.startswith(FROM_PROMPT))
    return next(named, FROM_PROMPT + PLAIN).removeprefix(FROM_PROMPT)


def _asked_text(message: StoredMessage) -> str:
    """Without the prompt's words and the files."""
    parts = (p for m in message.content if m.role is Role.USER for p in m.parts)
    return next((part.text for part in parts if part.source == "question"), "")


def _variables(
    message: StoredMessage, prompt: PromptFile, names: Sequence[str]
) -> Mapping[str, str]:
    """From between the prompt's name and the files, where `shown_text` has put them."""
    shown = message.text.removeprefix(prompt.name)
    if names and (at := shown.find(f" {names[0]}")) >= 0:
        shown = shown[:at]
    known = "|".join(map(re.escape, prompt.variables))
    pieces = re.split(rf" --({known}) ", shown) if known else []
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def _attachment(file: Attached) -> Attachment:
    """Its own text again, out of the fence that the prompt put around it."""
    blocks = find_code_blocks(file.text)
    if len(blocks) == 1 and file.text.startswith("`") and file.text.endswith("`"):
        return Attachment(file.name, blocks[0].code, blocks[0].language)
    return Attachment(file.name, file.text, "")
