"""The conversation on the screen: its end, its beginning, and the place where somebody reads."""

import statistics
import time
from collections.abc import Sequence

import pytest
from conftest import SCALE
from showing import Show, conversation, show

from assistant.conversation.records import StoredMessage
from assistant.tui.widgets.answer import AnswerView
from assistant.tui.widgets.lines import ActionChosen
from assistant.tui.widgets.places import BATCH, MOST
from assistant.tui.widgets.question import QuestionView
from assistant.tui.widgets.rows import WHOLE
from assistant.tui.widgets.transcript import Transcript

LONG = "A line.\n\n" * 30


def widgets(it: Show) -> int:
    return len(it.transcript.query(AnswerView)) + len(it.transcript.query(QuestionView))


async def opened(it: Show, messages: Sequence[StoredMessage]) -> None:
    it.transcript.show_history(messages, "talk")
    await it.until(lambda: is_open(it, f"talk.{len(messages)}"))
    await it.pilot.pause()


def is_open(it: Show, last: str) -> bool:
    view = it.transcript.view(last)
    return view is not None and it.transcript.shows(view) and it.transcript.is_following


async def scroll_up(it: Show, pages: int = 1) -> None:
    it.transcript.scroll_page(-pages)
    await it.until(lambda: not it.transcript.is_following)
    await it.pilot.pause()


async def add_answer(it: Show, text: str, name: str = "talk.900") -> AnswerView:
    view = AnswerView(name, "Small")
    it.transcript.add(view)
    view.finish(text, "", f"end of {name}")
    await it.until_shown(f"end of {name}")
    return view


# ── the end ─────────────────────────────────────────────────────────────────────────────────────


def test_the_end_stays_on_the_screen_while_an_answer_grows() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(6))
        view = AnswerView("talk.7", "Small")
        it.transcript.add(view)
        for number in range(60):
            view.add(f"line {number}\n\n")
            await it.until_shown(f"line {number}")
        view.finish(view.text, "", "done")
        await it.until(lambda: it.rows()[-2].strip() == "done")

    show(act)


def test_who_scrolls_up_stays_there_and_is_told_what_comes() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(6, LONG))
        view = AnswerView("talk.7", "Small")
        it.transcript.add(view)
        view.add("first words")
        await it.until_shown("first words")
        await scroll_up(it)
        before = it.rows()[:-1]
        view.add("\n\nmore" * 20)
        await it.until_shown("new lines")
        assert it.rows()[:-1] == before
        view.finish(view.text, "", "the end")
        await it.until_shown("↓ 41 new lines")
        assert it.rows()[:-1] == before
        await it.click("new lines", "↓")
        await it.until_shown("the end")
        assert not it.shows("new lines")

    show(act)


def test_end_goes_to_the_end_and_stays_there() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(6, LONG))
        await scroll_up(it, 3)
        it.transcript.focus()
        await it.press("end")
        await it.until(lambda: it.transcript.is_following)
        await add_answer(it, LONG)
        assert it.transcript.is_following

    show(act)


def test_scrolling_down_to_the_end_follows_again() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(6, LONG))
        await scroll_up(it)
        it.transcript.scroll_page(1)
        it.transcript.scroll_page(1)
        await it.until(lambda: it.transcript.is_following)

    show(act)


# ── the place where somebody reads ──────────────────────────────────────────────────────────────


def test_another_width_leaves_the_same_message_at_the_top() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(30, "Some words that are wrapped. " * 20))
        it.transcript.go_to("talk.20")
        await it.until(lambda: "talk.20" in it.rows()[0])
        view = it.transcript.view("talk.20")
        assert view is not None
        for width, height in ((40, 24), (100, 12), (60, 40)):
            await it.pilot.resize_terminal(width, height)
            await it.until(lambda columns=width - 3: view.content.columns == columns)  # type: ignore[misc]
            await it.until(lambda: "talk.20" in it.rows()[0])

    show(act)


def test_opening_the_reasoning_above_moves_nothing() -> None:
    async def act(it: Show) -> None:
        view = AnswerView("talk.1", "Small")
        it.transcript.add(view)
        view.finish(LONG, "thought\n" * 30, "done")
        await add_answer(it, LONG)
        await scroll_up(it)
        before = it.rows()
        height = it.transcript.max_scroll_y
        view.unfold()
        await it.until(lambda: it.transcript.max_scroll_y > height)
        assert it.rows() == before

    show(act)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (300, 100)])
def test_scrolling_up_shows_every_message_once_and_in_order(size: tuple[int, int]) -> None:
    async def act(it: Show) -> None:
        count = 120
        await opened(it, conversation(count))
        seen: list[int] = []

        def note() -> None:
            found = [
                int(row.split(".")[-1])
                for row in it.rows()
                if row.startswith(("  ❯ You", "  Answer ")) and ".  " not in row and "talk." in row
            ]
            assert found == list(range(found[0], found[-1] + 1)) if found else True
            seen.extend(found)

        note()
        while it.transcript.places.first or it.transcript.scroll_y > 0:
            it.transcript.scroll_page(-1)
            await it.pilot.pause()
            note()
            assert widgets(it) <= max(MOST + 2 * BATCH, 2 * size[1])
        assert set(seen) == set(range(1, count + 1))
        while not it.transcript.is_following:
            it.transcript.scroll_page(1)
            await it.pilot.pause()
            note()
        assert it.transcript.places.later == 0

    show(act, size)


