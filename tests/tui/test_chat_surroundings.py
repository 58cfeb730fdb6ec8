"""What others do meanwhile: the shell, another chat, somebody who fills the disk."""

import resource
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from full_screen import (
    PATIENCE_SECONDS,
    PLACEHOLDER,
    FullScreen,
    assert_answers_keys,
    assert_left,
    talker,
    talking,
)

from assistant.conversation.records import State, StoredMessage
from assistant.conversation.store import Store

CTRL_C, CTRL_Q, CTRL_Z, ESCAPE = "\x03", "\x11", "\x1a", "\x1b"
PROMPT = "PROMPT> "
STORY = "Once upon a time. " * 400
MEMORY = "new messages are kept in memory only"


def messages() -> list[StoredMessage]:
    """Of the latest conversation, all its branches."""
    store = Store.open()
    latest = store.latest()
    found = store.messages(latest.name) if latest is not None else []
    store.close()
    return found


# ── the shell ───────────────────────────────────────────────────────────────────────────────


class Shell(FullScreen):
    """A shell that looks after jobs, and reads lines without changing the terminal."""

    def __init__(self, **variables: str) -> None:
        bash = shutil.which("bash")
        if bash is None:
            pytest.skip("there is no bash here")
        words = ("--norc", "--noprofile", "--noediting", "-i")
        super().__init__(*words, command=[bash], environment={"PS1": PROMPT, **variables})
        self.wait_for_text(PROMPT.strip())
        self.modes_before = self.modes

    def run(self, line: str) -> str:
        """What it printed."""
        return self.press_and_wait(line + "\r")

    def press_and_wait(self, keys: str) -> str:
        """For the next prompt; returns what was written before it."""
        begun = len(self.written)
        self.press(keys)
        self.wait_for(lambda: PROMPT.encode() in self.written[begun:])
        return self.written[begun:].decode()

    def open_chat(self, folder: Path, answer: str = STORY) -> None:
        (folder / "answer.txt").write_text(answer)
        self.ask(" ".join(talker(folder)))
        self.wait_for_text(PLACEHOLDER)
        self.wait_until_ready()

    def wait_for_job(self, state: str, said: str) -> None:
        """`said` by the shell already; it says once that a job has ended."""
        end = time.monotonic() + PATIENCE_SECONDS
        while state not in said:
            assert time.monotonic() < end, f"the job never was {state}"
            said = self.run("sleep 0.1; jobs")

    def come_back(self) -> None:
        self.forget()
        self.ask("fg")
        self.wait_for_text(PLACEHOLDER)


@contextmanager
def shell(**variables: str) -> Iterator[Shell]:
    one = Shell(**variables)
    try:
        yield one
    finally:
        one.close()


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back(tmp_path: Path) -> None:
    with shell(SLOWLY="0.02") as terminal:
        terminal.open_chat(tmp_path)
        terminal.ask("Tell me.")
        terminal.wait_for_text("Once upon a time. Once upon")
        said = terminal.press_and_wait(CTRL_Z)
        assert "Stopped" in said
        assert terminal.modes == terminal.modes_before
        assert_left(terminal.written)
        assert "still here" in terminal.run("echo still  here | tr -s ' '")
        terminal.come_back()
        terminal.wait_for_text("Tell me.", "Once upon a time. Once upon a time. Once upon")
        terminal.press(ESCAPE)
        terminal.wait_for_text("stopped")
        terminal.wait_until_ready()
        terminal.press("and keys")
        terminal.wait_for_text("and keys")
        terminal.press_and_wait(CTRL_Q)
        assert terminal.modes == terminal.modes_before
        assert_left(terminal.written)
    assert [m.state for m in messages()] == [State.COMPLETE, State.STOPPED]


def test_in_the_background_the_terminal_is_left_alone(tmp_path: Path) -> None:
    with shell() as terminal:
        terminal.open_chat(tmp_path)
        terminal.press_and_wait(CTRL_Z)
        begun = len(terminal.written)
        terminal.run("bg")
        terminal.wait_for_job("Stopped", terminal.run("jobs"))
        assert terminal.modes == terminal.modes_before
        assert b"\x1b" not in terminal.written[begun:]
        terminal.wait_for_job("Exit 143", terminal.run("kill %1"))
        assert terminal.modes == terminal.modes_before
        assert b"\x1b" not in terminal.written[begun:]


