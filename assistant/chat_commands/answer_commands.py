"""Commands about the last answer, and about asking its question again."""

from collections.abc import Iterator

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.command import Command
from assistant.chat_commands.details import details_table
from assistant.chat_commands.effects import (
    AnswerAgain,
    Ask,
    CopyText,
    EditQuestion,
    Effect,
    Say,
    ShowTable,
)
from assistant.chat_commands.past_questions import question_of
from assistant.chat_commands.path_choices import path_choices
from assistant.chat_commands.question_commands import warnings
from assistant.chat_commands.saving import undo, writing_of
from assistant.chat_commands.typed_words import first_word, split_words
from assistant.chat_commands.written_questions import rewritten
from assistant.code_blocks import CodeBlock, find_code_blocks
from assistant.conversation.records import State, StoredMessage
from assistant.edits.proposal import propose_file, propose_text
from assistant.errors import InputError, UsageError
from assistant.prompts.contents import fence

MOST_ALTERNATIVES = 8  # that an engine writes at once
CODE = "code"  # typed for the last block of an answer
GREEDY = "at temperature 0 every answer is the same"


def copy(chat: Chat, rest: str) -> Iterator[Effect]:
    answer = chat.answer()
    if rest:
        block = block_of(answer, rest)
        yield CopyText(block.code, f"code ({block.language})" if block.language else "code")
    elif answer.text.strip():
        yield CopyText(answer.text, "the last answer")
    else:
        raise InputError("the last answer is empty", "/regenerate")


def block_of(answer: StoredMessage, word: str) -> CodeBlock:
    """ "code" is the last block, a number counts from the first. Raises `InputError`."""
    blocks = find_code_blocks(answer.text)
    if not blocks:
        raise InputError("the last answer holds no code", "/copy")
    number = len(blocks) if word == CODE else int(word) if word.isdecimal() else 0
    if not 0 < number <= len(blocks):
        known = ", ".join(map(str, range(1, len(blocks) + 1)))
        raise InputError(f"the last answer has no code block {word}", f"/copy {CODE}, or {known}")
    return blocks[number - 1]


def save(chat: Chat, rest: str) -> Iterator[Effect]:
    answer, words = chat.answer(), split_words(rest)
    is_code = len(words) == 2 and (words[0] == CODE or words[0].isdecimal())
    if len(words) != 1 + is_code:
        raise UsageError("save needs a file", f"/save answer.md, or /save {CODE} app.py")
    if is_code:
        block = block_of(answer, words[0])
        proposal = propose_file(words[1], fence(block.code, block.language))
    else:
        proposal = propose_text(words[0], answer.text.rstrip("\n") + "\n")
    if answer.state is not State.COMPLETE:
        yield Say("The answer is not whole; what there is of it is written.")
    yield writing_of(proposal)


def undo_last(_chat: Chat, _rest: str) -> Iterator[Effect]:
    yield Say(undo())


def regenerate(chat: Chat, rest: str) -> Iterator[Effect]:
    question = chat.asked(_number(rest, "/regenerate"))
    answers = [m for m in chat.messages if m.parent == question.number]
    is_whole = all(answer.state is State.COMPLETE for answer in answers)
    if answers and is_whole and not draws(chat, question):
        raise UsageError(GREEDY, "/set temperature 0.8")
    yield AnswerAgain(question.number)


def alternatives(chat: Chat, rest: str) -> Iterator[Effect]:
    count = int(rest) if rest.isdecimal() and len(rest) < 4 else 0
    if not 0 < count <= MOST_ALTERNATIVES:
        raise UsageError(
            f"alternatives takes a number from 1 to {MOST_ALTERNATIVES}", "/alternatives 3"
        )
    question = chat.asked()
    if not draws(chat, question):
        raise UsageError(GREEDY, "/set temperature 0.8")
    yield AnswerAgain(question.number, count)


def draws(chat: Chat, question: StoredMessage) -> bool:
    """Whether another answer to it may differ from the last."""
    if chat.chosen.temperature is not None:
        return chat.chosen.temperature > 0
    writings = chat.writings(question.number)
    return not writings or writings[-1].sampling.temperature > 0


def edit(chat: Chat, rest: str) -> Iterator[Effect]:
    first = first_word(rest)
    asked = [m.number for m in chat.messages]
    has_number = first.word.isdecimal() and int(first.word) in asked
    message = chat.asked(int(first.word) if has_number else None)
    text = first.rest if has_number else rest
    question = question_of(message, chat)
    if not text:
        yield EditQuestion(question, message.number)
        return
    changed = rewritten(chat, question, text)
    yield from warnings(changed.notices)
    yield Ask(changed.question, instead_of=message.number)


def details(chat: Chat, rest: str) -> Iterator[Effect]:
    answer = chat.answer(_number(rest, "/details"))
    assert chat.conversation is not None
    table: ShowTable = details_table(chat.conversation.name, answer)
    yield table


def _number(word: str, usage: str) -> int | None:
    """Of a message; None: the last. Raises `UsageError`."""
    if not word:
        return None
    number = word.rpartition(".")[2]
    if not (number.isdecimal() and len(number) < 10):
        raise UsageError(f"{word[:80]} is no number of a message", usage)
    return int(number)


COMMANDS = (
    Command(
        "copy",
        "Copy the last answer, its last code block, or its second one.",
        copy,
        "[code | 2]",
        waits=False,
    ),
    Command(
        "save",
        "Write the last answer, or its code, to a file.",
        save,
        "[code | 2] FILE",
        complete=path_choices,
    ),
    Command("undo", "Take back the last file that llmchat wrote.", undo_last),
    Command("regenerate", "Write the last answer once more.", regenerate, "[NUMBER]", ("retry",)),
    Command("alternatives", "Write several other answers at once.", alternatives, "N"),
    Command("edit", "Change the last question and ask it again.", edit, "[NUMBER] [TEXT]"),
    Command(
        "details",
        "Say how the last answer was made: prompt, seed, sampling, times.",
        details,
        "[NUMBER]",
        waits=False,
    ),
)
