"""Pastes come whole and only as text, whatever pieces the terminal's bytes arrive in."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from assistant.tui.paste_parser import PasteParser

START, END = "\x1b[200~", "\x1b[201~"
Seen = list[str | tuple[str, str]]


def read(*pieces: str) -> Seen:
    """Names of keys, and pastes as ("paste", text)."""
    parser = PasteParser()
    return [one for piece in pieces for one in _seen(parser, piece)]


def _seen(parser: PasteParser, piece: str) -> Seen:
    found: Seen = []
    for message in parser.feed(piece):
        if isinstance(message, events.Paste):
            found.append(("paste", message.text))
        else:
            assert isinstance(message, events.Key)
            found.append(message.key)
    return found


def test_keys_come_before_and_after_a_paste() -> None:
    assert read(f"ab{START}c\rd{END}e\r") == ["a", "b", ("paste", "c\rd"), "e", "enter"]


def test_two_pastes_are_two() -> None:
    assert read(f"{START}a{END}{START}b{END}") == [("paste", "a"), ("paste", "b")]
    assert read(f"{START}{END}x") == [("paste", ""), "x"]


def test_what_is_pasted_is_never_a_key() -> None:
    pasted = "red \x1b[31mtext!rm -rf /\r and more than thirty-two characters \x1b\r\x1b[A"
    assert read(f"{START}{pasted}{END}y") == [
        ("paste", "red text!rm -rf /\r and more than thirty-two characters \r"),
        "y",
    ]


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ("\x1b[1;31mbold\x1b[0m", "bold"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link", "alink"),
        ("a\x00b\x07c\x08d\x7fe\x9bf", "abcdef"),
        ("tab\tline\nreturn\r", "tab\tline\nreturn\r"),
        ("lone \x1b escape", "lone  escape"),
        ("你好 é 👨\u200d👩", "你好 é 👨\u200d👩"),
        (START, ""),
    ],
)
def test_a_paste_holds_no_more_than_text(pasted: str, text: str) -> None:
    assert read(f"{START}{pasted}{END}") == [("paste", text)]


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("\x1b\r", "alt+enter"),
        ("\x1b[13;2u", "shift+enter"),
        ("\x1b[27;2;13~", "shift+enter"),
        ("\n", "ctrl+j"),
        ("\x1b\x7f", "alt+backspace"),
        ("\x1b[20~", "f9"),
        ("\x1b[2~", "insert"),
        ("\x1b[A", "up"),
    ],
)
def test_keys_have_the_names_that_are_bound(sent: str, key: str) -> None:
    assert read(sent) == [key]


def test_escape_alone_is_a_key_when_nothing_follows() -> None:
    parser = PasteParser()
    assert _seen(parser, "\x1b") == []
    end = time.monotonic() + 5
    keys: list[str] = []
    while not keys and time.monotonic() < end:
        keys = [message.key for message in parser.tick() if isinstance(message, events.Key)]
    assert keys == ["escape"]
    assert _seen(parser, "[200~") == ["left_square_bracket", "2", "0", "0", "tilde"]


@given(st.data())
def test_any_pieces_give_the_same(data: st.DataObject) -> None:
    text = st.text("a\r\x1b[20~1é", max_size=12).filter(lambda one: END not in one)
    keys = st.sampled_from(["x", "\x1b[A", "\x1b[20~", "\n", "\x1b[13;2u"])
    sent = ""
    for _ in range(data.draw(st.integers(1, 4))):
        sent += data.draw(keys) + START + data.draw(text) + END
    places = data.draw(st.lists(st.integers(0, len(sent)), max_size=8).map(sorted))
    pieces = [sent[a:b] for a, b in zip([0, *places], [*places, len(sent)], strict=True)]
    # A terminal sends a key as a whole: only pastes and their marks are ever split.
    assert read(*filter(None, pieces)) == read(sent)


def test_a_megabyte_takes_milliseconds() -> None:
    parser = PasteParser()
    sent = START + "a line of some words\r" * 50_000 + END
    began = time.thread_time()
    seen = [one for at in range(0, len(sent), 4096) for one in _seen(parser, sent[at : at + 4096])]
    assert time.thread_time() - began < 0.15
    assert seen == [("paste", "a line of some words\r" * 50_000)]


def test_hostile_sequences_take_no_longer() -> None:
    for piece in ("\x1b]", "\x1b[", "\x1bP" + "x" * 100):
        began = time.thread_time()
        read(START + piece * (300_000 // len(piece)) + END)
        assert time.thread_time() - began < 2
