"""A conversation on a terminal, with colours and without, wide and narrow; and in a pipe."""

import io
import re
import subprocess
import sys

import pyte
import pytest
from msgspec.structs import replace
from past_conversations import WRITING, answer, conversation, question, talk

from assistant.conversation.records import Kind, State, StoredMessage
from assistant.rendering.base import ReasoningMode
from assistant.rendering.conversation_facts import Branch, versions_of
from assistant.rendering.conversation_markdown import conversation_markdown
from assistant.rendering.conversation_text import write_branch

NOW = 1_700_000_000.0 + 120 * 60
COLOR = re.compile(r"\x1b\[[0-9;]*m")
EVIL = "a\x1b]0;x\x07\x9b31m\u202eb\rc"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def of(*messages: StoredMessage, **changes: object) -> Branch:
    return Branch(conversation(**changes), messages, versions_of(messages))  # type: ignore[arg-type]  # by name


def shown(
    branch: Branch,
    mode: ReasoningMode = ReasoningMode.SHOW,
    *,
    has_color: bool = True,
    out: io.StringIO | None = None,
) -> str:
    out = out or Screen()
    write_branch(branch, out, mode, has_color=has_color, now=NOW)
    return out.getvalue()


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


def test_a_conversation_looks_like_this() -> None:
    one = talk()
    branch = Branch(
        one.conversation, one.messages[:1] + one.messages[2:], versions_of(one.messages)
    )
    assert COLOR.sub("", shown(branch)).split("\n") == [
        "Sorting",
        "k7m2q · /home/me/code · 2 h ago",
        "",
        "You k7m2q.1 · 2 h ago",
        "How do I sort a list?",
        "attached app.py, 18 bytes",
        "",
        "SmolLM2-135M-Instruct k7m2q.3 · 2 h ago",
        "2 versions: k7m2q.2, k7m2q.3",
        "Use sorted.",
        "",
        "You k7m2q.4 · 2 h ago",
        "And in place?",
        "",
        "SmolLM2-135M-Instruct k7m2q.5 · 2 h ago",
        "python",
        "x.sort()",
        "",
    ]


def test_questions_answers_and_summaries_differ_in_colour() -> None:
    summary = StoredMessage(3, 2, Kind.SUMMARY, State.COMPLETE, "**Short**", NOW, covers=2)
    branch = of(question(1, 0, "Why?"), answer(2, 1, "So."), summary)
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(shown(branch).replace("\n", "\r\n"))
    colors = {}
    for y, row in enumerate(screen.display):
        if word := row.split(" ")[0]:
            colors[word] = (screen.buffer[y][0].fg, screen.buffer[y][0].bold)
    assert colors["You"] == ("cyan", True)
    assert colors["SmolLM2-135M-Instruct"] == ("green", True)
    assert colors["Summary"] == ("brown", True)
    assert colors["Short"] == ("default", True)
    assert colors["Why?"] == ("default", False)


def test_thoughts_are_shown_or_not() -> None:
    branch = of(answer(1, 0, "So.", reasoning="Hm."))
    assert "│ Hm." in shown(branch)
    assert "So." in shown(branch)
    assert "Hm." not in shown(branch, ReasoningMode.HIDE)
    only = shown(branch, ReasoningMode.ONLY)
    assert ("Hm." in only, "So." in only) == (True, False)


def test_the_end_of_an_answer_is_said() -> None:
    writing = replace(WRITING, error=f"no\nmemory {EVIL}")
    text = COLOR.sub("", shown(of(answer(1, 0, "So", State.FAILED, writing))))
    assert text.endswith("\nSo\nfailed: no memory a\\x1b]0;x\\x07\\x9b31m\\u{202e}b c\n")


def test_what_is_no_terminal_gets_the_markdown_as_it_is() -> None:
    branch = of(question(1, 0, EVIL), answer(2, 1, EVIL), title=EVIL)
    mode = ReasoningMode.HIDE
    assert shown(branch, mode, has_color=False, out=io.StringIO()) == conversation_markdown(branch)
    plain = shown(branch, mode, has_color=False)
    assert "\na\\x1b]0;x\\x07\\x9b31m\\u{202e}b\\x0dc\n" in plain
    assert "\x1b" not in plain


@pytest.mark.parametrize("columns", [1, 2, 5, 20, 80])
def test_nothing_steers_the_terminal_or_breaks_it(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    sent = question(1, 0, EVIL, app_py=EVIL)
    part = replace(sent.content[0].parts[1], source=EVIL)
    sent = replace(sent, content=(replace(sent.content[0], parts=(part,)),))
    writing = replace(WRITING, model=EVIL + "漢字" * 30, error=EVIL)
    said = answer(2, 1, f"{EVIL}\n\n```{EVIL}\n{EVIL}", State.FAILED, writing, EVIL)
    text = shown(of(sent, said, title=EVIL, folder=EVIL, fork_of="abcde.2"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", COLOR.sub("", text))
    headings = [line for line in COLOR.sub("", text).split("\n") if "k7m2q.2" in line]
    assert all(len(line) <= columns for line in headings)


def test_a_pipe_imports_no_rich() -> None:
    code = (
        "import sys, assistant.rendering.conversation_text, assistant.rendering.search_hits\n"
        "print(sorted({'rich', 'pygments', 'markdown_it', 'numpy', 'sqlite3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
