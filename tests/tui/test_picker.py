"""Completing @files and /commands: when the picker opens, what it offers, what taking does."""

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from composing import SIZE, Desk, Suggestion, at_desk, complete

from assistant.errors import InputError
from assistant.tui.widgets.composer import Composer

CODE = "class A:\n    def first(self):\n        return 1\n\n\ndef second():\n    return 2\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("src/alpha.py", "src/beta.py", "src/deep/gamma.py", "my file.py", "README.md")
    return tmp_path


def write(*names: str, text: str = CODE) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


# ── what can be attached ────────────────────────────────────────────────────────────────────


def test_an_at_sign_offers_files_and_typing_narrows_them() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("look at @")
        await desk.until_offered("README.md")
        await desk.write("alp")
        await desk.until(lambda: desk.offered() == ["src/alpha.py"])
        await desk.press("enter")
        assert desk.composer.text == "look at @src/alpha.py "
        assert not desk.composer.is_picking
        await desk.write("why?\r")
        assert desk.sent() == ["look at @src/alpha.py why?"]

    at_desk(work)


def test_the_keys_choose_and_go_round() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@src/")
        await desk.until_offered("src/beta.py")
        offered = desk.offered()
        await desk.press("down")
        assert desk.picker.chosen.shown == offered[1]
        await desk.press("up", "up")
        assert desk.picker.chosen.shown == offered[-1]
        await desk.press("pageup", "tab")
        assert desk.composer.text.startswith(f"@{offered[0]}")
        assert desk.host.keys == []

    at_desk(work)


def test_escape_closes_it_for_this_mention_and_tab_opens_it_again() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@al")
        await desk.until_offered("src/alpha.py")
        await desk.press("escape")
        assert not desk.composer.is_picking
        await desk.write("p")
        assert not desk.composer.is_picking
        assert desk.host.keys == []
        await desk.press("escape")
        assert desk.host.keys == ["escape"]
        await desk.press("backspace", "backspace", "backspace", "tab")
        assert "src/alpha.py" in desk.offered()
        await desk.press("escape")
        await desk.write(" @be")
        await desk.until_offered("src/beta.py")

    at_desk(work)


def test_tab_goes_into_a_folder_and_enter_attaches_it() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@deep")
        await desk.until(lambda: desk.offered()[:1] == ["src/deep/"])
        await desk.press("tab")
        assert desk.composer.text == "@src/deep/"
        await desk.until_offered("src/deep/gamma.py")
        await desk.press("enter")
        assert desk.composer.text == "@src/deep/"  # it was typed already, so it is sent
        assert desk.sent() == []

    async def attach(desk: Desk) -> None:
        await desk.write("@deep")
        await desk.until(lambda: desk.offered()[:1] == ["src/deep/"])
        await desk.press("enter")
        assert desk.composer.text == "@src/deep/ "

    at_desk(attach)


def test_what_is_typed_in_full_is_sent() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@README.md")
        await desk.until(lambda: desk.offered() == ["README.md"])
        await desk.press("enter")
        assert desk.sent() == ["@README.md"]

    at_desk(work)


def test_a_name_with_blanks_gets_quotes() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@myf")
        await desk.until_offered("my file.py")
        await desk.press("enter")
        assert desk.composer.text == '@"my file.py" '
        await desk.press("ctrl+u")
        await desk.write('@"my f')
        await desk.until_offered("my file.py")
        await desk.press("tab")
        assert desk.composer.text == '@"my file.py" '

    at_desk(work)


def test_punctuation_takes_the_place_of_the_blank() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@alpha")
        await desk.until_offered("src/alpha.py")
        await desk.press("enter")
        await desk.write(", and")
        assert desk.composer.text == "@src/alpha.py, and"

    at_desk(work)


def test_symbols_are_offered_behind_two_colons() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@src/alpha.py::")
        await desk.until_offered("src/alpha.py::A.first")
        assert set(desk.offered()) == {
            "src/alpha.py::A",
            "src/alpha.py::A.first",
            "src/alpha.py::second",
        }
        await desk.write("sec")
        await desk.until(lambda: desk.offered() == ["src/alpha.py::second"])
        choice = desk.choice("src/alpha.py::second")
        assert choice is not None
        assert choice.detail.startswith("lines 6-7")
        await desk.until(lambda: "lines 6-7, 4 tokens" in desk.screen())
        await desk.press("tab")
        assert desk.composer.text == "@src/alpha.py::second "

    at_desk(work)


def test_lines_say_how_many_they_are() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@src/alpha.py:")
        await desk.until_offered("src/alpha.py:1-7")
        await desk.write("2-3")
        await desk.until_offered("src/alpha.py:2-3")
        await desk.until(lambda: "2 lines, 4 tokens" in desk.screen())
        await desk.write("0")
        await desk.until(lambda: "no line 30" in desk.screen())

    at_desk(work)


