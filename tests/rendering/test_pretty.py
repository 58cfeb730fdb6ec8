"""Answers on a terminal: the same screen however they arrive, nothing lost, nothing obeyed."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pretend_terminal import Clock, PretendTerminal, show

from assistant.events import Event, ReasoningChunk, TextChunk
from assistant.rendering.base import ReasoningMode
from assistant.rendering.pretty import PrettyRenderer

QUICKSORT = '''\
def quicksort(items):
    """Sort items.

    If a list is short, return it.
    """
    # nothing to do
    if len(items) < 2:
        return items
    print("pivot", items[0])
    small = [x for x in items[1:] if x < items[0]]
    return quicksort(small)
'''

ANSWER = f"""\
# Quicksort

A paragraph of **bold** words that is long enough to be wrapped by an ordinary terminal, with \
`code`, a [link](https://example.org/a?b=c) and 漢字も入っています、とても長い文章です。

```python
{QUICKSORT}```

1. First item, which is so long that it has to be wrapped as well, at least on a narrow screen
   ```bash
   ls -la  # all
   ```
   More about it.
2. Second item
   - nested
10. Tenth

> A quote with `vector<int>`.

| Case | Time |
|------|-----:|
| best | n    |

~~~~text
```
inside
```
~~~~
Setext
------
The end
"""

ALLOWED = re.compile(
    r"\x1b\[[0-9;]*m|\x1b\[\d+A|\x1b\[J|\x1b\[\?2026[hl]|\x1b\[\?7[hl]|\r\n|\r(?=\x1b\[J)|[^\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def only_allowed(written: str) -> bool:
    return not ALLOWED.sub("", written)


def pieces(text: str, sizes: list[int]) -> Iterator[str]:
    at = 0
    while at < len(text):
        size = sizes[at % len(sizes)]
        yield text[at : at + size]
        at += size


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=9), st.sampled_from([20, 47, 80]))
def test_any_split_of_the_answer_gives_the_same_screen(sizes: list[int], columns: int) -> None:
    whole = show([ANSWER], PretendTerminal(columns, 12))
    split = show(pieces(ANSWER, sizes), PretendTerminal(columns, 12))
    assert split.rows == whole.rows
    assert split.cells == whole.cells


def test_every_character_one_by_one_gives_the_same_screen() -> None:
    assert show(ANSWER).rows == show([ANSWER]).rows


def test_slow_and_fast_answers_look_the_same() -> None:
    fast = show(pieces(ANSWER, [3]), seconds_between=0.001)
    assert fast.rows == show(pieces(ANSWER, [3]), seconds_between=9).rows


@pytest.mark.parametrize("columns", [20, 80])
def test_every_line_of_code_is_there_exactly(columns: int) -> None:
    terminal = show(pieces(ANSWER, [4]), PretendTerminal(columns))
    unwrapped = terminal.text if columns == 80 else "".join(r.ljust(columns) for r in terminal.rows)
    for line in QUICKSORT.splitlines():
        assert line in unwrapped


def test_finished_code_is_written_once() -> None:
    terminal = show([line + "\n" for line in ANSWER.split("\n")])
    assert terminal.written.count("quicksort") == QUICKSORT.count("quicksort")


def test_an_answer_without_a_final_line_end_looks_the_same() -> None:
    assert show([ANSWER.rstrip("\n")]).rows == show([ANSWER]).rows


def test_line_ends_of_windows_look_the_same() -> None:
    crlf = show(pieces(ANSWER.replace("\n", "\r\n"), [1, 2, 3]))
    assert crlf.rows == show([ANSWER]).rows


def test_keyword_string_and_comment_have_three_colors() -> None:
    terminal = show(pieces(f"```python\n{QUICKSORT}```\n", [5]), PretendTerminal(80, 40))
    colors = {terminal.color_of(word) for word in ("def", '"pivot"', "# nothing")}
    assert len(colors) == 3
    assert "default" not in colors


def test_a_docstring_has_its_color_while_it_streams() -> None:
    code = QUICKSORT.partition("return it.")[0]
    terminal = show(pieces("```python\n" + code, [5]), PretendTerminal(80, 40), close=False)
    assert terminal.color_of("If a list") == terminal.color_of('"""Sort') != "default"


def test_an_open_block_comment_has_its_color_while_it_streams() -> None:
    terminal = show(["```js\nlet a\n/* one\n * two for\n"], close=False)
    assert terminal.color_of("two") == terminal.color_of("one") != terminal.color_of("let")


@pytest.mark.parametrize(
    "kept",
    [
        "vector<int>",
        "<b>html</b>",
        "<!-- note -->",
        "&lt;",
        "[a]: http://x.y",
        "https://x.y/z?q=1",
        "alt",
        "src.png",
    ],
)
def test_nothing_in_the_text_vanishes(kept: str) -> None:
    text = (
        "A vector<int> and <b>html</b> &lt; <https://x.y/z?q=1>\n\n<!-- note -->\n\n"
        "[a]: http://x.y\n\n![alt](src.png)\n"
    )
    assert kept in show([text]).text


def test_a_list_that_is_all_ones_is_counted() -> None:
    rows = show(pieces("1. a\n1. b\n\n1. c\n", [2])).rows
    assert [row.strip() for row in rows] == ["1. a", "2. b", "3. c"]


def test_a_table_that_does_not_fit_keeps_its_cells() -> None:
    text = "| a1 | b2 | c3 | d4 |\n|-|-|-|-|\n| e5 | f6 | g7 | h8 |\n"
    for columns in (8, 12, 20, 60):
        shown = show([text], PretendTerminal(columns)).text
        assert {"a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8"} <= set(shown.split())


def test_a_paragraph_taller_than_the_screen_is_whole_in_the_history() -> None:
    words = [f"word{number}" for number in range(400)]
    terminal = show(pieces(" ".join(words), [7]), PretendTerminal(40, 8))
    assert terminal.text.split() == words


def test_a_long_list_is_whole_in_the_history() -> None:
    items = "".join(f"- item {number}\n" for number in range(100))
    terminal = show(pieces(items, [5]), PretendTerminal(40, 8))
    assert terminal.rows == [f" • item {number}" for number in range(100)]


def test_a_very_long_line_of_code_is_left_to_the_terminal_to_wrap() -> None:
    line = "x = [" + ", ".join(map(str, range(900))) + "]"
    terminal = show(pieces(f"```python\n{line}\n```\n", [9]))
    assert line in "".join(row.ljust(80) for row in terminal.rows)
    assert line in terminal.written


def test_code_keeps_its_tabs() -> None:
    assert "\tindented" in show(["```make\na:\n\tindented\n```\n"]).written


def test_closing_in_the_middle_keeps_what_came_and_starts_a_new_line() -> None:
    for end in range(0, len(ANSWER), 7):
        terminal = show([ANSWER[:end]])
        assert terminal.screen.cursor.x == 0
        assert not terminal.screen.cursor.hidden
        assert terminal.screen.cursor.attrs == PretendTerminal().screen.cursor.attrs
    assert "nothing to do" in show([ANSWER[: ANSWER.index("to do") + 5]]).text


def test_closing_twice_writes_nothing_more_to_see() -> None:
    terminal = PretendTerminal()
    renderer = PrettyRenderer(terminal.out, size=terminal.size)
    renderer.show(TextChunk("text"))
    renderer.close()
    rows, cursor = terminal.rows, terminal.screen.cursor.y
    renderer.close()
    assert (terminal.rows, terminal.screen.cursor.y) == (rows, cursor)


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 8, 20])
def test_a_very_narrow_screen_is_survived(columns: int) -> None:
    terminal = show(pieces(ANSWER, [11]), PretendTerminal(columns, 5))
    assert only_allowed(terminal.written)


