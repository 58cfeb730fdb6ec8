"""Every way in: what is typed, piped in or set, and where there is no terminal for a screen."""

import os
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
from conftest import ROOT
from full_screen import COMMAND, FullScreen, assert_whole, full_screen, talker, talking

from assistant.conversation.records import StoredMessage
from assistant.conversation.store import Store

CTRL_Q, ESCAPE = "\x11", "\x1b"
MOUSE = b"\x1b[?1000h"


def last_branch() -> list[StoredMessage]:
    store = Store.open()
    latest = store.latest()
    path = store.path(latest.name) if latest is not None else []
    store.close()
    return path


def leave(chat: FullScreen) -> None:
    chat.press(CTRL_Q)
    assert chat.wait_for_end() == 0
    chat.assert_restored()


def piped(pipe: str, folder: Path, *words: str) -> list[str]:
    """A shell that gives our command the output of `pipe`."""
    (folder / "answer.txt").write_text("Yes.")
    command = " ".join([*talker(folder), *(f"'{word}'" for word in words)])
    return ["/bin/sh", "-c", f"{pipe} | {command}"]


def test_what_is_piped_in_comes_along_and_keys_come_from_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("value = 41\n")
    command = piped(f"cat {tmp_path}/code.py", tmp_path, "--chat", "explain this")
    with full_screen(command=command) as chat:
        chat.wait_for_text("explain this", "Yes.")
        chat.wait_until_ready()
        chat.ask("And why?")
        chat.wait_for_times("Yes.", 2)
        leave(chat)
    question, _, second, _ = last_branch()
    assert "value = 41" in "".join(part.text for m in question.content for part in m.parts)
    assert "value = 41" not in "".join(part.text for m in second.content for part in m.parts)


def test_what_is_piped_in_without_a_question_waits_for_one(tmp_path: Path) -> None:
    with full_screen(command=piped("echo value = 41", tmp_path, "--chat")) as chat:
        chat.wait_for_text("with stdin")
        chat.wait_until_ready()
        chat.ask("What is it?")
        chat.wait_for_text("Yes.")
        leave(chat)
    question, _ = last_branch()
    assert "value = 41" in "".join(part.text for m in question.content for part in m.parts)


def test_a_question_on_the_command_line_is_asked_at_once(tmp_path: Path) -> None:
    with talking("Yes.", tmp_path, "chat", "how do I reverse a list?") as chat:
        chat.wait_for_text("how do I reverse a list?", "Yes.")
        leave(chat)


def test_the_last_conversation_goes_on(tmp_path: Path) -> None:
    with talking("Yes.", tmp_path, "chat", "One?") as chat:
        chat.wait_for_text("Yes.")
        chat.wait_until_ready()
        leave(chat)
    store = Store.open()
    latest = store.latest()
    assert latest is not None
    store.close()
    for before, words in enumerate((("-c",), ("--conversation", latest.name)), 1):
        with talking("Yes.", tmp_path, *words) as chat:
            chat.wait_for_text("One?")
            chat.wait_until_ready()
            assert chat.text.count("Yes.") == before
            chat.ask(f"More with {words[0]}?")
            chat.wait_for_times("Yes.", before + 1)
            leave(chat)
    texts = [message.text for message in last_branch()][::2]
    assert texts == ["One?", "More with -c?", "More with --conversation?"]


def test_the_list_of_conversations_is_open_where_it_is_asked_for(tmp_path: Path) -> None:
    with talking("Yes.", tmp_path, "chat", "The first one?") as chat:
        chat.wait_for_text("Yes.")
        leave(chat)
    with closing(FullScreen("--resume", command=talker(tmp_path))) as chat:
        chat.wait_for_text("search", "The first one?")
        chat.press("\x1b[B\r")  # down, Enter
        chat.wait_for(lambda: "search" not in chat.text)
        chat.wait_for_text("The first one?", "Yes.")
        assert_whole(chat)
        leave(chat)


