"""What a person sees in terminals of every size and with every kind of colours: whole borders, the
status line below all else, nothing drawn over it.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from full_screen import PLACEHOLDER, FullScreen, assert_soon, assert_whole, talking

from assistant.conversation.store import Store

CTRL_B, CTRL_U, ESCAPE, F1 = "\x02", "\x15", "\x1b", "\x1bOP"
SIZES = [(60, 15), (300, 100), (20, 5), (80, 24)]
WIDE = 110  # columns: the past conversations stand beside the talk; else they lie over it
LONG_NAME = "ein_sehr_langer_Dateiname_" * 6 + "中文文件名.py"
QUESTION = "为什么 🎉 does this not work, and what would 中文字符 do?"
ANSWER = f"""Some **bold** words, 中文字符 and 🎉 emoji. {"word " * 60}

| a | b |
|--|--|
| 中文 | 🎉 |

```python
x = '中文'  # {"long " * 60}
```
"""
COLOR = re.compile(rb"\x1b\[([0-9;]*)m")
GREYS = rb"(?:0|7|8|15|16|59|102|145|188|231|23[2-9]|24[0-9]|25[0-5])(?:;|$)"  # of 256 colours
THEMES: dict[str, tuple[Sequence[str], dict[str, str]]] = {
    "dark": ((), {}),
    "light": (("-o", "theme", "textual-light"), {}),
    "ansi": (("-o", "theme", "ansi-dark"), {}),
    "no-color": ((), {"NO_COLOR": "1"}),
}


@contextmanager
def talked(
    folder: Path, words: Sequence[str] = (), environment: dict[str, str] | None = None
) -> Iterator[FullScreen]:
    """Wide characters and long lines everywhere, in a history that has more of them."""
    (folder / LONG_NAME).write_text("x = 1\n")
    past_conversations()
    with talking(
        ANSWER,
        folder / "engine",
        *words,
        columns=100,
        rows=30,
        environment=environment,
        current_folder=folder,
    ) as chat:
        chat.wait_until_ready()
        chat.ask(f"{QUESTION} @{LONG_NAME}")
        chat.wait_for_text("tokens/s")
        chat.wait_until_ready()
        yield chat


def past_conversations() -> None:
    store = Store.open()
    for title in (QUESTION, "x" * 200, "中" * 100, "🎉" * 80):
        name = store.begin(title, "/", date(2026, 1, 2)).name
        store.add_question(name, 0, title, ())
    store.close()


@pytest.mark.parametrize("theme", THEMES)
def test_everything_stands_where_it_belongs(theme: str, tmp_path: Path) -> None:
    words, environment = THEMES[theme]
    with talked(tmp_path, words, environment) as chat:
        for columns, rows in SIZES:
            chat.look_anew(columns, rows)
            assert_whole(chat)
            chat.press("中文 🎉 text")
            chat.wait_for_text("中文 🎉 text")
            assert_whole(chat)
            chat.press(CTRL_B)
            chat.wait_for_text("search")
            assert_soon(chat, beside_or_above)
            if columns >= WIDE:
                assert_whole(chat)
            chat.press(ESCAPE)
            chat.wait_for(lambda: "search" not in chat.text)
            chat.press(CTRL_U)
            chat.wait_for_text(PLACEHOLDER[:8])
            assert_whole(chat)


def beside_or_above(chat: FullScreen) -> None:
    """One line from top to bottom parts the past conversations from the talk."""
    cells, rows, columns = chat.screen.buffer, chat.screen.lines, chat.screen.columns
    edges = [x for x in range(columns) if all(cells[y][x].data == "│" for y in range(rows))]
    assert len(edges) == 1, chat.text


@pytest.mark.parametrize(
    ("environment", "forbidden"),
    [
        ({"NO_COLOR": "1"}, rb"(?:^|;)(?:[349][1-6]|10[1-6]|[34]8;(?:2;|5;(?!" + GREYS + rb")))"),
        ({"TERM": "xterm", "COLORTERM": ""}, rb"[34]8;[25]"),
        ({"TERM": "screen-256color", "COLORTERM": ""}, rb"[34]8;2"),
    ],
    ids=["greys", "sixteen", "256"],
)
def test_a_terminal_gets_colours_that_it_has(
    environment: dict[str, str], forbidden: bytes, tmp_path: Path
) -> None:
    with talked(tmp_path, (), environment) as chat:
        chat.press(CTRL_B)
        chat.wait_for_text("search")
        chat.press(ESCAPE)
        chat.wait_for(lambda: "search" not in chat.text)
        chat.press("/")
        chat.wait_for_text("/help")
        used = set(COLOR.findall(chat.written))
        assert used
        assert not [one for one in used if re.search(forbidden, one)], used


def test_pages_above_the_chat_fit(tmp_path: Path) -> None:
    with talked(tmp_path) as chat:
        for columns, rows in SIZES:
            if columns < 60:
                continue
            chat.look_anew(columns, rows)
            chat.press(F1)
            chat.wait_for_text("Keys")
            assert_soon(chat, one_box)
            chat.press(ESCAPE)
            chat.wait_for(lambda: "Keys" not in chat.text)
            (tmp_path / "out.txt").write_text("old\n" * 3)
            chat.ask("/save out.txt")
            chat.wait_for_text("n no")
            assert_soon(chat, one_box)
            chat.press("n")
            chat.wait_for(lambda: "n no" not in chat.text)
            assert_whole(chat)


def one_box(chat: FullScreen) -> None:
    """Above all else, with a whole border inside the screen."""
    cells, rows, columns = chat.screen.buffer, chat.screen.lines, chat.screen.columns

    def column(row: int, corner: str) -> int:
        return next((x for x in range(columns) if cells[row][x].data == corner), -1)

    top = next(y for y in range(rows) if column(y, "╭") >= 0)
    left, right = column(top, "╭"), column(top, "╮")
    assert 0 < left < right < columns - 1, chat.text
    bottom = next(y for y in range(top + 1, rows) if cells[y][left].data != "│")
    assert (cells[bottom][left].data, cells[bottom][right].data) == ("╰", "╯"), chat.text
    assert all(cells[y][right].data == "│" for y in range(top + 1, bottom)), chat.text
