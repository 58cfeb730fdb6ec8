"""What the words behind a command are: files, a question, or a mistake."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from msgspec import Struct

from assistant.attachments.names import is_attachable
from assistant.cli.options import as_text
from assistant.errors import InputError, UsageError
from assistant.prompts.prompt_file import PromptFile, Takes

SHORTEST_BEGINNING = 4  # of a command that is taken for a mistake
LOOKS_LIKE_A_PATH = re.compile(r"/|\w\.\w|::")


class Words(Struct, frozen=True):
    """`files` as they were typed, and the words of the question as one text."""

    files: tuple[str, ...] = ()
    text: str = ""


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
    takes_files = Takes.FILES in prompt.takes and Takes.QUESTION not in prompt.needs
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


def check_something_given(prompt: PromptFile, words: Words, *, has_more: bool) -> None:
    """Raises `UsageError` when there is nothing to work on; `has_more`: -f, -e or a pipe."""
    if words.text.strip() or words.files or has_more:
        return
    needed = "a question"
    if Takes.QUESTION not in prompt.needs:
        needed = "a file" if Takes.FILES in prompt.takes else "text on standard input"
    raise UsageError(f"{prompt.name} needs {needed}", example(prompt))


def example(prompt: PromptFile) -> str:
    return prompt.examples[0] if prompt.examples else f"llmchat {prompt.name} --help"


def refuse_mistyped(words: Sequence[str], commands: Iterable[str]) -> None:
    """`explian app.py`, `expl app.py` and `EXPLAIN app.py` are mistakes and not questions.

    Raises `UsageError`.
    """
    if not words or not all(is_attachable(word) for word in words[1:]):
        return
    for command in commands:
        if _is_meant(words[0], command):
            raise UsageError(
                f"there is no command {words[0]}",
                f"did you mean {command}? a question goes after --",
            )


def _is_meant(word: str, command: str) -> bool:
    is_beginning = len(word) >= SHORTEST_BEGINNING and command.startswith(word.lower())
    return is_beginning or word.lower() == command or is_one_edit_away(word, command)


def is_one_edit_away(word: str, other: str) -> bool:
    """One letter more, less or another, or two neighbours swapped."""
    if len(word) > len(other):
        word, other = other, word
    same = next((at for at, letter in enumerate(word) if letter != other[at]), len(word))
    rest, others = word[same:], other[same:]
    if len(rest) < len(others):
        return rest == others[1:]
    return word != other and (
        rest[1:] == others[1:] or (rest[:2] == others[1::-1] and rest[2:] == others[2:])
    )


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
