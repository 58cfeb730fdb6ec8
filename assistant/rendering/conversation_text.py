"""A branch of a conversation on a terminal: answers look as they did when they arrived."""

from collections.abc import Iterator
from typing import TextIO

from assistant.conversation.message_names import join_name
from assistant.conversation.records import Kind, StoredMessage
from assistant.events import ReasoningChunk, TextChunk
from assistant.rendering.base import ReasoningMode
from assistant.rendering.conversation_facts import (
    Branch,
    attached,
    author,
    ending,
    notes,
    title_of,
)
from assistant.rendering.conversation_markdown import conversation_markdown
from assistant.rendering.final_lines import FinalLinesRenderer
from assistant.rendering.quantities import age_text, size_text
from assistant.rendering.tables import cell_width, clip, one_line, terminal_columns
from assistant.visible_text import visible

BOLD, DIM, RESET = "\x1b[1m", "\x1b[2m", "\x1b[m"
COLORS = {Kind.QUESTION: "\x1b[1;36m", Kind.ANSWER: "\x1b[1;32m", Kind.SUMMARY: "\x1b[1;33m"}
SEPARATOR = " · "


def write_branch(
    branch: Branch, out: TextIO, reasoning: ReasoningMode, *, has_color: bool, now: float
) -> None:
    """With colours where they are wanted, else as Markdown, which a terminal gets made visible.

    `now` in seconds since the epoch.
    """
    if not has_color:
        text = conversation_markdown(branch, reasoning)
        out.write(visible(text) if out.isatty() else text)
        return
    columns = terminal_columns(out)
    out.writelines(f"{line}\n" for line in _head(branch, columns, now))
    for message in branch.messages:
        out.write("\n" + _heading(message, branch, columns, now) + "\n")
        _write_lines(notes(message, branch), out)
        _write_text(message, out, reasoning)
        _write_lines(_attached(message), out)
        _write_lines([said] if (said := ending(message)) else [], out)


def _head(branch: Branch, columns: int | None, now: float) -> Iterator[str]:
    conversation = branch.conversation
    facts = [conversation.name, conversation.folder, age_text(conversation.updated, now)]
    if conversation.fork_of:
        facts.append(f"fork of {conversation.fork_of}")
    yield f"{BOLD}{clip(one_line(title_of(conversation)), columns)}{RESET}"
    yield f"{DIM}{clip(one_line(SEPARATOR.join(facts)), columns)}{RESET}"


def _heading(message: StoredMessage, branch: Branch, columns: int | None, now: float) -> str:
    who = clip(one_line(author(message)), columns)
    name = join_name(branch.conversation.name, message.number)
    room = None if columns is None else columns - cell_width(who) - 1
    facts = SEPARATOR.join([name, age_text(message.created, now)])
    color = COLORS[message.kind]
    if room is not None and room < 1:
        return f"{color}{who}{RESET}"
    return f"{color}{who}{RESET} {DIM}{clip(facts, room)}{RESET}"


def _write_text(message: StoredMessage, out: TextIO, reasoning: ReasoningMode) -> None:
    """Questions as they were typed, everything else as the Markdown that models write."""
    if message.kind is Kind.QUESTION:
        text = visible(message.text.strip("\n"))
        out.write(f"{text}\n" if text else "")
        return
    renderer = FinalLinesRenderer(out, reasoning)
    for event in (ReasoningChunk(message.reasoning), TextChunk(message.text)):
        if event.text:
            renderer.show(event)
    renderer.close()


def _attached(message: StoredMessage) -> list[str]:
    return [f"attached {file.name}, {size_text(file.size_bytes)}" for file in attached(message)]


def _write_lines(lines: list[str], out: TextIO) -> None:
    out.writelines(f"{DIM}{one_line(line)}{RESET}\n" for line in lines)