def test_without_a_shell_above_it_nobody_is_left_before_a_frozen_screen(tmp_path: Path) -> None:
    with talking("Yes.", tmp_path) as chat:
        chat.wait_until_ready()
        chat.press(CTRL_Z)
        chat.wait_for_text("there is no shell to go back to")
        chat.press("goes on")
        chat.wait_for_text("goes on")


# ── another chat ────────────────────────────────────────────────────────────────────────────


def test_two_chats_on_one_conversation_lose_nothing(tmp_path: Path) -> None:
    with talking("First.", tmp_path / "a") as one:
        one.wait_until_ready()
        one.ask("Which is common?")
        one.wait_for_text("First.")
        one.wait_until_ready()
        slowly = {"SLOWLY": "0.02"}
        with talking("Of the second. " * 20, tmp_path / "b", "-c", environment=slowly) as two:
            two.wait_for_text("First.")
            two.wait_until_ready()
            two.ask("Whose is this?")
            two.wait_for_text("Of the second.")
            one.ask("And this?")
            one.wait_for_times("First.", 2)
            one.wait_until_ready()
            two.wait_until_ready()
            two.ask("Still there?")
            two.wait_for_text("Still there?")
            two.wait_for(lambda: two.last_row.startswith("writing"))
            two.wait_until_ready()
    store = Store.open()
    latest = store.latest()
    assert latest is not None
    messages = store.messages(latest.name)
    store.close()
    parents = {message.number: message for message in messages}
    asked = {m.text: m for m in messages if m.kind == "question"}
    assert set(asked) == {"Which is common?", "Whose is this?", "And this?", "Still there?"}
    assert asked["Whose is this?"].parent == asked["And this?"].parent != 0
    before = parents[asked["Still there?"].parent]
    assert parents[before.parent].text == "Whose is this?"
    assert [m.state for m in messages if m.kind == "answer"] == [State.COMPLETE] * 4


# ── the disk ────────────────────────────────────────────────────────────────────────────────


def test_a_disk_that_is_full_is_said_once_and_the_chat_goes_on(
    private_home: Path, tmp_path: Path
) -> None:
    with talking("Yes.", tmp_path, rows=100, columns=120) as chat:
        chat.wait_until_ready()
        chat.ask("One?")
        chat.wait_for_text("tokens/s")
        chat.wait_until_ready()
        history = private_home / "data" / "history.db"
        size = max(file.stat().st_size for file in history.parent.glob("history.db*"))
        resource.prlimit(chat.pid, resource.RLIMIT_FSIZE, (size, size))
        for number in range(12):
            chat.ask(f"Question {number}?")
            chat.wait_for_text(f"Question {number}?")
            chat.wait_until_ready()
        chat.wait_until_quiet()
        assert_one_notice(chat)
        chat.press(CTRL_Q)
        assert chat.wait_for_end() == 0
        chat.assert_restored()


def test_a_history_that_somebody_holds_is_said_once_and_the_chat_goes_on(
    private_home: Path, tmp_path: Path
) -> None:
    with talking("Yes.", tmp_path, rows=40) as chat:
        chat.wait_until_ready()
        chat.ask("One?")
        chat.wait_for_text("Yes.")
        chat.wait_until_ready()
        with closing(sqlite3.connect(private_home / "data" / "history.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            chat.ask("Two?")
            assert_answers_keys(chat, "α")
            chat.wait_for_times("Yes.", 2)
            chat.wait_for_text(MEMORY.split(" only")[0])
            chat.wait_until_ready()
            chat.press("\x7f")
            chat.ask("Three?")
            chat.wait_for_times("Yes.", 3)
            chat.wait_until_ready()
            assert_one_notice(chat)
        chat.press(CTRL_Q)
        assert chat.wait_for_end() == 0
        chat.assert_restored()
    assert [m.text for m in messages()] == ["One?", "Yes."]


def assert_one_notice(chat: FullScreen) -> None:
    """In all that was drawn; a notice is drawn again when it scrolls, so the words are looked for
    in the whole conversation."""
    chat.look_anew(110, 98)
    words = " ".join(chat.text.split())
    assert words.count(MEMORY) == 1, chat.text