def test_paths_out_of_the_folder_and_hidden_ones_can_be_typed(folder: Path) -> None:
    write(".github/ci.yml", "src/.hidden.py")

    async def work(desk: Desk) -> None:
        await desk.write("@.gi")
        await desk.until_offered(".github/")
        await desk.press("tab")
        await desk.until_offered(".github/ci.yml")
        await desk.press("ctrl+u")
        await desk.write("@src/.")
        await desk.until_offered("src/.hidden.py")
        await desk.press("ctrl+u")
        await desk.write(f"@{folder}/REA")
        await desk.until_offered(f"{folder}/README.md")
        await desk.press("ctrl+u")
        await desk.write("@..")
        await desk.until(lambda: desk.offered() == ["../"])

    at_desk(work, (200, 24))


def test_ignored_and_secret_files_are_not_offered() -> None:
    write(".git/HEAD", "build/out.py", ".env", "id_rsa")
    write(".gitignore", text="build/\n")

    async def work(desk: Desk) -> None:
        await desk.write("@")
        await desk.until_offered("README.md")
        assert not {"build/", "build/out.py", "id_rsa", ".env"} & set(desk.offered())

    at_desk(work)


def test_sizes_come_and_then_tokens() -> None:
    counted = threading.Event()

    def count(text: str) -> int | None:
        counted.wait(20)
        return len(text)

    async def work(desk: Desk) -> None:
        await desk.write("@alpha")
        await desk.until_offered("src/alpha.py")
        await desk.until(lambda: f"{len(CODE)} bytes" in desk.screen())
        counted.set()
        await desk.until(lambda: f"{len(CODE)} tokens" in desk.screen())
        await desk.press("ctrl+u")
        await desk.write("@src")
        await desk.until(lambda: "3 files" in desk.screen())

    at_desk(work, SIZE, Composer(complete, count))


def test_what_cannot_be_attached_says_why() -> None:
    Path("data.bin").write_bytes(b"\0\1\2")

    async def work(desk: Desk) -> None:
        await desk.write("@data")
        await desk.until(lambda: "data.bin is binary, not text" in desk.screen())

    at_desk(work)


def test_a_file_that_is_new_is_offered_the_next_time() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@new")
        await desk.until(lambda: desk.picker.is_open is False)
        await desk.press("ctrl+u")
        write("new_file.py")
        await desk.write("@new")
        await desk.until_offered("new_file.py")

    at_desk(work)


def test_what_was_attached_before_comes_first() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@beta")
        await desk.until_offered("src/beta.py")
        await desk.press("enter")
        await desk.write("and @")
        await desk.until(lambda: desk.offered()[:1] == ["src/beta.py"])

    at_desk(work)


def test_changes_are_offered_in_a_repository() -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "README.md"], check=True)

    async def work(desk: Desk) -> None:
        await desk.write("@dif")
        await desk.until_offered("diff")
        await desk.until(lambda: "uncommitted changes, " in desk.screen())
        await desk.until(lambda: " tokens" in desk.screen())
        await desk.press("enter")
        assert desk.composer.text == "@diff "

    at_desk(work)


@pytest.mark.parametrize(
    "text", ["bob@example", "`@src", "no at sign", "! ls @src", "/usr/bin/python is", "x /h"]
)
def test_other_words_open_nothing(text: str) -> None:
    async def work(desk: Desk) -> None:
        await desk.write(text)
        for _ in range(5):
            await desk.pilot.pause()
        assert not desk.composer.is_picking

    at_desk(work)


def test_only_typing_opens_it() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@al")
        await desk.until_offered("src/alpha.py")
        await desk.press("ctrl+u")
        await desk.paste("@alpha")
        assert not desk.composer.is_picking
        desk.composer.set_text("/help")
        await desk.pilot.pause()
        assert not desk.composer.is_picking
        await desk.press("left")
        assert not desk.composer.is_picking

    at_desk(work)


def test_it_closes_when_the_cursor_leaves() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("a @al")
        await desk.until_offered("src/alpha.py")
        await desk.press("home")
        assert not desk.composer.is_picking

    at_desk(work)


def test_odd_names_are_shown_as_they_are_and_never_as_markup() -> None:
    odd = os.fsdecode(b"\xff.py")
    write("[bold]x[/].py", "[/]", "esc\x1b[31m.py", "two\nlines.py", 'a"lines.py', odd)

    async def work(desk: Desk) -> None:
        await desk.write("@")
        await desk.until(lambda: "[bold]x[/" in desk.screen())
        screen = desk.screen()
        assert "[/]" in screen
        assert "\x1b" not in screen
        assert "esc\\x1b[31m.py" in screen
        assert "lines.py" not in screen  # no mention could hold it
        await desk.write("x[")
        await desk.until(lambda: desk.offered()[:1] == ["[bold]x[/"])
        await desk.press("down")
        await desk.press("enter")
        assert desk.composer.text == "@[bold]x[/].py "

    at_desk(work)


