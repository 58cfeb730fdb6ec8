"""A conversation as a document: who said what, how it ended, and nothing that breaks it."""

from itertools import pairwise

from hypothesis import given, settings
from markdown_it import MarkdownIt
from msgspec.structs import replace
from past_conversations import WRITING, answer, conversation, question, remembered, talk

from assistant.conversation.history_files import Remembered
from assistant.conversation.records import Kind, State, StoredMessage
from assistant.events import Reason
from assistant.rendering.base import ReasoningMode
from assistant.rendering.conversation_facts import Branch, versions_of
from assistant.rendering.conversation_markdown import conversation_markdown


def branch(one: Remembered, *numbers: int) -> Branch:
    """Of all messages, or of those with these numbers."""
    shown = tuple(m for m in one.messages if not numbers or m.number in numbers)
    return Branch(one.conversation, shown, versions_of(one.messages))


def document(*messages: StoredMessage, mode: ReasoningMode = ReasoningMode.HIDE) -> str:
    """Without its title."""
    one = Remembered(conversation(), messages)
    return conversation_markdown(branch(one), mode).split("\n\n", 2)[2]


def test_a_conversation_looks_like_this() -> None:
    assert conversation_markdown(branch(talk(), 1, 3, 4, 5)) == (
        "# Sorting\n\n"
        "k7m2q, begun on 2025-01-03\n\n"
        "## You\n\n"
        "How do I sort a list?\n\n"
        "- app.py, 18 bytes\n\n"
        "## SmolLM2-135M-Instruct\n\n"
        "*2 versions: k7m2q.2, k7m2q.3*\n\n"
        "Use `sorted`.\n\n"
        "## You\n\n"
        "And in place?\n\n"
        "## SmolLM2-135M-Instruct\n\n"
        "```python\nx.sort()\n```\n"
    )


def test_an_export_holds_what_was_attached() -> None:
    asked = question(1, 0, "Why?", app_py="x = [2, 1]")
    one = Remembered(conversation(), (asked,))
    assert conversation_markdown(branch(one), is_whole=True).endswith(
        "Why?\n\n"
        "<details><summary>app.py, 18 bytes</summary>\n\n"
        "```\nx = [2, 1]\n```\n\n"
        "</details>\n"
    )


def test_what_is_attached_without_a_fence_gets_one_that_holds() -> None:
    sent = question(1, 0, "Why?", x="text")
    part = replace(sent.content[0].parts[1], text="# no\n````\n</details>", source="<a>\n.md")
    asked = replace(sent, content=(replace(sent.content[0], parts=(part,)),))
    one = Remembered(conversation(), (asked,))
    assert conversation_markdown(branch(one), is_whole=True).endswith(
        "<details><summary>&lt;a&gt; .md, 20 bytes</summary>\n\n"
        "`````\n# no\n````\n</details>\n`````\n\n"
        "</details>\n"
    )


def test_how_an_answer_ended_is_said() -> None:
    for state, reason, error, said in (
        (State.STOPPED, Reason.STOPPED, "", "\n\n*stopped*\n"),
        (State.INTERRUPTED, None, "", "\n\n*interrupted: llmchat ended in the middle of it*\n"),
        (State.FAILED, Reason.FAILED, "no\nmemory", "\n\n*failed: no memory*\n"),
        (State.FAILED, Reason.FAILED, "", "\n\n*failed*\n"),
        (State.STREAMING, None, "", "\n\n*still being written*\n"),
        (State.COMPLETE, Reason.LENGTH, "", "\n\n*cut: max_tokens were written*\n"),
        (State.COMPLETE, Reason.DONE, "", "so\n```\n"),
    ):
        writing = replace(WRITING, reason=reason, error=error)
        text = document(answer(1, 0, "```\nso", state, writing))
        assert text == "## SmolLM2-135M-Instruct\n\n```\nso\n```" + said.removeprefix("so\n```")


def test_an_answer_without_a_known_writer_is_an_answer() -> None:
    assert document(answer(1, 0, "so", writing=None)) == "## Answer\n\nso\n"


def test_thoughts_are_shown_when_they_are_wanted() -> None:
    said = answer(1, 0, "so", reasoning="```\nhm")
    assert "hm" not in document(said)
    folded = "<details><summary>Reasoning</summary>\n\n```\nhm\n```\n\n</details>"
    head = "## SmolLM2-135M-Instruct"
    assert document(said, mode=ReasoningMode.SHOW) == f"{head}\n\n{folded}\n\nso\n"
    assert document(said, mode=ReasoningMode.ONLY) == f"{head}\n\n{folded}\n"


def test_a_summary_says_what_it_stands_for() -> None:
    summary = StoredMessage(6, 5, Kind.SUMMARY, State.COMPLETE, "Short.", 0.0, covers=4)
    assert document(summary) == ("## Summary\n\n*stands for everything up to k7m2q.4*\n\nShort.\n")
    assert document(replace(summary, text="")) == (
        "## Summary\n\n*there is no summary: the model no longer sees everything up to k7m2q.4*\n"
    )


def test_a_fork_says_where_it_comes_from() -> None:
    one = Remembered(conversation(title=" \n", fork_of="abcde.4"), ())
    assert conversation_markdown(branch(one)) == (
        "# k7m2q\n\nk7m2q, begun on 2025-01-03, a fork of abcde.4\n"
    )


@settings(max_examples=200, deadline=None)
@given(remembered())
def test_every_message_has_its_heading(one: Remembered) -> None:
    markdown = conversation_markdown(branch(one), ReasoningMode.SHOW, is_whole=True)
    tokens = MarkdownIt("commonmark").parse(markdown)
    headings = [
        (opening.tag, content.content)
        for opening, content in pairwise(tokens)
        if opening.type == "heading_open" and opening.level == 0 and opening.markup.startswith("#")
    ]
    assert headings[0][0] == "h1"
    said = [tag for tag, _ in headings[1:]]
    assert said.count("h2") >= len(one.messages)
