"""Colours of code that arrives line by line are those of the whole, at a bounded cost."""

import re
from pathlib import Path

import pytest

from assistant.rendering import code_highlighter
from assistant.rendering.code_highlighter import CodeHighlighter

COLORS = re.compile(r"\x1b\[[0-9;]*m")
PYTHON = Path(code_highlighter.__file__).read_text()
DOCSTRING = (
    'def f():\n    """First.\n' + "    for x in y: it is 3.\n\n" * 150 + '    """\n    return 1'
)


@pytest.mark.parametrize("code", [PYTHON, DOCSTRING], ids=["module", "docstring"])
def test_colors_line_by_line_are_those_of_the_whole(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    streaming = CodeHighlighter("python")
    lines = [streaming.add(line) for line in code.split("\n")]
    monkeypatch.setattr(CodeHighlighter, "_forget", lambda *_: None)
    whole = CodeHighlighter("python")
    whole._lines = code.split("\n")[:-1]
    expected = code_highlighter._lex(whole._lexer, code.split("\n"))  # type: ignore[arg-type]
    assert lines == [
        code_highlighter._paint(tokens, line)
        for tokens, line in zip(expected, code.split("\n"), strict=True)
    ]


@pytest.mark.parametrize("language", ["python", "js", "html", "json", "css", "nonsense", ""])
@pytest.mark.parametrize("code", [PYTHON, DOCSTRING, "/*\n" * 200, "{\n" * 200, "<a>\n" * 200])
def test_few_lines_are_kept_and_no_character_changes(language: str, code: str) -> None:
    highlighter = CodeHighlighter(language)
    for line in code.split("\n"):
        assert COLORS.sub("", highlighter.add(line)) == line
        assert len(highlighter._lines) <= 96


@pytest.mark.parametrize(
    ("info", "code", "colored"),
    [
        ("src/app.py", "def f(): pass", True),
        ("python:src/app.py", "def f(): pass", True),
        ("{.python}", "def f(): pass", True),
        ("Rust", "fn main() {}", True),
        ("php", "function f() {}", True),
        ("bash", "ls # all", True),
        ("", "def f(): pass", False),
        ("no-such-language", "def f(): pass", False),
    ],
)
def test_the_language_is_what_the_fence_says(info: str, code: str, colored: bool) -> None:
    assert ("\x1b" in CodeHighlighter(info).add(code)) is colored


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("java", "/** Gives\n * the int for"),
        ("go", "x := `raw\nfor if"),
        ("xml", "<!-- a\nb <c"),
        ("css", "/* a\nb {"),
        ("lua", "--[[ a\nlocal function"),
        ("python", '"""a\nfor if'),
        ("bash", "a='b\nfor if"),
    ],
)
def test_what_is_still_open_has_one_color(language: str, code: str) -> None:
    highlighter = CodeHighlighter(language)
    *_, last = [highlighter.add(line) for line in code.split("\n")]
    assert len(COLORS.findall(last)) == 2
    assert COLORS.match(last) or last.startswith(" ")


def test_a_very_long_line_stays_plain() -> None:
    line = "x = 1;" * 1_000
    assert CodeHighlighter("js").add(line) == line
