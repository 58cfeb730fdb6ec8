"""Writing a message: keys, pastes, earlier questions, and what is told of it."""

import asyncio
import time
from collections.abc import Callable

import pytest
from composing import Desk, Host, at_desk
from textual import events

from assistant.messages import Attachment
from assistant.tui.widgets.composer import (
    LONGEST_PASTE,
    LONGEST_TEXT,
    MOST_PASTED_LINES,
    Composer,
)


def test_enter_sends_and_the_next_text_begins() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("first question\rsecond")
        assert desk.sent() == ["first question"]
        assert desk.composer.text == "second"

    at_desk(work)


def test_nothing_is_sent_when_nothing_is_written() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("\r  \r")
        assert desk.sent() == []

    at_desk(work)


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter", "alt+enter"])
def test_a_new_line_is_written_where_it_was_typed(key: str) -> None:
    async def work(desk: Desk) -> None:
        for one in ("a", key, "b", "enter"):
            desk.host.post_message(events.Key(one, one if len(one) == 1 else None))
        await desk.pilot.pause()
        assert desk.sent() == ["a\nb"]

    at_desk(work)


@pytest.mark.parametrize(("size", "most"), [((80, 24), 8), ((60, 15), 5), ((300, 100), 8)])
def test_it_grows_with_the_text_to_a_third_of_the_screen(size: tuple[int, int], most: int) -> None:
    async def work(desk: Desk) -> None:
        heights = []
        for _ in range(12):
            heights.append(desk.draft.size.height)
            await desk.write("x\n")
        assert heights == [min(row, most) for row in range(1, 13)]
        assert "x" in desk.screen()

    at_desk(work, size)


def test_long_lines_are_wrapped_and_wide_characters_count_twice() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("漢字" * 30)
        assert desk.draft.size.height == 2
        assert desk.composer.text == "漢字" * 30

    at_desk(work)


def test_letters_of_every_script_can_be_typed() -> None:
    text = "می\u200cخواهم 全角\u3000空白 é 👍🏽 👨\u200d👩"

    async def work(desk: Desk) -> None:
        await desk.write(text + "\r")
        assert desk.sent() == [text]

    at_desk(work)


def test_hidden_characters_are_seen_and_sent_as_they_are() -> None:
    text = "a\u2028b\x0bc\u202ed\u200be\x85f"

    async def work(desk: Desk) -> None:
        await desk.paste(text)
        assert "a␦b␋c␦d␦e␦f" in desk.screen()
        assert desk.draft.document.line_count == 1
        await desk.press("enter")
        assert desk.sent() == [text]

    at_desk(work)


# ── keys of a shell and an editor ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (["ctrl+u"], ""),
        (["ctrl+w"], "see src/a.py "),
        (["ctrl+w", "ctrl+w"], "see "),
        (["alt+backspace"], "see src/a.py "),
        (["ctrl+a", "ctrl+k"], ""),
        (["ctrl+a", "alt+d"], " src/a.py now"),
        (["home", "x"], "xsee src/a.py now"),
        (["ctrl+a", "x", "ctrl+e", "y"], "xsee src/a.py nowy"),
        (["ctrl+left", "x"], "see src/a.py xnow"),
        (["alt+b", "x"], "see src/a.py xnow"),
        (["ctrl+a", "alt+f", "x"], "seex src/a.py now"),
        (["left", "ctrl+d"], "see src/a.py no"),
        (["ctrl+u", "ctrl+z"], "see src/a.py now"),
        (["ctrl+u", "ctrl+underscore"], "see src/a.py now"),
        (["ctrl+u", "ctrl+z", "ctrl+y"], ""),
        (["tab", "x"], "see src/a.py now    x"),
    ],
)
def test_editing_keys_do_what_people_expect(keys: list[str], left: str) -> None:
    async def work(desk: Desk) -> None:
        desk.composer.set_text("see src/a.py now")
        await desk.press(*keys)
        assert desk.composer.text == left

    at_desk(work)


def test_keys_that_follow_each_other_fast_keep_their_order() -> None:
    async def work(desk: Desk) -> None:
        for key in ("a", "b", "ctrl+u", "c", "ctrl+j", "d", "home", "e", "up", "f"):
            desk.host.post_message(events.Key(key, key if len(key) == 1 else None))
        await desk.pilot.pause()
        assert desk.composer.text == "cf\ned"

    at_desk(work)