def test_a_resized_window_keeps_every_word() -> None:
    terminal = PretendTerminal(60, 20)
    clock = Clock()
    renderer = PrettyRenderer(terminal.out, size=terminal.size, clock=clock)
    words = [f"word{number}" for number in range(60)]
    for index, word in enumerate(words):
        if index == 30:
            terminal.screen.resize(20, 40)
        renderer.show(TextChunk(word + " "))
        clock.seconds += 1
    renderer.close()
    assert set(words) <= set(terminal.text.split())


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(st.characters(codec=None, categories=None), max_size=9),
            st.sampled_from(
                [
                    "\x1b[2J",
                    "\x1b]52;c;aGk=\x07",
                    "\x1b]8;;http://x\x1b\\",
                    "\x9b6n",
                    "\r",
                    "\x1bP",
                    "\x1b[?25l",
                ]
            ),
            st.sampled_from(
                [
                    "```py\n",
                    "```\n",
                    "\n",
                    "\n\n",
                    "- ",
                    "1. ",
                    "| a |\n|--|\n",
                    "> ",
                    "# ",
                    "**",
                    "`",
                    "    ",
                ]
            ),
            st.sampled_from(
                ["&#27;[2J", "&#x202e;", "&zwj;", "[a](&#x202e;)", "<http://\u202e>", "![", "](x)"]
            ),
        ),
        max_size=30,
    ),
    st.sampled_from([10, 80]),
)
def test_no_sequence_of_the_model_reaches_the_terminal(chunks: list[str], columns: int) -> None:
    terminal = show(chunks, PretendTerminal(columns, 10))
    assert only_allowed(terminal.written)
    assert not set("\u202e\u200d\u200b\u2066") & set(terminal.written)


def test_no_byte_of_the_model_reaches_the_terminal() -> None:
    every = "".join(map(chr, range(256)))
    for text in (every, f"```python\n{every}\n```", f"```{every}", f"> ```{every}\n> {every}"):
        terminal = show([text, *text], PretendTerminal(70, 30), seconds_between=0.01)
        assert only_allowed(terminal.written)


def test_redraws_are_few_and_the_live_region_stays_small() -> None:
    terminal = show(pieces("word " * 300, [1]), PretendTerminal(40, 10), seconds_between=0.001)
    assert terminal.written.count("\x1b[?2026h") <= 1.5 / 0.05 + 3


def test_reasoning_is_apart_from_the_answer() -> None:
    events: list[Event | str] = [
        ReasoningChunk("Let me\n\nthink. "),
        ReasoningChunk("Well\n\n"),
        TextChunk("\n\nYes."),
    ]
    terminal = show(events)
    assert terminal.rows == ["│ Let me", "│", "│ think. Well", "", "Yes."]
    assert "\x1b[2m│ Let me" in terminal.written


@pytest.mark.parametrize(
    ("mode", "rows"),
    [(ReasoningMode.HIDE, ["Yes."]), (ReasoningMode.ONLY, ["│ Hm."])],
)
def test_reasoning_can_be_hidden_or_shown_alone(mode: ReasoningMode, rows: list[str]) -> None:
    assert show([ReasoningChunk("Hm."), TextChunk("Yes.")], reasoning=mode).rows == rows


def test_other_candidates_are_not_shown() -> None:
    assert show([TextChunk("one"), TextChunk("two", candidate=1)]).rows == ["one"]
