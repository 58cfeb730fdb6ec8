"""A branch of a conversation as a Markdown document: for files, pipes and plain terminals."""

import html
import re
from collections.abc import Iterator

from assistant.conversation.records import Kind, StoredMessage
from assistant.prompts.contents import fence
from assistant.rendering.base import ReasoningMode
from assistant.rendering.closed_markdown import close_markdown
from assistant.rendering.conversation_facts import (
    Attached,
    Branch,
    attached,
    author,
    ending,
    notes,
    title_of,
)
from assistant.rendering.quantities import size_text

OPENING_FENCE = re.compile(r"(`{3,})[^`\n]*\n")


def conversation_markdown(
    branch: Branch, reasoning: ReasoningMode = ReasoningMode.HIDE, *, is_whole: bool = False
) -> str:
    """Headings say who speaks; `is_whole`: with the texts that were attached, not just named."""
    conversation = branch.conversation
    begun = f"{conversation.name}, begun on {conversation.first_day}"
    if conversation.fork_of:
        begun += f", a fork of {conversation.fork_of}"
    blocks = [f"# {title_of(conversation)}", begun]
    for message in branch.messages:
        blocks += _message(message, branch, reasoning, is_whole=is_whole)
    return "\n\n".join(blocks) + "\n"


def _message(
    message: StoredMessage, branch: Branch, reasoning: ReasoningMode, *, is_whole: bool
) -> Iterator[str]:
    yield f"## {_line(author(message))}"
    yield from (f"*{_line(note)}*" for note in notes(message, branch))
    if message.reasoning.strip() and reasoning is not ReasoningMode.HIDE:
        yield _folded("Reasoning", close_markdown(message.reasoning.strip("\n")))
    is_shown = message.kind is Kind.QUESTION or reasoning is not ReasoningMode.ONLY
    if message.text.strip() and is_shown:
        yield close_markdown(message.text.strip("\n"))
    files = attached(message)
    if is_whole:
        yield from (_folded(_name_and_size(file), _fenced(file.text)) for file in files)
    elif files:
        yield "\n".join(f"- {_line(_name_and_size(file))}" for file in files)
    if said := ending(message):
        yield f"*{_line(said)}*"


def _folded(summary: str, text: str) -> str:
    """What a reader opens when he wants it; https://html.spec.whatwg.org/#the-details-element"""
    return f"<details><summary>{html.escape(_line(summary))}</summary>\n\n{text}\n\n</details>"


def _fenced(text: str) -> str:
    """In a code fence, where it is not in one already."""
    match = OPENING_FENCE.match(text)
    if match and text.endswith(f"\n{match[1]}") and text.count(match[1]) == 2:
        return text
    return fence(text, "")


def _name_and_size(file: Attached) -> str:
    return f"{file.name}, {size_text(file.size_bytes)}"


def _line(text: str) -> str:
    return " ".join(text.split())
