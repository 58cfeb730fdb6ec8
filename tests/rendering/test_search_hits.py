"""What was found: the words in their line, however long it is and however narrow the terminal."""

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from past_conversations import answer, conversation, question

from assistant.conversation.records import Hit, StoredMessage
from assistant.rendering.search_hits import excerpts, hit_object, write_hits
from assistant.rendering.tables import cell_width

NOW = 1_700_000_000.0 + 120 * 60
COLOR = re.compile(r"\x1b\[[0-9;]*m")
LETTERS = "ab \t\x1b\u202eé漢好\u0301😀\r"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def hit(message: StoredMessage, title: str = "Sorting") -> Hit:
    return Hit(conversation(title=title), message)


def said(text: str) -> Hit:
    return hit(answer(2, 1, text))


def lines_of(found: Hit, query: str, cells: int = 80) -> list[str]:
    """Matches in brackets."""
    return [
        "".join(f"[{piece.text}]" if piece.is_match else piece.text for piece in pieces)
        for pieces in excerpts(found, query, cells)
    ]


def shown(hits: list[Hit], query: str, out: io.StringIO, *, has_color: bool) -> str:
    write_hits(hits, query, out, has_color=has_color, now=NOW)
    return out.getvalue()


def test_hits_on_a_terminal_have_bold_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    hits = [said("Use\n   sorted(x)\n"), hit(question(1, 0, "How to sort?"), "A title " * 9)]
    assert shown(hits, "SORT", Screen(), has_color=True) == (
        "\x1b[1mk7m2q.2\x1b[m  SmolLM2-135M-Instruct  2 h ago  Sorting\n"
        "    \x1b[1msort\x1b[med(x)\n"
        "\n"
        "\x1b[1mk7m2q.1\x1b[m  You  2 h ago  A title A title A title A title A ti…\n"
        "    How to \x1b[1msort\x1b[m?\n"
    )


def test_hits_in_a_pipe_are_plain_and_whole() -> None:
    long = "A title " * 30
    text = shown([hit(answer(2, 1, "sorted"), long)], "sort", io.StringIO(), has_color=False)
    assert text == f"k7m2q.2  SmolLM2-135M-Instruct  2 h ago  {long.strip()}\n    sorted\n"


def test_a_program_gets_names_and_lines() -> None:
    assert hit_object(said("Use\nsorted"), "sort") == {
        "conversation": "k7m2q",
        "title": "Sorting",
        "number": 2,
        "kind": "answer",
        "created": 1_700_000_002.0,
        "lines": ["sorted"],
    }


@pytest.mark.parametrize(
    ("text", "query", "lines"),
    [
        ("one\ntwo\nthree", "three one two", ["[one]", "[three]"]),
        ("nothing\nof it", "absent", ["nothing"]),
        ("\n\n  \n", "absent", []),
        ("x" * 100 + " needle " + "y" * 100, "needle", [f"…{'x' * 25} [needle] {'y' * 45}…"]),
        ("needle " + "y" * 100, "needle", [f"[needle] {'y' * 72}…"]),
        ("y" * 74 + "needle", "needle", ["y" * 74 + "[needle]"]),
        ("漢" * 60 + "数据库" + "字" * 60, "数据库", [f"…{'漢' * 13}[数据库]{'字' * 23}…"]),
        ("a\x1b[31mneedle\u202e", "needle", ["a\\x1b[31m[needle]\\u{202e}"]),
    ],
)
def test_the_line_is_shown_around_its_first_match(text: str, query: str, lines: list[str]) -> None:
    assert lines_of(said(text), query) == lines


def test_a_name_that_was_found_is_shown() -> None:
    found = hit(question(1, 0, "Why?", app_py="x"))
    assert lines_of(found, "app.py") == ["attached [app.py]"]
    assert lines_of(found, "why app") == ["[Why]?", "attached [app].py"]


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.sampled_from(LETTERS), max_size=60),
    st.text(st.sampled_from(LETTERS), max_size=60),
    st.integers(8, 60),
)
def test_no_line_is_wider_than_the_terminal(before: str, after: str, cells: int) -> None:
    (line,) = excerpts(said(f"{before}xyz{after}"), "xyz", cells)
    text = "".join(piece.text for piece in line)
    assert cell_width(text) <= cells
    assert any(piece.text.startswith("xyz") for piece in line if piece.is_match)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", text)


@pytest.mark.parametrize("columns", range(1, 12))
def test_a_narrow_terminal_is_no_trouble(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = shown([said("a needle in here")], "needle", Screen(), has_color=True)
    heading, line = COLOR.sub("", text).splitlines()
    assert len(heading) <= columns
    assert len(line) <= columns
