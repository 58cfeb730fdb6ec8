"""Markdown as rows: what is code, what is a link, and that splitting the text changes nothing."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from assistant.tui.widgets.answer_text import LONGEST, AnswerText
from assistant.tui.widgets.rows import WHOLE, Action, CodeBlock, Link, Row, plain_text
from assistant.tui.widgets.strips import plain

DOCUMENT = """# Sorting

See [the docs](https://example.org/a) and https://b.example/x.

```python
def sort(xs):
\treturn sorted(xs)
```

- one
- two

~~~
no language
~~~
The end.
"""


def rows_of(text: str, columns: int = 60) -> list[Row]:
    made = AnswerText(columns)
    made.feed(text)
    made.close()
    return made.finished


def lines_of(text: str, columns: int = 60) -> list[str]:
    return [plain(row.line) for row in rows_of(text, columns)]


PARTS = st.sampled_from(
    ["# T\n\n", "word ", "`x` ", "\n", "\n\n", "- item\n", "1. one\n", "```", "```py\n", "    ",
     "| a | b |\n|---|---|\n| 1 | 2 |\n", "> quote\n", "[l](https://x.example) ", "**b", "<b>",
     "\r\n", "\r", "\x1b[31m", "\u202e", "你好", "~~~\n", "\t", "[/] ", "---\n", "$ "]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, max_size=20).map("".join), st.data())
def test_any_split_of_a_text_gives_the_same_rows(text: str, data: st.DataObject) -> None:
    whole, made = rows_of(text, 30), AnswerText(30)
    at = 0
    while at < len(text):
        size = data.draw(st.integers(1, 9))
        made.feed(text[at : at + size])
        made.unfinished()  # looking at it changes nothing
        at += size
    made.close()
    assert made.finished == whole


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, max_size=20).map("".join), st.integers(1, 50))
def test_rows_never_hold_what_a_terminal_obeys(text: str, columns: int) -> None:
    made = AnswerText(columns)
    made.feed(text)
    for row in [*made.finished, *made.unfinished()]:
        assert plain(row.line).isprintable(), row.line
        assert "\t" not in row.line


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 70))
def test_code_fits_every_width_and_nothing_of_it_is_lost(columns: int) -> None:
    code = "x = 'a very long line of code, longer than many a screen' + 你好\n\tindented\n"
    rows = [row for row in rows_of(f"```python\n{code}```\n", columns) if not row.is_chrome]
    assert all(cell_len(plain(row.line)) <= columns for row in rows)
    assert plain_text(rows) == code.rstrip("\n").expandtabs(8)
    assert {row.code for row in rows} == {0}


def test_code_blocks_are_the_text_as_it_was_written() -> None:
    made = AnswerText(20)
    made.feed(DOCUMENT)
    assert made.code_blocks == [
        CodeBlock("python", "def sort(xs):\n\treturn sorted(xs)\n"),
        CodeBlock("", "no language\n"),
    ]


def test_a_code_block_can_be_taken_while_it_is_written() -> None:
    made = AnswerText(60)
    made.feed("```c\nint a;\nint ")
    assert made.code_blocks == [CodeBlock("c", "int a;\nint ")]
    made.feed("b;")
    assert made.code_blocks == [CodeBlock("c", "int a;\nint b;")]
    assert plain(made.unfinished()[0].line) == "int b;"


def test_what_may_become_the_closing_fence_is_no_code_yet() -> None:
    made = AnswerText(60)
    made.feed("```c\nint a;\n``")
    assert made.code_blocks == [CodeBlock("c", "int a;\n")]
    assert made.unfinished() == []


def test_a_fence_that_is_never_closed_is_code_to_the_end() -> None:
    assert AnswerText(60).code_blocks == []
    made = AnswerText(60)
    made.feed("Look:\n```\nopen")
    made.close()
    assert made.code_blocks == [CodeBlock("", "open")]
    assert [plain(row.line) for row in made.finished][-1] == "open"


def test_each_code_block_has_a_head_with_what_can_be_done() -> None:
    heads = [row for row in rows_of(DOCUMENT) if row.is_chrome]
    assert [row.code for row in heads] == [0, 1]
    assert plain(heads[0].line).startswith("python ──")
    for head in heads:
        text = plain(head.line)
        assert cell_len(text) == 60
        assert [text[t.start : t.end] for t in head.targets] == ["copy", "save", "insert"]
        assert [t.what for t in head.targets] == [Action.COPY, Action.SAVE, Action.INSERT]


@pytest.mark.parametrize("columns", [1, 2, 5, 12, 20, 25, 40, 300])
def test_a_head_fits_every_width(columns: int) -> None:
    for language in ("", "python", "src/a/very/long/path/of/a/file.py", "\x1b[31m", "语言"):
        head = rows_of(f"```{language}\nx\n```\n", columns)[0]
        assert cell_len(plain(head.line)) <= max(columns, 1)
        assert all(t.end <= columns for t in head.targets)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`vector<int>` and vector<int> x", "vector<int> and vector<int> x"),
        ("<b>bold</b> &amp; <!-- no -->", "<b>bold</b> &amp; <!-- no -->"),
        ("[/] [bold]x[/bold] [red", "[/] [bold]x[/bold] [red"),
        ("![a picture](https://evil.example/x.png)", "!a picture (https://evil.example/x.png)"),
        ("a\x85b\x0cc\u2028d", r"a\x85b\x0cc\u{2028}d"),
        ("\x1b]52;c;aGk=\x07 \x9b31m \u202e!", r"\x1b]52;c;aGk=\x07 \x9b31m \u{202e}!"),
        ("**never closed", "**never closed"),
        ("| a |\n| b", "| a | | b"),
    ],
)
def test_nothing_vanishes_and_nothing_is_obeyed(text: str, shown: str) -> None:
    assert " ".join(lines_of(text)) == shown


def test_links_are_found_where_they_stand() -> None:
    found = [
        (plain(row.line)[t.start : t.end], t.what.url)
        for row in rows_of(DOCUMENT)
        for t in row.targets
        if isinstance(t.what, Link)
    ]
    assert found == [
        ("https://example.org/a", "https://example.org/a"),
        ("https://b.example/x", "https://b.example/x"),
    ]


@pytest.mark.parametrize("columns", [12, 20, 33, 50])
def test_a_link_that_is_broken_over_rows_is_one_link(columns: int) -> None:
    url = "https://example.org/a/very/long/path/to/something.html?with=arguments"
    for text in (f"See [it]({url}), yes.", f"- See {url}", f"> {url} is it"):
        pieces = [
            plain(row.line)[t.start : t.end]
            for row in rows_of(text, columns)
            for t in row.targets
            if t.what == Link(url)
        ]
        assert "".join(pieces) == url, text


def test_addresses_in_code_are_no_links() -> None:
    rows = rows_of("`https://a.example`\n\n```\nhttps://b.example\n```\n")
    assert [t for row in rows for t in row.targets if isinstance(t.what, Link)] == []


def test_a_line_that_is_too_long_is_plain_text_in_pieces() -> None:
    text = "**word** " * (LONGEST // 3)
    rows = lines_of(text, 90)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")


def test_a_megabyte_in_one_line_takes_a_moment_while_it_arrives() -> None:
    started, made = time.process_time(), AnswerText(90)
    for _ in range(250):
        made.feed("some words " * 364)  # 4 kB
        assert len(made.unfinished()) < 400
    made.close()
    assert len(made.finished) > 10_000
    assert time.process_time() - started < 20


def test_a_block_without_an_end_is_ended() -> None:
    made = AnswerText(60)
    for _ in range(2_000):
        made.feed("line after line without an empty one\n")
    assert len(made.finished) > 500
    assert len(made.unfinished()) < LONGEST / 30
    assert made.code_blocks == []


def test_prose_after_code_belongs_to_no_block() -> None:
    rows = rows_of(DOCUMENT)
    assert rows[-1].code == WHOLE
    assert plain(rows[-1].line) == "The end."
