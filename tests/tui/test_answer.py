"""One answer on the screen: progress, reasoning, text while it arrives, and how it ended."""

import asyncio
import statistics
import time

import pytest
from conftest import SCALE
from showing import Show, show
from textual.strip import Strip

from assistant.events import ModelLoading, PromptProgress, Queued
from assistant.tui.widgets.answer import AnswerView
from assistant.tui.widgets.answer_content import AnswerContent, Progress
from assistant.tui.widgets.lines import BAR, ActionChosen, LinkChosen
from assistant.tui.widgets.rows import Action, CodeBlock, Row
from assistant.tui.widgets.strips import plain

CODE = "Try this:\n\n```python\nprint(1)\n```\n\nor\n\n```sh\nls -l\n```\n"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines_of(content: AnswerContent) -> list[str]:
    content.catch_up()
    return [plain(row.line).rstrip() for row in content.rows()]


def laid_out(columns: int = 60, *, clock: Clock | None = None) -> AnswerContent:
    content = AnswerContent("talk.2", "Small 1B", clock=clock or Clock())
    content.lay_out(columns)
    return content


# ── what it says ────────────────────────────────────────────────────────────────────────────────


def test_the_head_names_the_model_and_the_message() -> None:
    head = lines_of(laid_out())[0]
    assert head.startswith("Small 1B")
    assert head.endswith("talk.2")
    assert lines_of(laid_out(9))[0] == "Small 1B"


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (ModelLoading("loading the model", 0.25), ["loading the model", "25%"]),
        (Queued(2), ["waiting", "number 2"]),
        (PromptProgress(400, 1_600, 100, 12.0), ["400 of 1,600", "12 s left", "100 cached", "━"]),
    ],
)
def test_progress_is_a_bar_with_its_figures(progress: Progress, words: list[str]) -> None:
    content = laid_out(100)
    content.progress = progress
    row = lines_of(content)[1]
    assert all(word in row for word in words), row


def test_progress_goes_when_the_text_comes() -> None:
    content = laid_out()
    content.progress = Queued(1)
    content.add("Hello")
    assert lines_of(content)[1:] == ["Hello"]


def test_reasoning_is_folded_into_how_long_and_how_much() -> None:
    clock = Clock()
    content = laid_out(clock=clock)
    content.add_reasoning("First this, th")
    content.add_reasoning("en that.")
    clock.now += 3
    assert lines_of(content)[1:] == ["▸ thinking for 3 s, 4 words"]
    clock.now += 9
    content.add("Done.")
    clock.now += 50
    assert lines_of(content)[1:] == ["▸ thought for 12 s, 4 words", "Done."]


def test_opened_reasoning_shows_what_was_thought() -> None:
    content = laid_out()
    content.add_reasoning("one [bold] \x1b[31m\ntwo")
    content.add("Answer.")
    content.reasoning.is_open = True
    assert lines_of(content)[1:] == [
        "▾ thought for 0 s, 4 words",
        r"│ one [bold] \x1b[31m",
        "│ two",
        "",
        "Answer.",
    ]


def test_reasoning_of_the_history_does_not_say_how_long() -> None:
    content = laid_out()
    content.finish("Yes.", "I think so", "done")
    assert lines_of(content)[1:] == ["▸ thought, 3 words", "Yes.", "done"]


def test_the_final_text_takes_the_place_of_what_was_streamed() -> None:
    content = laid_out()
    content.add("Hello wor")
    assert content.finish("Hello world.", "", "done") is True
    assert content.text == "Hello world."
    assert content.finish("Bye.", "", "stopped") is False
    content.lay_out(60)
    assert content.text == "Bye."
    assert lines_of(content)[1:] == ["Bye.", "stopped"]


def test_a_long_footer_is_never_cut() -> None:
    content = laid_out(20)
    content.finish("", "", "failed: there is no memory left for this")
    rows = lines_of(content)[1:]
    assert " ".join(rows) == "failed: there is no memory left for this"
    assert all(len(row) <= 20 for row in rows)


def test_laying_out_anew_gives_what_streaming_gave() -> None:
    streamed = laid_out(40)
    for at in range(0, len(CODE), 3):
        streamed.add(CODE[at : at + 3])
        streamed.catch_up()
    streamed.finish(CODE, "", "done")
    again = AnswerContent("talk.2", "Small 1B")
    again.finish(CODE, "", "done")
    again.lay_out(40)
    assert lines_of(streamed) == lines_of(again)


def test_text_that_comes_in_the_middle_of_laying_out_is_not_lost() -> None:
    content = laid_out(40)
    content.add("word " * 4_000)
    pieces = content.laying_out(30)
    next(pieces)
    content.add("the end")
    content.catch_up()
    for _ in pieces:
        content.add(" and more")
    assert content.columns == 30
    text = " ".join(lines_of(content))
    assert text.count("the end") == 1
    assert text.count("and more") == content.text.count("and more") > 0


