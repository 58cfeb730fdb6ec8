"""Hidden characters in text that is being edited: seen, never obeyed, and sent as they were."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from assistant.tui.stand_ins import MARK, StandIns
from assistant.visible_text import visible

PLAIN = Style()


def test_plain_text_stays_itself() -> None:
    text = "def f():\n\treturn '漢字 é 👍'  # \ue0a0"
    assert StandIns().put(text) == text


def test_a_hidden_character_takes_one_cell_and_is_marked() -> None:
    stand_ins = StandIns()
    line = stand_ins.put("a\x1b[31m\u200bb")
    assert stand_ins.show(line, PLAIN).plain == f"a␛[31m{MARK}b"
    assert cell_len(line) == len("a␛[31m b")


def test_line_ends_are_line_feeds() -> None:
    assert StandIns().put("a\r\nb\rc\n") == "a\nb\nc\n"


@given(st.text())
def test_what_was_written_comes_back(text: str) -> None:
    stand_ins = StandIns()
    same = text.replace("\r\n", "\n").replace("\r", "\n")
    assert stand_ins.take_back(stand_ins.put(text)) == same


@given(st.text())
def test_nothing_that_is_shown_is_hidden_or_obeyed(text: str) -> None:
    stand_ins = StandIns()
    put = stand_ins.put(text)
    lines = put.splitlines()
    assert lines == put.split("\n")[: len(lines)]  # no other character ends a line
    for line in lines:
        shown = stand_ins.show(line, PLAIN).plain
        assert visible(shown) == shown
        assert len(shown) == len(line)


def test_characters_that_would_stand_for_others_have_one_themselves() -> None:
    stand_ins = StandIns()
    text = "\U00100000\x00\U00100001"
    assert stand_ins.take_back(stand_ins.put(text)) == text
