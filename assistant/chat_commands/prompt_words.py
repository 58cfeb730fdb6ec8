"""What the words behind a prompt's name are, in a shell and in a chat: files, or a question."""

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile

from msgspec import Struct

from assistant.attachments.names import is_attachable
from assistant.errors import InputError, UsageError
from assistant.prompts.prompt_file import PromptFile, Takes

LOOKS_LIKE_A_PATH = re.compile(r"/|\w\.\w|::")


class Words(Struct, frozen=True):
    """`files` as they were typed, and the words of the question as one text."""

    files: tuple[str, ...] = ()
    text: str = ""


def takes_file_words(prompt: PromptFile) -> bool:
    """Whether its words are files; else they are the question, and files come another way."""
    return Takes.FILES in prompt.takes and Takes.QUESTION not in prompt.needs


def sort_words(
    prompt: PromptFile,
    words: Sequence[str],
    after: Sequence[str],
    chosen: Mapping[str, str],
    *,
    has_more: bool = False,
) -> Words:
    """Words after `--` are always a question; before it the prompt's needs decide.

    A prompt that works on files takes its words as files; a word with blanks that names none
    is the question about them; `has_more`: there are files elsewhere that it can be about. Raises
    `InputError` when all of them read like a sentence, and `UsageError` when the prompt takes no
    words.
    """
    takes_files = takes_file_words(prompt)
    takes_question = Takes.QUESTION in prompt.takes
    files = [word for word in words if takes_files and not (takes_question and _is_said(word))]
    said = [word for word in words if word not in files] + list(after)
    if said and not takes_question:
        kind = "no question" if takes_files else "no words"
        raise UsageError(f"{prompt.name} takes {kind} ({as_text(said[0])})", example(prompt))
    about_nothing = Takes.FILES in prompt.needs and not (files or after or has_more)
    if _reads_like_a_sentence(words if takes_files and about_nothing else files):
        question = as_text(" ".join([prompt.name, *words, *_spoken(chosen)])).replace('"', "'")
        hint = f'a question: llmchat "{question}"'
        raise InputError(f"there is no file {as_text(words[0])}", hint)
    if takes_question and not said:
        _refuse_unquoted(prompt, files)
    return Words(tuple(files), as_text(" ".join(said)))


def check_variables(prompt: PromptFile, chosen: Mapping[str, str]) -> None:
    """Raises `UsageError` when one without a default was not given."""
    for name, variable in prompt.variables.items():
        if variable.default is None and not chosen.get(name, "").strip():
            needed = f"{variable.option} {variable.metavar}"
            raise UsageError(f"{prompt.name} needs {needed}", example(prompt))


def check_something_given(prompt: PromptFile, words: Words, *, has_more: bool) -> None:
    """Raises `UsageError` when there is nothing to work on; `has_more`: it comes another way."""
    if words.text.strip() or words.files or has_more:
        return
    needed = "a question"
    if Takes.QUESTION not in prompt.needs:
        needed = "a file" if Takes.FILES in prompt.takes else "text on standard input"
    raise UsageError(f"{prompt.name} needs {needed}", example(prompt))


def example(prompt: PromptFile) -> str:
    return prompt.examples[0] if prompt.examples else f"llmchat {prompt.name} --help"


def as_text(word: str) -> str:
    """A typed word: bytes that the locale could not decode are UTF-8 after all, or replaced."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _is_said(word: str) -> bool:
    return len(word.split()) > 1 and not is_attachable(word)


def _reads_like_a_sentence(names: Sequence[str]) -> bool:
    words = [word for name in names for word in name.split()]
    is_sentence = len(words) > 1 and not all(LOOKS_LIKE_A_PATH.search(word) for word in words)
    return is_sentence and not any(is_attachable(name) for name in names)


def _refuse_unquoted(prompt: PromptFile, files: Sequence[str]) -> None:
    """`explain app.py why is it slow`: what follows the files is the question about them."""
    there = list(takewhile(is_attachable, files))
    rest = files[len(there) :]
    if not there or len(rest) < 2 or any(LOOKS_LIKE_A_PATH.search(word) for word in rest):
        return
    question = as_text(" ".join(rest)).replace('"', "'")
    hint = f'about it: llmchat {as_text(" ".join([prompt.name, *there]))} -- "{question}"'
    raise InputError(f"there is no file {as_text(rest[0])}", hint)


def _spoken(chosen: Mapping[str, str]) -> list[str]:
    return [word for name, value in chosen.items() for word in (name, value)]