def test_tab_stays_where_it_is() -> None:
    async def work(desk: Desk) -> None:
        await desk.press("tab")
        assert desk.draft.has_focus
        assert desk.composer.text == ""

    at_desk(work)


def test_keys_for_others_are_passed_on() -> None:
    async def work(desk: Desk) -> None:
        await desk.press("pageup", "ctrl+c", "ctrl+d", "ctrl+y", "escape")
        assert desk.host.keys == ["pageup", "ctrl+c", "ctrl+d", "ctrl+y", "escape"]
        desk.composer.set_text("x")
        await desk.press("ctrl+d")  # deletes to the right, where nothing is
        assert len(desk.host.keys) == 5

    at_desk(work)


def test_ctrl_c_copies_what_is_selected() -> None:
    async def work(desk: Desk) -> None:
        desk.composer.set_text("one\u200b two")
        await desk.press("f7", "ctrl+c")
        assert desk.host.copied == ["one\u200b two"]
        assert desk.composer.text == "one\u200b two"

    at_desk(work)


def test_ctrl_c_clears_the_text_and_up_brings_it_back() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("my draft")
        await desk.press("ctrl+c")
        assert desk.composer.text == ""
        assert desk.host.keys == []
        await desk.press("up")
        assert desk.composer.text == "my draft"
        await desk.press("down", "ctrl+z")
        assert desk.composer.text == "my draft"

    at_desk(work)


# ── earlier questions ───────────────────────────────────────────────────────────────────────


def test_up_and_down_walk_through_earlier_questions() -> None:
    async def work(desk: Desk) -> None:
        desk.composer.set_history(["first", "second\nwith two lines"])
        await desk.write("draft")
        await desk.press("up")
        assert desk.composer.text == "second\nwith two lines"
        await desk.press("up")  # to the line above
        assert desk.composer.text == "second\nwith two lines"
        await desk.press("up")
        assert desk.composer.text == "first"
        await desk.press("up")
        assert desk.composer.text == "first"
        await desk.press("down", "down")
        assert desk.composer.text == "draft"
        await desk.press("down")
        assert desk.composer.text == "draft"

    at_desk(work)


def test_up_in_a_wrapped_line_goes_up_in_it_first() -> None:
    async def work(desk: Desk) -> None:
        desk.composer.set_history(["first"])
        desk.composer.set_text("word " * 20)
        await desk.press("up")
        assert desk.composer.text == "word " * 20
        await desk.press("up")
        assert desk.composer.text == "first"

    at_desk(work)


def test_what_was_sent_can_be_recalled_with_commands_of_the_shell() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("question\r!ls\r")
        await desk.press("up")
        assert desk.composer.text == "!ls"
        await desk.press("up")
        assert desk.composer.text == "question"

    at_desk(work)


# ── pastes ──────────────────────────────────────────────────────────────────────────────────


def test_a_short_paste_is_text_with_all_its_lines() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("ab")
        await desk.press("left")
        await desk.paste("1\r\n2\r3\n")
        await desk.write("x")
        assert desk.composer.text == "a1\n2\n3\nxb"
        assert not desk.composer.attachments

    at_desk(work)


@pytest.mark.parametrize(
    ("text", "is_long"),
    [
        ("x" * LONGEST_PASTE, False),
        ("x" * (LONGEST_PASTE + 1), True),
        ("x\n" * MOST_PASTED_LINES, False),
        ("x\n" * (MOST_PASTED_LINES + 1), True),
    ],
)
def test_a_long_paste_is_attached(text: str, is_long: bool) -> None:
    async def work(desk: Desk) -> None:
        await desk.write("see ")
        await desk.paste(text)
        assert desk.composer.text == ("see " if is_long else f"see {text}")
        assert desk.composer.attachments == (
            (Attachment("pasted text 1", text, ""),) if is_long else ()
        )

    at_desk(work)


def test_the_label_of_a_paste_says_how_much_it_is() -> None:
    async def work(desk: Desk) -> None:
        await desk.paste("0123456789\n" * 12_345)
        await desk.until(lambda: "pasted text 1: 136 kB, 12,345 lines" in desk.screen())
        await desk.write("what is this?\r")
        (sent,) = desk.told(Composer.Submitted)
        assert [one.name for one in sent.pasted] == ["pasted text 1"]
        assert [one.text for one in sent.pasted] == ["0123456789\n" * 12_345]
        assert not desk.composer.attachments
        await desk.paste("y\n" * 100)
        assert desk.composer.attachments[0].name == "pasted text 2"  # no name stands for two texts
        assert "pasted text 1" not in desk.screen()

    at_desk(work)


