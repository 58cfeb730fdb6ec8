"""Hidden characters become visible, and nothing else changes."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.visible_text import VisibleStream, visible

ANY_TEXT = st.text(st.characters(codec=None, categories=None))
# Format characters that have a shape: number signs and the like.
SHAPED = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"


def test_no_character_that_a_terminal_obeys_or_hides_is_left() -> None:
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    suspects = [char for char in every if unicodedata.category(char) in hidden]
    assert {char for char in suspects if char in visible(char)} == {"\t", "\n", *SHAPED}


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b", "\\x9b"),
        ("\x7f", "\\x7f"),
        ("a\u202eb", "a\\u{202e}b"),
        ("\U000e0041", "\\u{e0041}"),
        ("\ufeff", "\\u{feff}"),
        ("\ud800", "\\u{d800}"),
        ("\uffff\U0001fffe", "\\u{ffff}\\u{1fffe}"),
        ("\u2028", "\\u{2028}"),
        ("a\r\nb\rc", "a\nb\\x0dc"),
    ],
)
def test_hidden_characters_become_escapes(hidden: str, shown: str) -> None:
    assert visible(hidden) == shown


@pytest.mark.parametrize(
    "text", ["a\tb\n", "vector<int> é 漢字 🙂 ⚠️ \\ \\x1b", "e\u0301", "\u00a0"]
)
def test_text_that_hides_nothing_stays(text: str) -> None:
    assert visible(text) == text


@given(ANY_TEXT)
def test_it_is_idempotent(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.lists(st.text(st.sampled_from("a\r\n\x1b\u200b"))))
def test_pieces_give_the_same_as_the_whole(pieces: list[str]) -> None:
    stream = VisibleStream()
    shown = "".join([*map(stream.feed, pieces), stream.close()])
    assert shown == visible("".join(pieces))