@pytest.mark.parametrize(
    "piece", ["x = [i for i in range(10)]  # a line of code\n", "word ", "你好👍🏽 ", "- item\n"]
)
def test_adding_costs_the_same_however_long_the_answer_is(piece: str) -> None:
    """A fence of 1,600 lines token by token, and prose as long as 20,000 tokens."""
    content = laid_out(80)
    content.add("```python\n" if piece.startswith("x =") else "")
    size = max(1, len(piece) // 8)
    tokens = [piece[at : at + size] for at in range(0, len(piece), size)]
    costs = []
    for count in range(int(20_000 * max(SCALE, 0.2))):
        content.add(tokens[count % len(tokens)])
        if count % 400 == 399:
            content.add("" if piece.endswith("\n") else "\n\n")  # paragraphs as people write them
        started = time.process_time()
        content.catch_up()
        costs.append(time.process_time() - started)
    hundreds = [statistics.median(costs[at : at + 400]) for at in range(0, len(costs) - 399, 400)]
    assert min(hundreds[-3:]) <= 2 * max(max(hundreds[:3]), 0.0002)


# ── on the screen ───────────────────────────────────────────────────────────────────────────────


def answer(text: str = CODE, reasoning: str = "", footer: str = "done") -> AnswerView:
    view = AnswerView("talk.2", "Small 1B")
    view.finish(text, reasoning, footer)
    return view


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (300, 100), (12, 6)])
@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
def test_an_answer_streams_at_every_size(size: tuple[int, int], theme: str) -> None:
    async def act(it: Show) -> None:
        view = AnswerView("talk.2", "Small")
        it.transcript.add(view)
        view.show_progress(PromptProgress(1, 10, 0, None))
        await it.until(lambda: "reading" in it.text())
        for at in range(0, len(CODE), 2):
            view.add(CODE[at : at + 2])
        await it.until_shown("ls -l")
        view.finish(CODE, "", "done, 30 tok")
        await it.until_shown("done, 30")
        assert view.text == CODE
        assert [block.language for block in view.code_blocks] == ["python", "sh"]

    show(act, size, theme)


def test_no_color_shows_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def act(it: Show) -> None:
        it.transcript.add(answer())
        await it.until_shown("print(1)")
        colors = {
            color
            for strip in it.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style and (color := segment.style.color) and color.triplet
        }
        assert all(len(set(color.get_truecolor())) == 1 for color in colors), "grey"

    show(act)


def test_clicking_on_a_code_block_says_which() -> None:
    async def act(it: Show) -> None:
        view = answer()
        it.transcript.add(view)
        await it.until_shown("ls -l")
        await it.click("sh ──", "insert")
        await it.click("python ──", "copy")
        told = it.told(ActionChosen)
        assert [(e.action, e.code) for e in told] == [
            (Action.INSERT, CodeBlock("sh", "ls -l\n")),
            (Action.COPY, CodeBlock("python", "print(1)\n")),
        ]
        assert all(event.view is view for event in told)

    show(act)


def test_a_click_beside_the_words_does_nothing() -> None:
    async def act(it: Show) -> None:
        it.transcript.add(answer())
        await it.until_shown("ls -l")
        await it.click("print(1)")
        await it.click("python ──")
        assert it.app.told == []

    show(act)


def test_the_actions_of_an_answer_appear_under_the_mouse() -> None:
    async def act(it: Show) -> None:
        it.transcript.add(answer("Short."))
        await it.until_shown("done")
        assert not it.shows("regenerate")
        await it.pilot.hover(offset=(5, it.row_of("Short.")))
        await it.until_shown("regenerate")
        await it.click("regenerate")
        assert [(e.action, e.code) for e in it.told(ActionChosen)] == [(Action.REGENERATE, None)]
        await it.pilot.hover(offset=(5, 22))
        await it.until(lambda: not it.shows("regenerate"))

    show(act)


def test_a_click_opens_the_reasoning_and_enter_closes_it() -> None:
    async def act(it: Show) -> None:
        it.transcript.add(answer("Yes.", "because of that"))
        await it.until_shown("▸ thought, 3 words")
        await it.click("▸ thought")
        await it.until_shown("│ because of that")
        await it.press("alt+up", "enter")
        await it.until(lambda: not it.shows("because"))
        assert it.app.told == []

    show(act)


