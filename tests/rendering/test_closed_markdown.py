"""Nothing that somebody wrote swallows the heading after it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assistant.rendering.closed_markdown import close_markdown

PARSER = MarkdownIt("commonmark")
PIECES = (
    *("```", "````", "~~~", "~~~~", "`", "```py", "~~~ a`b", "``` a`b", "text", "\n", "\n\n", "\r"),
    *("- ", "1. ", "> ", "  ", "    ", "\t", "<!--", "-->", "<?php", "?>", "<![CDATA[", "]]>"),
    *("<script>", "</script>", "<pre>", "</PRE>", "<style", "<textarea>", "<!X", "<div>", "# x"),
    *("[a]: <b", "'", "\\", "|--|", "***", "\0", "\x0b", "\u2028", "=\n"),
)
messy = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def last_heading(document: str) -> str:
    """The text of the document's last block, if that is a heading at its top level."""
    match PARSER.parse(document)[-3:]:
        case [opening, content, _] if opening.type == "heading_open" and opening.level == 0:
            return content.content
    return ""


@settings(max_examples=1000, deadline=None)
@given(messy)
def test_a_heading_after_any_text_is_one(text: str) -> None:
    closed = close_markdown(text)
    assert last_heading(f"{closed}\n\n## You\n") == "You"
    assert text in closed or text.removesuffix("\n") in closed


@settings(max_examples=300, deadline=None)
@given(messy)
def test_text_that_leaves_nothing_open_stays_as_it_is(text: str) -> None:
    closed = close_markdown(text)
    assert close_markdown(closed) == closed
    if last_heading(f"{text}\n\n## You\n") == "You":
        assert closed == text


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("```py\nx = 1", "```py\nx = 1\n```"),
        ("````\n```\n", "````\n```\n````"),
        ("```\n~~~\n```\ntext\n~~~\n```", "```\n~~~\n```\ntext\n~~~\n```\n~~~"),
        ("- item\n  ```\n  x", "- item\n  ```\n  x"),  # ends with its item
        ("> ```\n> x", "> ```\n> x"),
        ("   ```\nx", "   ```\nx\n```"),
        ("    ```\nx", "    ```\nx"),  # code by indentation
        ("<!-- a\n\nb", "<!-- a\n\nb\n-->"),
        ("<pre>\n```", "<pre>\n```\n</pre>"),
        ("say `<!--` or ```", "say `<!--` or ```"),
    ],
)
def test_what_is_open_is_ended(text: str, closed: str) -> None:
    assert close_markdown(text) == closed
