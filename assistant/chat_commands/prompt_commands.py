"""Every prompt file is a command: `/explain src/app.py why?`."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from assistant.attachments.attached import Attached
from assistant.attachments.mentions import read_mentions
from assistant.attachments.names import is_attachable
from assistant.attachments.reading import attach
from assistant.chat_commands.chat import Chat
from assistant.chat_commands.effects import Ask, Effect
from assistant.chat_commands.prompt_words import (
    LOOKS_LIKE_A_PATH,
    Words,
    check_something_given,
    check_variables,
    sort_words,
    takes_file_words,
)
from assistant.chat_commands.question_commands import warnings
from assistant.chat_commands.typed_words import first_word
from assistant.chat_commands.written_questions import notices_about
from assistant.errors import InputError
from assistant.messages import Attachment
from assistant.prompts.prompt_file import PromptFile, Takes

MENTION = "@"  # before a file's name, where the composer puts it


class PromptLine(Struct, frozen=True):
    """What stands behind a prompt's name. `is_said`: the text stood behind `--`."""

    files: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}
    text: str = ""
    is_said: bool = False


def ask_with(
    prompt: PromptFile, chat: Chat, rest: str, attachments: Sequence[Attachment] = ()
) -> Iterator[Effect]:
    """Raises `InputError`, `UsageError` as on a command line."""
    line = read_prompt_line(prompt, rest)
    mentioned = read_mentions(line.text, chat.settings.max_input)
    attached = (*mentioned.attachments, *attachments)
    words = _sorted_words(prompt, line, mentioned.text, has_more=bool(chat.attachments or attached))
    found = _read(words.files, chat, may_be_said=bool(chat.attachments or attached))
    new = (*attached, *found.attachments)
    yield from warnings(notices_about(chat, (*mentioned.notices, *found.notices), new))
    yield Ask(chat.question(words.text, new, prompt=prompt, variables=line.variables))


def _sorted_words(prompt: PromptFile, line: PromptLine, text: str, *, has_more: bool) -> Words:
    """`text` is the line's, as it is sent. Raises `InputError`, `UsageError`."""
    is_about_nothing = Takes.FILES in prompt.needs and not (line.files or has_more)
    names_none = is_about_nothing and not line.is_said
    typed = text.split() if names_none else line.files
    said = [text] if text and not names_none else []
    words = sort_words(prompt, typed, said, line.variables, has_more=has_more)
    check_variables(prompt, line.variables)
    given = Words(words.files) if is_about_nothing else words
    check_something_given(prompt, given, has_more=has_more)
    return words


def _read(names: Sequence[str], chat: Chat, *, may_be_said: bool) -> Attached:
    """`may_be_said`: without them there would be enough to ask about."""
    try:
        return attach(names, None, chat.settings.max_input)
    except InputError as err:
        is_there = list(map(is_attachable, names))
        if all(is_there) or not (may_be_said or any(is_there)):
            raise
        # A word of the question may look like a path.
        raise InputError(err.message, f"{err.hint}; a question goes after --") from err


def read_prompt_line(prompt: PromptFile, rest: str) -> PromptLine:
    """Files and variables come first, and the first word that is neither begins the question, as
    it is; so does all behind `--`."""
    options = {variable.option: name for name, variable in prompt.variables.items()}
    files: list[str] = []
    chosen: dict[str, str] = {}
    text = rest.strip()
    while text:
        first = first_word(text)
        option, equals, value = first.word.partition("=")
        if option in options:
            following = first if equals else first_word(first.rest)
            chosen[options[option]] = value if equals else following.word
            text = following.rest
        elif first.word == "--":
            return PromptLine(tuple(files), chosen, first.rest, is_said=True)
        elif takes_file_words(prompt) and (file := _file(first.word)):
            files.append(file)
            text = first.rest
        else:
            break
    return PromptLine(tuple(files), chosen, _unquoted(text))


def _file(word: str) -> str:
    """What the word names, whether it is there or only looks like a path; "" for any other."""
    name = word.removeprefix(MENTION)
    is_file = is_attachable(name) if name != "-" else False
    return name if is_file or (LOOKS_LIKE_A_PATH.search(name) and "://" not in name) else ""


def _unquoted(text: str) -> str:
    first = first_word(text)
    return text if first.rest else first.word