def test_a_paste_can_be_sent_without_words() -> None:
    async def work(desk: Desk) -> None:
        await desk.paste("x\n" * 100)
        await desk.press("enter")
        assert desk.sent() == [""]

    at_desk(work)


def test_a_megabyte_is_there_at_once() -> None:
    async def work(desk: Desk) -> None:
        text = "a line of some words\n" * 50_000
        began = time.perf_counter()
        desk.host.post_message(events.Paste(text))
        while not desk.composer.attachments:
            await asyncio.sleep(0)
        assert time.perf_counter() - began < 0.2
        assert desk.composer.attachments[0].text == text

    at_desk(work)


def test_pastes_are_reached_and_removed_with_backspace() -> None:
    async def work(desk: Desk) -> None:
        for letter in "abc":
            await desk.paste(f"{letter}\n" * 30)
        await desk.write("text")
        await desk.press("home", "backspace")
        assert desk.row.has_focus
        await desk.press("left", "backspace")
        assert [one.text[0] for one in desk.composer.attachments] == ["a", "c"]
        await desk.press("x")  # a letter leads back to the text
        await desk.until(lambda: desk.draft.has_focus)
        assert desk.composer.text == "xtext"
        await desk.press("home", "backspace", "backspace", "backspace")
        await desk.until(lambda: desk.draft.has_focus)
        assert not desk.composer.attachments
        assert not desk.row.display

    at_desk(work)


def test_a_click_on_the_cross_removes_a_paste_and_one_on_its_label_opens_it() -> None:
    async def work(desk: Desk) -> None:
        await desk.paste("a\n" * 30)
        await desk.paste("b\n" * 30)
        await desk.until(lambda: desk.screen().count(" × ") == 2)
        line = next(line for line in desk.screen().split("\n") if "×" in line)
        row = desk.row
        left = row.region.x
        await desk.pilot.click(row, offset=(line.index("pasted text 2") - left, 0))
        await desk.until(lambda: desk.told(Composer.EditorWanted))
        assert desk.told(Composer.EditorWanted)[0].text == "b\n" * 30
        await desk.pilot.click(row, offset=(line.index("×") - left, 0))
        await desk.until(lambda: len(desk.composer.attachments) == 1)
        assert desk.composer.attachments[0].text == "b\n" * 30

    at_desk(work)


def test_many_labels_keep_the_last_one_in_sight() -> None:
    async def work(desk: Desk) -> None:
        for number in range(6):
            await desk.paste(f"{number}\n" * 30)
        await desk.until(lambda: "pasted text 6: 60 bytes, 30 lines ×" in desk.screen())
        assert "pasted text 1" not in desk.screen()
        await desk.press("backspace", *["left"] * 5)
        await desk.until(lambda: "pasted text 1: 60 bytes, 30 lines ×" in desk.screen())

    at_desk(work, (60, 15))


# ── the editor ──────────────────────────────────────────────────────────────────────────────


def test_the_editor_gets_the_text_and_gives_it_back() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("question")
        await desk.press("ctrl+g")
        (wanted,) = desk.told(Composer.EditorWanted)
        assert wanted.text == "question"
        desk.composer.take_edited(wanted, "question\n\nmore\n")
        assert desk.composer.text == "question\n\nmore"
        assert desk.sent() == []
        await desk.press("ctrl+z")
        assert desk.composer.text == "question"

    at_desk(work)


def test_a_paste_is_shown_in_full_in_the_editor() -> None:
    async def work(desk: Desk) -> None:
        await desk.paste("a\n" * 30)
        await desk.write("text")
        await desk.press("home", "backspace", "ctrl+g")
        (wanted,) = desk.told(Composer.EditorWanted)
        assert wanted.text == "a\n" * 30
        desk.composer.take_edited(wanted, "shorter\n")
        assert desk.composer.attachments == (Attachment("pasted text 1", "shorter", ""),)
        assert desk.composer.text == "text"
        desk.composer.take_edited(wanted, "\n")
        assert not desk.composer.attachments

    at_desk(work)