def test_a_click_on_an_address_tells_it_and_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(it: Show) -> None:
        opened: list[str] = []
        monkeypatch.setattr(it.app, "open_url", opened.append)
        it.transcript.add(answer("See [here](https://a.example/x) or https://b.example."))
        await it.until_shown("https://a.example/x")
        await it.click("a.example", "https://a")
        await it.press("alt+up", "right", "right", "enter")
        assert [event.url for event in it.told(LinkChosen)] == [
            "https://a.example/x",
            "https://b.example",
        ]
        assert opened == []

    show(act)


def test_a_broken_address_is_one_that_can_be_chosen() -> None:
    first, second = f"https://a.example/{'x' * 90}", "https://b.example"

    async def act(it: Show) -> None:
        it.transcript.add(answer(f"See {first} and then {second}"))
        await it.until_shown(second)
        await it.press("alt+up", "left", "left", "enter", "left", "enter", "right", "enter")
        assert [event.url for event in it.told(LinkChosen)] == [first, second, first]

    show(act)


def test_the_final_text_may_have_less_than_the_cursor_is_at() -> None:
    async def act(it: Show) -> None:
        view = answer(f"{CODE}\nhttps://a.example")
        it.transcript.add(view)
        await it.until_shown("a.example")
        await it.press("alt+up", "right")
        view.finish("Nothing of that.", "", "done")
        await it.until(lambda: not it.shows("a.example"))
        await it.press("enter", "c", "alt+up", "alt+down")
        assert all(event.code is None for event in it.told(ActionChosen))

    show(act)


def test_the_end_of_a_text_stays_when_somebody_scrolls_a_little() -> None:
    async def act(it: Show) -> None:
        it.transcript.add(answer("line\n\n" * 20))
        view = AnswerView("talk.2", "Small")
        it.transcript.add(view)
        view.add("begun and")
        await it.until_shown("begun and")
        it.transcript.scroll_to(y=it.transcript.scroll_y - 2, animate=False, immediate=True)
        await it.until(lambda: not it.transcript.is_following)
        view.add(" gone on")
        await it.until_shown("begun and gone on")

    show(act)


def test_keys_act_on_what_the_cursor_is_at() -> None:
    async def act(it: Show) -> None:
        it.transcript.add(answer())
        await it.until_shown("ls -l")
        await it.press("alt+up", "s", "alt+up", "enter", "alt+up", "r", "c")
        assert [(e.action, e.code and e.code.language) for e in it.told(ActionChosen)] == [
            (Action.SAVE, "sh"),
            (Action.COPY, "python"),
            (Action.REGENERATE, None),
            (Action.COPY, None),
        ]

    show(act)


def test_a_bar_shows_where_the_cursor_is() -> None:
    async def act(it: Show) -> None:
        it.transcript.add(answer())
        await it.until_shown("ls -l")
        await it.press("alt+up")
        await it.until(lambda: BAR.strip() in it.text())
        marked = [row[2:] for row in it.rows() if row.startswith(BAR)]
        assert marked[0].startswith("sh ──")
        assert marked[1:] == ["ls -l"]
        await it.press("alt+up", "alt+up")
        await it.until(lambda: sum(row.startswith(BAR.strip()) for row in it.rows()) > 10)

    show(act)


def test_the_mouse_selects_code_as_it_was_written() -> None:
    long = "x = " + "+".join(map(str, range(60)))

    async def act(it: Show) -> None:
        it.transcript.add(answer(f"Look:\n\n```python\n{long}\ny = 2\n```\n\nThe end."))
        await it.until_shown("The end.")
        top, bottom = it.row_of("Look:"), it.row_of("The end.")
        await it.pilot.mouse_down(offset=(2, top))
        await it.pilot.hover(offset=(9, bottom))
        await it.pilot.mouse_up(offset=(9, bottom))
        await it.pilot.pause()
        text = it.app.screen.get_selected_text()
        assert text == f"Look:\n\n{long}\ny = 2\n\nThe end."
        assert it.app.told == []

    show(act)


