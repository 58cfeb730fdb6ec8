"""Commands about the next question: what it takes along, by which prompt it is asked."""

from collections.abc import Iterable, Iterator, Sequence

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.command import Choice, Command
from assistant.chat_commands.effects import AttachmentsChanged, Effect, Say, ShowTable
from assistant.chat_commands.path_choices import path_choices
from assistant.chat_commands.typed_words import split_words
from assistant.chat_commands.wording import as_code, counted
from assistant.chat_commands.written_questions import notices_about, written_question
from assistant.conversation.questions import PLAIN
from assistant.errors import AssistantError, UsageError
from assistant.messages import Attachment
from assistant.prompts.finding import find_prompt
from assistant.prompts.prompt_file import PromptFile, Takes
from assistant.prompts.summaries import prompt_summaries
from assistant.rendering.ledger_text import ledger_rows, ledger_sentences
from assistant.rendering.quantities import size_text

MOST_NAMED = 10  # attachments


def attach(chat: Chat, rest: str) -> Iterator[Effect]:
    names = split_words(rest)
    if not names:
        if not chat.attachments:
            raise UsageError("attach needs a file", "/attach src/app.py:10-40")
        yield attached_table(chat, chat.attachments)
        return
    before = set(chat.attachments)
    found = chat.attach(names)
    new = [one for one in found.attachments if one not in before]
    yield AttachmentsChanged()
    yield from warnings(notices_about(chat, found.notices, new))
    yield attached_table(chat, new or found.attachments)


def warnings(notices: Sequence[str]) -> Iterator[Say]:
    for notice in notices:
        yield Say(as_code(notice))


def attached_table(chat: Chat, attachments: Sequence[Attachment]) -> ShowTable:
    rows = [(one.name, _size(chat, one)) for one in attachments[:MOST_NAMED]]
    if len(attachments) > MOST_NAMED:
        rows.append((f"and {len(attachments) - MOST_NAMED:,} more", ""))
    return ShowTable(tuple(rows), "attached to the next question")


def _size(chat: Chat, attachment: Attachment) -> str:
    """In tokens where there is a model to count them."""
    try:
        return counted(len(chat.engine.tokenize(attachment.text)), "token")
    except AssistantError:
        return size_text(len(attachment.text.encode(errors="replace")))


def detach(chat: Chat, rest: str) -> Iterator[Effect]:
    for name in split_words(rest) or [""]:
        chat.detach(name)
    yield AttachmentsChanged()
    left = len(chat.attachments)
    yield Say(f"{counted(left, 'attachment')} left." if left else "Nothing is attached.")


def context(chat: Chat, rest: str) -> Iterator[Effect]:
    ledger = chat.take_stock(written_question(chat, rest).question)
    info = chat.info
    rows = tuple(map(tuple, ledger_rows(ledger)))
    title = f"what a question sends to {info.name} {info.quantisation}".rstrip()
    yield ShowTable(rows, title, right=(0,))
    for said in ledger_sentences(ledger):
        yield Say(f"{said[0].upper()}{said[1:]}.")


def prompt(chat: Chat, rest: str) -> Iterator[Effect]:
    if not rest:
        rows = tuple((f"/prompt {name}", said) for name, said in prompt_summaries().items())
        yield ShowTable(rows, f"questions are asked with {chat.prompt_name}; there are")
        return
    found = find_prompt(rest)
    _check_for_chat(found)
    chat.prompt_name = found.name
    after = "" if found.name == PLAIN else f" `/prompt {PLAIN}` goes back."
    said = " ".join(found.description.split()).rstrip(".")
    yield Say(
        f"Questions are asked with {as_code(found.name)} from now on: {as_code(said)}.{after}"
    )


def _check_for_chat(found: PromptFile) -> None:
    """Raises `UsageError` for a prompt that a question alone does not do for."""
    missing = [v for v in found.variables.values() if v.default is None]
    if Takes.QUESTION in found.takes and not missing:
        return
    needed = "".join(f" {v.option} {v.metavar}" for v in missing)
    reason = f"needs{needed}" if missing else "takes no question"
    raise UsageError(f"{found.name} {reason}", f"/{found.name}{needed} FILE")


def _attached(chat: Chat, rest: str) -> Iterable[Choice]:
    return (Choice(one.name) for one in chat.attachments if one.name.startswith(rest))


def _prompts(_chat: Chat, rest: str) -> Iterable[Choice]:
    summaries = prompt_summaries().items()
    return (Choice(name, said) for name, said in summaries if name.startswith(rest))


COMMANDS = (
    Command(
        "attach",
        "Add files to the next question: FILE, FILE:10-40, FILE::symbol, a folder.",
        attach,
        "FILE …",
        complete=path_choices,
        waits=False,
    ),
    Command(
        "detach",
        "Leave attached files out, or all.",
        detach,
        "[FILE]",
        complete=_attached,
        waits=False,
    ),
    Command(
        "context",
        "Say what the next question sends, in exact tokens.",
        context,
        "[QUESTION]",
        aliases=("tokens",),
        waits=False,
        needs_model=True,
    ),
    Command(
        "prompt", "Ask with another prompt file from now on.", prompt, "[NAME]", complete=_prompts
    ),
)