# ── what others put in and are told ─────────────────────────────────────────────────────────


def test_inserted_code_keeps_its_lines() -> None:
    code = "def f():\n\treturn 1\n\n\n# end\n"

    async def work(desk: Desk) -> None:
        await desk.write("ab")
        await desk.press("left")
        desk.composer.insert(code)
        assert desk.composer.text == f"a{code}b"

    at_desk(work)


@pytest.mark.parametrize(
    "put",
    [
        lambda composer, text: composer.insert(text),
        lambda composer, text: composer.set_text(text),
        lambda composer, text: composer.take_edited(Composer.EditorWanted(""), text),
    ],
)
def test_what_is_too_much_to_edit_is_attached(put: Callable[[Composer, str], None]) -> None:
    async def work(desk: Desk) -> None:
        text = "x" * (LONGEST_TEXT + 1)
        put(desk.composer, text)
        assert desk.composer.text == ""
        assert desk.composer.attachments[0].text == text

    at_desk(work)


def test_what_was_refused_comes_back_with_its_pastes() -> None:
    async def work(desk: Desk) -> None:
        await desk.paste("a\n" * 30)
        await desk.write("question\r")
        (sent,) = desk.told(Composer.Submitted)
        desk.composer.set_text(sent.text, sent.pasted)
        assert desk.composer.text == "question"
        assert desk.composer.attachments == sent.pasted
        await desk.press("enter")
        assert len(desk.sent()) == 2

    at_desk(work)


def test_a_change_is_told_once_nothing_is_typed_for_a_moment() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("several words")
        await desk.until(lambda: desk.told(Composer.Changed))
        assert [one.text for one in desk.told(Composer.Changed)] == ["several words"]
        await desk.paste("x\n" * 30)
        await desk.until(lambda: len(desk.told(Composer.Changed)) == 2)
        assert desk.told(Composer.Changed)[1].pasted == desk.composer.attachments
        await desk.press("enter")
        await desk.until(lambda: len(desk.told(Composer.Changed)) == 3)
        assert desk.told(Composer.Changed)[2].text == ""

    at_desk(work)


def test_an_exclamation_mark_runs_a_command() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("! git status ")
        await desk.until(lambda: "shell" in desk.screen())
        await desk.press("enter")
        assert [one.command for one in desk.told(Composer.ShellWanted)] == ["git status"]
        assert desk.sent() == []
        assert desk.composer.text == ""
        await desk.write("!\r")
        assert desk.composer.text == "!"
        await desk.press("ctrl+u")
        await desk.write(" !important\r")  # a blank before it: a question
        assert desk.sent() == [" !important"]

    at_desk(work)


def test_text_is_never_read_as_markup() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("[bold]x[/] [/] [@click=app.quit]")
        assert "[bold]x[/] [/] [@click=app.quit]" in desk.screen()

    at_desk(work)


@pytest.mark.parametrize("theme", ["textual-light", "ansi-dark", "ansi-light", "nord"])
def test_it_can_be_read_in_every_theme(theme: str) -> None:
    async def work(desk: Desk) -> None:
        desk.host.theme = theme
        await desk.paste("x\n" * 30)
        await desk.write("words /")
        await desk.until(lambda: "words /" in desk.screen() and "pasted text 1" in desk.screen())

    at_desk(work)


def test_without_colours_it_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def work(desk: Desk) -> None:
        await desk.write("/h")
        await desk.until_offered("/help")
        assert "› /help" in desk.screen()  # the chosen one has a mark, too

    at_desk(work)


def test_it_survives_a_change_of_the_screen_s_size() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("word " * 40)
        for size in ((60, 15), (300, 100), (20, 5), (80, 24)):
            await desk.pilot.resize_terminal(*size)
            await desk.pilot.pause()
        assert desk.composer.text == "word " * 40
        assert "word word" in desk.screen()

    at_desk(work)


def test_the_placeholder_shows_until_something_is_written() -> None:
    async def work(desk: Desk) -> None:
        assert "Ask about your code" in desk.screen()
        await desk.write("x")
        assert "Ask about your code" not in desk.screen()

    at_desk(work)


def test_two_composers_know_nothing_of_each_other() -> None:
    assert Host().composer is not Host().composer