def test_what_is_redrawn_is_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of finished text are not drawn again for every token."""

    async def act(it: Show) -> None:
        view = AnswerView("talk.2", "Small")
        it.transcript.add(view)
        view.add("First paragraph.\n\nSecond one.\n\nThird")
        await it.until_shown("Third")
        drawn: list[int] = []
        draw = view.render_line

        def noting(y: int) -> Strip:
            drawn.append(y)
            return draw(y)

        monkeypatch.setattr(view, "render_line", noting)
        view.add(" one")
        await it.until_shown("Third one")
        first = it.row_of("First") - it.row_of("Small")
        assert drawn
        assert min(drawn) > first, "the second paragraph may still become something else"

    show(act)


def test_an_answer_is_drawn_no_more_than_twenty_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def act(it: Show) -> None:
        view = AnswerView("talk.2", "Small")
        it.transcript.add(view)
        await it.until_shown("Small")
        draws: list[float] = []
        catch_up = view.content.catch_up

        def noting(*, has_tail: bool) -> None:
            draws.append(time.monotonic())
            catch_up(has_tail=has_tail)

        monkeypatch.setattr(view.content, "catch_up", noting)
        started = time.monotonic()
        for _ in range(400):
            view.add("word ")
            await asyncio.sleep(0.001)
        passed = time.monotonic() - started
        assert 2 <= len(draws) <= 20 * passed + 1
        await it.until(lambda: it.text().count("word") == 400)

    show(act, (120, 40))


def test_an_answer_that_nobody_sees_is_drawn_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def act(it: Show) -> None:
        for number in range(4):
            it.transcript.add(answer("line\n\n" * 20, footer=f"number {number}"))
        await it.until_shown("number 3")
        view = AnswerView("talk.2", "Small")
        it.transcript.add(view)
        view.add("it begins")
        await it.until_shown("it begins")
        it.transcript.scroll_page(-2)
        await it.until(lambda: not it.shows("it begins"))
        draws: list[bool] = []
        catch_up = view.content.catch_up

        def noting(*, has_tail: bool) -> None:
            draws.append(has_tail)
            catch_up(has_tail=has_tail)

        monkeypatch.setattr(view.content, "catch_up", noting)
        end = time.monotonic() + 1.2

        def added_for_a_while() -> bool:
            view.add(" and on")
            return time.monotonic() > end

        await it.until(added_for_a_while)
        monkeypatch.undo()
        assert 1 <= len(draws) <= 4
        assert not any(draws)
        view.finish(view.text, "", "the end")
        it.transcript.go_to_end()
        await it.until_shown("the end")

    show(act)


def test_a_storm_of_sizes_while_an_answer_streams_leaves_all_of_it_in_order() -> None:
    async def act(it: Show) -> None:
        view = AnswerView("talk.2", "Small")
        it.transcript.add(view)
        words = [f"word{number} " for number in range(300)]
        for at, word in enumerate(words):
            view.add(word)
            if at % 10 == 0:
                await it.pilot.resize_terminal(30 + at % 71, 10 + at % 23)
        await it.pilot.resize_terminal(50, 20)
        view.finish("".join(words), "", "done")
        await it.until(lambda: view.content.columns == 50 - 3)
        rows: list[Row] = list(view.content.rows())
        text = " ".join(plain(row.line) for row in rows if not row.is_chrome)
        assert text.split() == "".join(words).split()
        await it.until_shown("done")

    show(act)


def test_a_long_answer_of_the_history_keeps_no_key_waiting() -> None:
    async def act(it: Show) -> None:
        text = "Some **words** in a paragraph of an answer that is long. " * 40
        pauses: list[float] = []
        started = before = time.thread_time()
        it.transcript.add(answer(f"{text}\n\n" * 60, footer="the very end"))
        while not it.shows("the very end"):
            await asyncio.sleep(0.001)
            before, last = time.thread_time(), before
            pauses.append(before - last)
        assert before - started > 3 * max(pauses), "it was done in pieces"
        assert it.transcript.is_following

    show(act)


@pytest.mark.parametrize("text", ["word " * 200_000, "```\n" + "x\t你" * 330_000])
def test_a_megabyte_in_one_line_is_shown(text: str) -> None:
    async def act(it: Show) -> None:
        view = AnswerView("talk.2", "Small")
        it.transcript.add(view)
        view.add(text)
        await it.until(lambda: view.content.height > 5_000)
        view.finish(text, "", "the very end")
        await it.until_shown("the very end")
        assert view.text == text
        it.transcript.go_to_start()
        await it.until_shown("Small")

    show(act)


def test_a_hostile_answer_is_shown_as_it_is() -> None:
    text = (
        "[/] [bold]x[/bold] \x1b[2J\x1b]52;c;aGk=\x07 \x9b31m \u202eevil\u2066 \u200b|\n\n"
        "```[/]\n[red]\x1b[31m\x85\u2028\n"
    )

    async def act(it: Show) -> None:
        view = AnswerView("talk.2", "[/]\x1b[31m")
        it.transcript.add(view)
        for char in text:
            view.add(char)
        view.add_reasoning("[/]\x1b[31m")
        view.finish(text, "[/]", "[/red]\x1b[31m")
        await it.until_shown(r"[/red]\x1b[31m")
        shown = it.text()
        assert r"[/] [bold]x[/bold] \x1b[2J\x1b]52;c;aGk=\x07 \x9b31m \u{202e}evil" in shown
        assert r"[red]\x1b[31m\x85\u{2028}" in shown
        assert not any(hidden in shown for hidden in "\x1b\x07\x9b\x85\u202e\u2066\u200b\u2028")
        assert view.text == text

    show(act)
