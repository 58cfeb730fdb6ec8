"""FILE:10-40: exactly those lines, and a refusal that says how many there are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.attachments.line_ranges import check_lines, count_lines, cut_lines
from assistant.attachments.reading import attach
from assistant.errors import InputError

TEXTS = st.text(st.sampled_from("ab\n\r\x0c\u2028é"), max_size=40)


def lines_of(text: str) -> list[str]:
    """A line ends with its line feed, and the last one need not."""
    pieces = [piece + "\n" for piece in text.split("\n")]
    return [*pieces[:-1], *([pieces[-1][:-1]] if pieces[-1] != "\n" else [])]


@given(TEXTS, st.integers(0, 12), st.none() | st.integers(0, 12))
def test_the_attached_text_is_those_lines_or_the_range_is_refused(
    text: str, first: int, last: int | None
) -> None:
    lines = lines_of(text)
    assert count_lines(text) == len(lines)
    end = len(lines) if last is None else last
    if 1 <= first <= end <= len(lines):
        assert check_lines((first, last), text, "x") == (first, end)
        assert cut_lines(text, (first, end)) == "".join(lines[first - 1 : end])
    else:
        with pytest.raises(InputError):
            check_lines((first, last), text, "x")


@pytest.mark.parametrize(
    ("name", "shown", "text", "lines"),
    [
        ("a.py:2", "a.py:2", "two\r\n", (2, 2)),
        ("a.py:2-3", "a.py:2-3", "two\r\nthree", (2, 3)),
        ("a.py:2-", "a.py:2-3", "two\r\nthree", (2, 3)),
        ("a.py:1-1", "a.py:1", "one\n", (1, 1)),
        ("a.py:3-", "a.py:3-3", "three", (3, 3)),
    ],
)
def test_a_range_is_named_and_knows_its_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    shown: str,
    text: str,
    lines: tuple[int, int],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_bytes(b"one\ntwo\r\nthree")
    [attachment] = attach([name], None).attachments
    assert (attachment.name, attachment.text, attachment.language) == (shown, text, "python")
    assert attachment.source is not None
    assert (attachment.source.lines, attachment.source.data) == (lines, b"one\ntwo\r\nthree")


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("a.py:4", "a.py has 3 lines, and no line 4", "a.py:1-3"),
        ("a.py:2-9999", "a.py has 3 lines, and no line 9,999", "a.py:2-3"),
        ("a.py:4-", "a.py has 3 lines, and no line 4", "a.py:1-3"),
        ("a.py:0", "a.py has 3 lines, counted from 1", "a.py:1-3"),
        ("a.py:0-2", "a.py has 3 lines, counted from 1", "a.py:1-2"),
        ("a.py:3-1", "a.py has 3 lines; 3-1 ends before it begins", "a.py:1-3"),
        ("one.py:2", "one.py has 1 line, and no line 2", "one.py:1-1"),
        ("empty.py:1", "empty.py has no lines: it is empty", "name another file"),
        ("nope.py:1", "there is no file nope.py", "did you mean one.py"),
        ("folder:1", "folder is a folder", "name a file in it"),
    ],
)
def test_a_range_that_is_not_there_is_refused_with_what_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("1\n2\n3\n")
    Path("one.py").write_text("1")
    Path("empty.py").touch()
    Path("folder").mkdir()
    with pytest.raises(InputError) as caught:
        attach([name], None)
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)