# ── commands ────────────────────────────────────────────────────────────────────────────────


def test_a_slash_offers_commands_and_what_they_do() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("/")
        await desk.until_offered("/model")
        assert "Show all commands, or one." in desk.screen()
        await desk.write("m")
        await desk.until(lambda: desk.offered() == ["/model"])
        await desk.press("enter")
        assert desk.composer.text == "/model "
        await desk.until(lambda: desk.offered() == ["/model small", "/model large"])
        await desk.press("down", "tab")
        assert desk.composer.text == "/model large"
        await desk.press("enter")
        assert desk.sent() == ["/model large"]

    at_desk(work)


def test_a_command_that_is_typed_in_full_is_sent() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("/")
        await desk.until_offered("/help")
        await desk.write("new\r/help\r")
        assert desk.sent() == ["/new", "/help"]

    at_desk(work)


def test_keys_that_come_before_the_choices_mean_what_is_typed_by_then() -> None:
    asked = threading.Event()

    def slow(line: str) -> Sequence[Suggestion]:
        if threading.current_thread() is not threading.main_thread():
            asked.wait(1)
        return complete(line)

    async def work(desk: Desk) -> None:
        await desk.write("/mo\t")
        assert desk.composer.text == "/model "
        asked.set()

    at_desk(work, SIZE, Composer(slow))


def test_a_source_that_fails_is_no_harm() -> None:
    def fail(_line: str) -> Sequence[Suggestion]:
        raise RuntimeError

    async def work(desk: Desk) -> None:
        await desk.write("/he")
        await desk.write(" there\r@al")
        assert desk.sent() == ["/he there"]
        await desk.until_offered("src/alpha.py")

    at_desk(work, SIZE, Composer(fail))


def test_commands_that_cannot_be_read_are_typed_as_text() -> None:
    def fail(_line: str) -> Sequence[Suggestion]:
        raise InputError("there is no store", "try again")

    async def work(desk: Desk) -> None:
        await desk.write("/he")
        await desk.press("tab")
        await desk.press("enter")
        assert desk.sent() == ["/he"]

    at_desk(work, SIZE, Composer(fail))


# ── the mouse and the screen ────────────────────────────────────────────────────────────────


def test_a_click_takes_a_choice_and_the_text_keeps_the_focus() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@src/")
        await desk.until_offered("src/beta.py")
        at = desk.offered().index("src/beta.py")
        await desk.pilot.click(desk.picker, offset=(5, at + 1))
        await desk.until(lambda: desk.composer.text == "@src/beta.py ")
        assert desk.draft.has_focus

    at_desk(work)


def test_a_click_on_the_frame_takes_nothing() -> None:
    async def work(desk: Desk) -> None:
        await desk.write("@src/")
        await desk.until_offered("src/beta.py")
        await desk.pilot.click(desk.picker, offset=(5, 0))
        await desk.pilot.pause()
        assert desk.composer.text == "@src/"
        assert desk.draft.has_focus

    at_desk(work)


def boxes() -> Iterator[tuple[tuple[int, int], int]]:
    yield (80, 24), 8
    yield (60, 15), 8
    yield (60, 11), 5
    yield (300, 100), 8


@pytest.mark.parametrize(("size", "rows"), list(boxes()))
def test_it_stands_just_above_the_text(size: tuple[int, int], rows: int) -> None:
    write(*(f"many/file{number:02}.py" for number in range(40)))

    async def work(desk: Desk) -> None:
        await desk.write("@file")
        await desk.until(lambda: len(desk.offered()) == rows)
        lines = desk.screen().split("\n")
        composer = desk.composer.region
        assert desk.picker.region.bottom == composer.y
        assert desk.picker.region.y >= 0
        assert "many/file00.py" in lines[desk.picker.region.y + 1]
        assert "@file" in lines[composer.y + 1]
        await desk.press("up")  # to the last of many
        assert desk.picker.chosen.shown in desk.offered()
        await desk.until(lambda: desk.picker.chosen.shown in desk.screen())

    at_desk(work, size)


def test_a_long_path_keeps_its_end() -> None:
    write("some/" * 30 + "target_file.py")

    async def work(desk: Desk) -> None:
        await desk.write("@target")
        await desk.until(lambda: "/some/target_file.py" in desk.screen())
        assert "…" in desk.screen()

    at_desk(work, (60, 15))
