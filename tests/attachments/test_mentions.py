"""`@file` in a message: what it names, what stays text, and what is attached."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.attachments.mentions import (
    Typed,
    as_mention,
    find_mentions,
    mention_being_typed,
    read_mentions,
)
from assistant.errors import InputError

CODE = "class A:\n    def f(self):\n        return 1\n\n\ndef g():\n    return 2\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("src/a.py", "src/b.py", "my file.py", "property", "лог.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(CODE)
    return tmp_path


def names(text: str) -> list[str]:
    return [mention.name for mention in find_mentions(text)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@src/a.py", "src/a.py"),
        ("look at @src/a.py, please", "src/a.py"),
        ("(see @src/a.py).", "src/a.py"),
        ("@src/a.py's loop", "src/a.py"),
        ("@src/a.py’s loop", "src/a.py"),
        ("is it @src/a.py?!", "src/a.py"),
        ("请解释@src/a.py的作用", "src/a.py"),
        ("「@src/a.py」", "src/a.py"),
        ("@лог.txt.", "лог.txt"),
        ("@src", "src"),
        ("@src/", "src/"),
        ("@./src/a.py", "./src/a.py"),
        ("@src/a.py:2-3", "src/a.py:2-3"),
        ("@src/a.py:2: wrong", "src/a.py:2"),
        ("@src/a.py::A.f,", "src/a.py::A.f"),
        ('@"my file.py"', "my file.py"),
        ('@"my file.py":2-3.', "my file.py:2-3"),
        ('@"my file.py::g"', "my file.py::g"),
        ('@"my file.py"::g', "my file.py::g"),
        ("why @diff?", "diff"),
        ("@staged", "staged"),
    ],
)
def test_what_is_there_is_mentioned(text: str, name: str) -> None:
    assert names(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "bob@example.com",
        "git@github.com:a/b.git",
        "@nobody",
        "@app.route('/x')",
        "@dataclass(frozen=True)",
        "@ src/a.py",
        "@@src/a.py",
        "a@src/a.py",
        "`@src/a.py`",
        "x/@src/a.py",
        '@"src/a.py',
        '@"no such file.py"',
        "@-",
        "@/",
        "@~",
        'from "@/lib"',
        "@src/a.py.bak/x",
        "@",
        "@" * 2_000,
        "@\0",
        "@" + "x" * 5_000,
    ],
)
def test_what_names_nothing_stays_text(text: str) -> None:
    assert names(text) == []
    assert read_mentions(text).text == text
    assert read_mentions(text).attachments == ()


def test_code_between_fences_mentions_nothing() -> None:
    text = "@src/a.py\n```python\n@property\n@src/b.py\n```\n@src/b.py\n~~~\n@property"
    assert names(text) == ["src/a.py", "src/b.py"]
    assert names("```py\n@property\n```py\n@property\n") == []  # no fence ends with a language


def test_the_words_stay_as_plain_names() -> None:
    read = read_mentions('why @src/a.py:2-3 (not @"my file.py") and @src/a.py::g, bob@x.org?')
    assert read.text == "why src/a.py:2-3 (not my file.py) and src/a.py::g, bob@x.org?"
    assert [one.name for one in read.attachments] == [
        "src/a.py:2-3",
        "my file.py",
        "src/a.py::g (lines 6-7)",
    ]
    assert read.attachments[0].text == "    def f(self):\n        return 1\n"


def test_an_undecodable_name_becomes_text_that_can_be_sent() -> None:
    odd = os.fsdecode(b"\xff.py")
    Path(odd).write_text(CODE)
    read = read_mentions(f"see @{odd} now")
    assert read.text == "see \\u{dcff}.py now"
    assert len(read.attachments) == 1


def test_what_is_mentioned_twice_is_attached_once() -> None:
    assert len(read_mentions("@src/a.py @./src/a.py @src/a.py.").attachments) == 1


def test_a_part_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InputError, match="has no definition of nothing"):
        read_mentions("@src/a.py::nothing")
    with pytest.raises(InputError, match="and no line 100"):
        read_mentions("@src/a.py:100")


def test_a_text_without_mentions_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "just words\n" * 100_000
    assert read_mentions(text).text == text


@given(st.text('@src/a.py "`~:-\n漢.', max_size=40))
def test_only_mentions_change_in_any_text(text: str) -> None:
    read = read_mentions(text) if ":" not in text and "~" not in text else None
    mentions = find_mentions(text)
    for mention in mentions:
        assert text[mention.start] == "@"
        assert mention.name in text[mention.start : mention.end]
    if read is not None and not mentions:
        assert read.text == text


@pytest.mark.parametrize(
    ("before", "typed"),
    [
        ("@", Typed(0, "")),
        ("see @src/", Typed(4, "src/")),
        ("line\nsee @a", Typed(9, "a")),
        ('@"my f', Typed(0, "my f")),
        ('@"my file.py"::', Typed(0, "my file.py::")),
        ("请看@src", Typed(2, "src")),
        ("see @a ", None),
        ("bob@exa", None),
        ("`@a", None),
        ("", None),
    ],
)
def test_the_mention_before_the_cursor_is_being_typed(before: str, typed: Typed | None) -> None:
    assert mention_being_typed(before) == typed


@given(st.text("ab /.:漢", min_size=1, max_size=20))
def test_a_mention_reads_as_it_was_written(name: str) -> None:
    typed = mention_being_typed(f"see {as_mention(name).removesuffix(chr(34))}")
    assert typed == Typed(4, name)
