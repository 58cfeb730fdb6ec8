"""New code in the place of old: indentation, line ends and blank edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.edits.fitting import fit_code, split_lines, usual_line_end

METHOD = "    def f(self):\n        x = 1\n        return x\n"
FIXED = "    def f(self):\n        return 1\n"


@given(st.text(alphabet="ab \t\r\n\x0c\u2028"))
def test_lines_put_together_are_the_text(text: str) -> None:
    lines = split_lines(text)
    assert "".join(line.text + line.end for line in lines) == text
    assert len(lines) == text.count("\n") + bool(text.split("\n")[-1])


@pytest.mark.parametrize(
    ("text", "end"),
    [("", "\n"), ("a", "\n"), ("a\r\nb\r\nc\n", "\r\n"), ("a\nb\nc\r\n", "\n"), ("a\r", "\r")],
)
def test_the_usual_line_end_is_that_of_most_lines(text: str, end: str) -> None:
    assert usual_line_end(text) == end


def test_unchanged_lines_keep_their_ends_and_others_get_the_usual_one() -> None:
    old = "a\r\nb\nc\r\nd\n"
    assert fit_code("a\nb\nnew\nd\n", old, "\r\n") == "a\r\nb\nnew\r\nd\n"
    assert fit_code("a\r\nb\r\nc\r\nd\r\n", old, "\r\n") == old


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n\n", "\r\n  \r\n"])
def test_the_end_of_the_old_text_stays(end: str) -> None:
    assert fit_code("new\n", "\nold" + end, "\n") == "\nnew" + end
    assert fit_code("two\nnew", "old" + end, "\n") == "two\nnew" + end


def test_an_empty_text_gets_lines_with_an_end() -> None:
    assert fit_code("\na\nb", "", "\n") == "a\nb\n"
    assert fit_code("a\nb\n", " \n", "\r\n") == "a\r\nb\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        FIXED,
        "def f(self):\n    return 1\n",  # all of it has moved to the left edge
        "  def f(self):\n      return 1\n",
        "def f(self):\n        return 1\n",  # only the first line has
    ],
)
def test_a_method_stands_as_deep_as_before(answer: str) -> None:
    assert fit_code(answer, METHOD, "\n") == FIXED


@pytest.mark.parametrize(
    ("answer", "fitted"),
    [
        ("a()\n    c()\n", "    a()\n    c()\n"),
        ("if x:\n    a()\n    b()\n", "    if x:\n        a()\n        b()\n"),
        ("a()\nb()\n\nc()\n", "    a()\n    b()\n\n    c()\n"),
    ],
)
def test_lines_of_one_depth_stay_in_it(answer: str, fitted: str) -> None:
    assert fit_code(answer, "    a()\n    b()\n", "\n") == fitted


def test_tabs_are_kept_and_blanks_are_not_put_before_them() -> None:
    assert fit_code("f()\n", "\tg()\n", "\n") == "\tf()\n"
    assert fit_code("    f()\n", "\tg()\n", "\n") == "    f()\n"


def test_lines_of_a_string_stay_at_the_left_edge() -> None:
    old = '    def f():\n        x = """\ntext\n"""\n        return y\n'
    answer = 'def f():\n    x = """\ntext\n"""\n    return x\n'
    assert fit_code(answer, old, "\n") == old.replace("return y", "return x")


def test_a_text_whose_first_line_alone_is_indented_is_not_moved() -> None:
    assert fit_code("Title\n\nmore\n", "  Title\n\ntext\ntext\n", "\n") == "Title\n\nmore\n"
