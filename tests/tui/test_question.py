"""The user's own messages: as they were typed, with what is attached, and those that wait."""

import pytest
from showing import Show, show

from assistant.tui.widgets.lines import ActionChosen
from assistant.tui.widgets.question import MOST_ROWS, Chip, QuestionContent, QuestionView
from assistant.tui.widgets.rows import Action
from assistant.tui.widgets.strips import plain

PASTED = "x" * 1_000_000


def lines_of(content: QuestionContent, columns: int = 40) -> list[str]:
    content.lay_out(columns)
    return [plain(row.line).rstrip() for row in content.rows()]


def test_a_question_is_shown_as_it_was_typed() -> None:
    text = "What is *this*?\n\n  [bold]x[/bold] `code`\n# no heading"
    assert lines_of(QuestionContent(text, name="talk.1")) == [
        "❯ You                             talk.1",
        *text.split("\n"),
    ]


def test_hidden_characters_are_seen() -> None:
    assert lines_of(QuestionContent("a\x1b[31mb\u202ec\u2028d"))[1:] == [
        r"a\x1b[31mb\u{202e}c\u{2028}d",
    ]


def test_attachments_are_chips_with_their_tokens() -> None:
    chips = [Chip("app.py", 1_234), Chip("notes\x1b[31m.md"), Chip("a/very/long/path/" * 4)]
    assert lines_of(QuestionContent("Why?", chips))[2:] == [
        "[app.py 1,234 tokens]",
        r"[notes\x1b[31m.md]",
        "[a/very/long/path/a/very/long/path/a/ve…",
    ]
    few = [Chip("a.py"), Chip("b.py")]
    assert lines_of(QuestionContent("Why?", few))[2:] == ["[a.py]  [b.py]"]


def test_a_very_long_question_shows_its_beginning_and_says_so() -> None:
    content = QuestionContent(PASTED)
    lines = lines_of(content)
    assert len(lines) == MOST_ROWS + 2
    assert "24,800 more lines" in lines[-1]
    assert content.text == PASTED


def test_a_waiting_question_looks_different_and_can_be_removed() -> None:
    async def act(it: Show) -> None:
        view = QuestionView("And then?", is_waiting=True)
        it.transcript.add(view)
        await it.until_shown("❯ You, next")
        await it.click("You, next", "remove")
        assert [event.view for event in it.told(QuestionView.Removed)] == [view]
        await it.press("alt+up", "x")
        assert len(it.told(QuestionView.Removed)) == 2
        assert it.told(ActionChosen) == []
        it.transcript.remove_view(view)
        await it.until(lambda: not it.shows("And then?"))

    show(act)


def test_a_question_that_was_sent_has_its_name_and_other_actions() -> None:
    async def act(it: Show) -> None:
        view = QuestionView("And then?", [Chip("a.py")], is_waiting=True)
        it.transcript.add(view)
        await it.until_shown("You, next")
        view.sent("talk.7", [Chip("a.py", 12)])
        await it.until_shown("talk.7")
        assert it.shows("[a.py 12 tokens]")
        assert not it.shows("remove")
        assert it.transcript.view("talk.7") is view
        await it.press("alt+up", "x", "e", "enter", "r")
        told = [event.action for event in it.told(ActionChosen)]
        assert told == [Action.EDIT, Action.EDIT], "an answer is what can be regenerated"

    show(act)


@pytest.mark.parametrize("size", [(60, 15), (300, 100), (8, 6)])
def test_a_question_fits_every_size(size: tuple[int, int]) -> None:
    async def act(it: Show) -> None:
        it.transcript.add(QuestionView("词" * 50, [Chip("文件.py", 3)], "talk.1"))
        it.transcript.add(QuestionView("word " * 50, is_waiting=True))
        await it.until(lambda: "d" in it.text() and it.transcript.is_following)

    show(act, size)
