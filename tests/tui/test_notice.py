"""What is said between the messages."""

import pytest
from showing import Show, show

from assistant.tui.widgets.lines import ActionChosen
from assistant.tui.widgets.notice import NoticeContent, NoticeKind, NoticeView
from assistant.tui.widgets.strips import plain

TABLE = "| name | size |\n| --- | --- |\n| a | 1 |\n\n```sh\nls\n```\n"


def lines_of(content: NoticeContent, columns: int = 30) -> list[str]:
    content.lay_out(columns)
    return [plain(row.line).rstrip() for row in content.rows()]


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_words_are_wrapped_behind_their_mark(kind: NoticeKind) -> None:
    assert lines_of(NoticeContent("there is no model called small at all", kind)) == [
        f"{kind} there is no model called",
        "  small at all",
    ]


def test_words_are_never_markdown_or_markup() -> None:
    words = "[/] **x** `y` # z\n- \x1b[31m\u202e"
    assert lines_of(NoticeContent(words)) == ["· [/] **x** `y` # z", r"  - \x1b[31m\u{202e}"]


def test_what_a_command_found_is_markdown_with_its_code() -> None:
    content = NoticeContent("", markdown=TABLE)
    lines = lines_of(content)
    assert lines[0].split() == ["name", "size"]
    assert lines[-1] == "ls"
    assert content.text == TABLE
    assert [block.text for block in content.code_blocks] == ["ls\n"]


def test_a_notice_can_be_copied() -> None:
    async def act(it: Show) -> None:
        it.transcript.add(NoticeView("it failed", NoticeKind.ERROR, TABLE))
        await it.until_shown("✗ it failed")
        await it.press("alt+up", "c", "alt+up", "c")
        told = it.told(ActionChosen)
        assert [event.code and event.code.text for event in told] == ["ls\n", None]
        assert told[1].view.text == TABLE

    show(act)