def test_messages_that_come_later_are_counted() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(100, LONG))
        it.transcript.go_to_start()
        await it.until_shown("↓ 80 later messages")
        assert it.shows("Question 1?")
        await it.click("later messages")
        await it.until(lambda: is_open(it, "talk.100"))
        assert not it.shows("later")

    show(act)


def test_what_is_written_while_somebody_reads_far_above_is_there_in_the_end() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(100))
        view = AnswerView("talk.101", "Small")
        it.transcript.add(view)
        view.add("begin")
        await it.until_shown("begin")
        it.transcript.go_to_start()
        await it.until_shown("Question 1?")
        view.add(" and end")
        view.finish("begin and end", "", "ended")
        late = QuestionView("A late one?", name="talk.102")
        it.transcript.add(late)
        assert not it.shows("late one")
        it.transcript.go_to_end()
        await it.until_shown("A late one?")
        assert it.shows("begin and end")
        assert it.text().count("ended") == 1

    show(act)


def test_going_to_a_message_shows_it_with_the_cursor() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(200))
        view = it.transcript.go_to("talk.31")
        assert view is not None
        await it.until_shown("Question 31?")
        assert view.cursor == WHOLE
        assert it.transcript.go_to("talk.999") is None

    show(act)


# ── what is in it ───────────────────────────────────────────────────────────────────────────────


def test_another_conversation_takes_the_place_of_the_first() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(40))
        await opened(it, conversation(3))
        await it.until(lambda: widgets(it) == 3)
        it.transcript.clear()
        await it.until(lambda: widgets(it) == 0)
        assert not it.shows("Question")
        await add_answer(it, "Hello.")

    show(act)


def test_a_message_and_all_that_follow_can_be_removed() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(40))
        it.transcript.remove_from("talk.39")
        await it.until(lambda: not it.shows("Question 39?"))
        await it.until_shown("Answer 38.")
        await add_answer(it, "Another end.")
        assert it.row_of("Answer 38.") < it.row_of("Another end.")

    show(act)


# ── the cursor ──────────────────────────────────────────────────────────────────────────────────


def test_the_cursor_goes_through_a_whole_conversation_and_leaves_at_the_end() -> None:
    async def act(it: Show) -> None:
        count = 40
        await opened(it, conversation(count))
        seen = []
        for _ in range(count):
            await it.press("alt+up")
            at = [view for view in it.transcript.places.shown if view.cursor is not None]
            assert len(at) == 1
            seen.append(int(at[0].name.split(".")[1]))
            await it.until_shown(at[0].name)
        assert seen == list(range(count, 0, -1))
        it.transcript.go_to_end()
        await it.until(lambda: it.transcript.is_following)
        while not it.told(Transcript.Left):
            await it.press("alt+down")
        assert len(seen) == count
        assert all(view.cursor is None for view in it.transcript.places.shown)

    show(act)


def test_the_cursor_is_gone_with_its_message() -> None:
    async def act(it: Show) -> None:
        await opened(it, conversation(6))
        await it.press("alt+up", "alt+up")
        it.transcript.remove_from("talk.5")
        it.transcript.move_cursor(-1)
        await it.press("alt+up", "alt+down", "c")
        await it.until(lambda: not it.shows("talk.5"))
        assert [event.view.name for event in it.told(ActionChosen)] == ["talk.4"]

    show(act)


def test_keys_do_nothing_where_there_is_nothing() -> None:
    async def act(it: Show) -> None:
        it.transcript.focus()
        await it.press("c", "enter", "left", "right", "alt+up", "pageup", "end", "home", "r")
        assert it.app.told == []

    show(act)


def test_a_click_leaves_the_focus_where_somebody_types() -> None:
    async def act(it: Show) -> None:
        await add_answer(it, "Some text.")
        focused = it.app.focused
        await it.click("Some text.")
        assert it.app.focused is focused

    show(act)


# ── time ────────────────────────────────────────────────────────────────────────────────────────


def test_a_conversation_of_ten_thousand_messages_opens_and_scrolls_at_once() -> None:
    async def act(it: Show) -> None:
        messages = conversation(int(10_000 * SCALE), "Some **words**, and `more`. " * 40)
        started = time.process_time()
        await opened(it, messages)
        assert time.process_time() - started < 2.0
        pages = []
        for _ in range(40):
            started = time.process_time()
            it.transcript.scroll_page(-1)
            await it.pilot.pause()
            pages.append(time.process_time() - started)
        assert it.transcript.places.first < len(messages) - 20
        assert statistics.mean(pages) < 0.1
        assert widgets(it) <= MOST + 2 * BATCH

    show(act, (100, 40))
