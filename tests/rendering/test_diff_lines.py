"""Diffs on a terminal: coloured as git does, and nothing in them is obeyed."""

import re

from hypothesis import given
from hypothesis import strategies as st

from assistant.rendering.diff_lines import diff_text

DIFF = (
    "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n same\n--- no header\n+++ nor this\n same\r\n"
    "@@ -9 +9 @@\n-old\n+new\n\\ No newline at end of file\n"
    "--- a/y\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"
)


def test_a_pipe_gets_exactly_the_diff() -> None:
    hostile = DIFF + " \x1b[2J\u202e\r\n"
    assert diff_text(hostile, is_terminal=False, has_color=False) == hostile
    assert diff_text(hostile, is_terminal=False, has_color=True) == hostile


def test_colours_follow_the_place_of_a_line_and_not_its_looks() -> None:
    shown = diff_text(DIFF, is_terminal=True, has_color=True)
    assert shown == (
        "\x1b[1m--- a/x\x1b[m\n\x1b[1m+++ b/x\x1b[m\n\x1b[36m@@ -1,3 +1,3 @@\x1b[m\n same\n"
        "\x1b[31m--- no header\x1b[m\n\x1b[32m+++ nor this\x1b[m\n same\n"
        "\x1b[36m@@ -9 +9 @@\x1b[m\n\x1b[31m-old\x1b[m\n\x1b[32m+new\x1b[m\n"
        "\\ No newline at end of file\n"
        "\x1b[1m--- a/y\x1b[m\n\x1b[1m+++ /dev/null\x1b[m\n\x1b[36m@@ -1 +0,0 @@\x1b[m\n"
        "\x1b[31m-gone\x1b[m\n"
    )


@given(st.text(), st.booleans())
def test_a_terminal_gets_no_control_character_but_our_colours(text: str, has_color: bool) -> None:
    shown = diff_text(DIFF + text, is_terminal=True, has_color=has_color)
    plain = re.sub("\x1b\\[(?:1|31|32|36)?m", "", shown) if has_color else shown
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain)


def test_nothing_is_shown_as_nothing() -> None:
    assert diff_text("", is_terminal=True, has_color=True) == ""