def test_the_mouse_can_be_left_to_the_terminal(tmp_path: Path) -> None:
    with talking("Yes.", tmp_path) as chat:
        assert MOUSE in chat.written
        leave(chat)
    done = run("config", "set", "mouse", "false")
    assert done.returncode == 0
    with talking("Yes.", tmp_path) as chat:
        chat.wait_until_ready()
        chat.ask("One?")
        chat.wait_for_text("Yes.")
        leave(chat)
        assert MOUSE not in chat.written


def test_a_terminal_that_reports_pixels_stops_doing_so(tmp_path: Path) -> None:
    """Some answer that they report sizes themselves, and are asked for the mouse in pixels."""
    with talking("Yes.", tmp_path) as chat:
        chat.wait_until_ready()
        chat.press("\x1b[?2048;2$y")
        chat.wait_for(lambda: b"\x1b[?1016h" in chat.written)
        leave(chat)


def test_a_theme_that_there_is_not_leaves_the_terminal_in_order(tmp_path: Path) -> None:
    chat = FullScreen("-o", "theme", "nrod", command=talker(tmp_path))
    assert chat.wait_for_end() == 2
    assert "error: there is no theme nrod" in chat.written.decode()
    chat.close()


def test_the_editor_sees_the_terminal_as_it_was(tmp_path: Path) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nstty -a > "$0.modes"; env > "$0.env"; echo more >> "$1"\n')
    editor.chmod(0o755)
    with talking("Yes.", tmp_path, environment={"VISUAL": str(editor)}) as chat:
        chat.wait_until_ready()
        chat.press("text\x07")
        chat.wait_for_text("more")
        assert_whole(chat)
        leave(chat)
    modes = Path(f"{editor}.modes").read_text().split()
    assert {"icanon", "echo", "isig", "ixon"} <= set(modes)
    assert "ESCDELAY" not in Path(f"{editor}.env").read_text()


def test_escape_is_quick_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    """Over a slow line the sequences of other keys arrive in pieces."""
    with talking("Yes.", tmp_path, environment={"ESCDELAY": "3000"}) as chat:
        chat.wait_until_ready()
        chat.press("text\x1b")
        time.sleep(0.2)  # a slow line
        chat.press("[D\x1b")
        time.sleep(0.2)
        chat.press("[D!")
        chat.wait_for_text("te!xt")


# ── no terminal ─────────────────────────────────────────────────────────────────────────────


def run(*words: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], stdin=stdin, capture_output=True, text=True, timeout=60, check=False
    )


def on_a_terminal(line: str, **environment: str) -> FullScreen:
    return FullScreen(command=["/bin/sh", "-c", line], environment=environment)


@pytest.mark.parametrize("redirected", ["> out.txt", "--chat > out.txt"])
def test_a_screen_needs_a_terminal_to_draw_on(redirected: str, tmp_path: Path) -> None:
    command = " ".join(COMMAND)
    chat = on_a_terminal(f"cd {tmp_path}; PYTHONPATH={ROOT} exec {command} {redirected}")
    assert chat.wait_for_end() == 2
    assert "the chat needs a terminal" in chat.written.decode()
    assert "llmchat --linear" in chat.written.decode()
    assert b"\x1b" not in chat.written
    assert (tmp_path / "out.txt").read_text() == ""
    chat.close()


def test_without_any_terminal_nothing_is_drawn(tmp_path: Path) -> None:
    for words in ((), ("--chat",), ("chat", "hi")):
        done = run(*words)
        assert "\x1b" not in done.stdout + done.stderr
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1


def test_without_a_terminal_for_keys_that_is_said(tmp_path: Path) -> None:
    """Standard output is a terminal that is not ours to read from."""
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, "--chat"],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            start_new_session=True,
            timeout=60,
            check=False,
            env={**os.environ, "TERM": "xterm"},
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert b"the chat needs a terminal for its keys" in done.stderr


def test_a_dumb_terminal_gets_lines() -> None:
    chat = FullScreen(environment={"TERM": "dumb"})
    chat.wait_for_text("you>")
    chat.press("\x04")
    assert chat.wait_for_end() == 0
    assert b"\x1b" not in chat.written
    chat.close()
