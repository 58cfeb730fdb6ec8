"""The composer in a real terminal: pastes, keys, and the user's editor in place of the chat."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte
import pytest
from textual.app import App

from assistant.errors import AssistantError
from assistant.tui import editing

COLUMNS, ROWS = 80, 24
PATIENCE_SECONDS = 30.0
CHAT = """
from textual.app import App
from textual.widgets import Static
from assistant.errors import AssistantError
from assistant.tui.driver import ChatDriver
from assistant.tui.editing import edit_text
from assistant.tui.widgets.composer import Composer

class Chat(App):
    CSS = "#said { height: 1fr; }"
    ENABLE_COMMAND_PALETTE = False

    def compose(self):
        yield Static("ready", id="said", markup=False)
        yield Composer()

    def on_mount(self):
        self.query_one(Composer).focus()

    def on_composer_submitted(self, event):
        sizes = [len(one.text) for one in event.pasted]
        self.query_one("#said").update(f"SENT {event.text!r} {sizes}")

    def on_composer_editor_wanted(self, event):
        try:
            text = edit_text(self, event.text)
        except AssistantError as err:
            self.query_one("#said").update(f"FAILED {err.message}")
        else:
            self.query_one(Composer).take_edited(event, text)

Chat(driver_class=ChatDriver).run()
"""


class Terminal:
    """What a person sees and types."""

    def __init__(self, child: "pexpect.spawn[str]") -> None:
        self._child = child
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    def type(self, keys: str) -> None:
        """In a thread: a terminal takes a few kilobytes at a time."""
        threading.Thread(target=self._write, args=(keys.encode(),), daemon=True).start()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._child.child_fd, data[:4096]) :]

    def until(self, condition: Callable[[str], bool]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.text):
            assert time.monotonic() < end, self.text
            try:
                self._stream.feed(self._child.read_nonblocking(65_536, 0.05))
            except pexpect.TIMEOUT:
                continue


@contextmanager
def chat(**variables: str) -> Iterator[Terminal]:
    environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "", **variables}
    child = pexpect.spawn(
        sys.executable,
        ["-c", CHAT],
        env=environment,
        dimensions=(ROWS, COLUMNS),
        timeout=PATIENCE_SECONDS,
    )
    try:
        terminal = Terminal(child)
        terminal.until(lambda text: "ready" in text and "Ask about" in text)
        yield terminal
    finally:
        child.close(force=True)


@pytest.fixture
def editor(tmp_path: Path) -> Path:
    """A script that tests fill."""
    script = tmp_path / "editor.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return script


def test_a_megabyte_is_pasted_whole_and_presses_no_key() -> None:
    with chat() as terminal:
        lines = "a line with \x1b[31mcolour\x1b[0m\r" * 50_000
        terminal.type(f"\x1b[200~{lines}\x1b[201~")
        terminal.until(lambda text: "pasted text 1: 950 kB, 50,000 lines" in text)
        assert "SENT" not in terminal.text
        terminal.type("what is this?\r")
        terminal.until(lambda text: "SENT 'what is this?' [950000]" in text)


def test_new_lines_keep_their_places_however_fast_they_come() -> None:
    with chat() as terminal:
        terminal.type("one\ntwo\x1b\rthree\x1b[13;2ufour\r")
        terminal.until(lambda text: r"SENT 'one\ntwo\nthree\nfour' []" in text)


def test_the_editor_takes_the_place_of_the_chat(editor: Path) -> None:
    editor.write_text('#!/bin/sh\necho EDITING; read key < /dev/tty; printf "%s" "$key" >> "$1"\n')
    with chat(VISUAL=str(editor)) as terminal:
        terminal.type("question \x07")
        terminal.until(lambda text: "EDITING" in text and "ready" not in text)
        terminal.type("from the editor\r")
        terminal.until(lambda text: "│ question from the editor" in text and "ready" in text)
        terminal.type("!\r")
        terminal.until(lambda text: "SENT 'question from the editor!' []" in text)


def test_an_editor_that_fails_leaves_the_text_and_the_screen(editor: Path) -> None:
    editor.write_text("#!/bin/sh\nexit 3\n")
    with chat(VISUAL=str(editor)) as terminal:
        terminal.type("question\x07")
        terminal.until(lambda text: "FAILED" in text and "with 3" in text)
        terminal.type("\r")
        terminal.until(lambda text: "SENT 'question' []" in text)


def test_where_the_screen_cannot_be_left_that_is_said() -> None:
    async def work() -> None:
        app: App[None] = App()
        async with app.run_test():
            with pytest.raises(AssistantError, match="cannot be left to an editor"):
                editing.edit_text(app, "text")

    asyncio.run(work())
