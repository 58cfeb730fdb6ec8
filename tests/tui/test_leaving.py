"""However the chat ends: the terminal is as it was, what was written is kept, nothing stays."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SCALE
from full_screen import FullScreen, full_screen, notes, talker, talking
from resident_engines import living_engines, only_engine, resident_home

from assistant.conversation.records import State, StoredMessage
from assistant.conversation.store import Store
from assistant.tui.ending import PATIENCE_SECONDS

__all__ = ["resident_home"]

STORY = "Once upon a time. " * 400
SLOWLY = {"SLOWLY": "0.02"}
LONG = ("-o", "temperature", "1", "-o", "seed", "1", "-o", "max_tokens", "400")  # of the starter
CTRL_C, CTRL_Q, ESCAPE = "\x03", "\x11", "\x1b"


def answer() -> StoredMessage:
    """The last message that is kept."""
    store = Store.open()
    latest = store.latest()
    assert latest is not None
    message = store.path(latest.name)[-1]
    store.close()
    return message


def begin_story(chat: FullScreen) -> None:
    chat.wait_until_ready()
    chat.ask("Tell me.")
    chat.wait_for_text("Once upon a time. Once upon")


def assert_kept(message: StoredMessage) -> None:
    """Also what came in the last moment before the end."""
    assert message.state is State.STOPPED
    assert STORY.startswith(message.text)
    assert len(message.text) >= len("Once upon a time. Once upon")


# ── keys ────────────────────────────────────────────────────────────────────────────────────


def test_ctrl_c_stops_the_answer_clears_the_text_and_leaves(tmp_path: Path) -> None:
    with talking(STORY, tmp_path, environment=SLOWLY) as chat:
        begin_story(chat)
        chat.press(CTRL_C)
        chat.wait_until_ready()
        chat.wait_for_text("stopped")
        assert [what for _, what in notes(tmp_path)] == ["asked", "cancelled"]
        chat.press("half a question")
        chat.wait_for_text("half a question")
        chat.press(CTRL_C)
        chat.wait_for(lambda: "half a question" not in chat.text)
        chat.press(CTRL_C)
        chat.wait_for_text("once more leaves")
        chat.press(CTRL_C)
        assert chat.wait_for_end() == 0
        chat.assert_restored()
    assert_kept(answer())


def test_what_is_being_written_is_kept_when_somebody_leaves(tmp_path: Path) -> None:
    with talking(STORY, tmp_path, environment=SLOWLY) as chat:
        begin_story(chat)
        chat.press(CTRL_Q)
        assert chat.wait_for_end() == 0
        chat.assert_restored()
    assert_kept(answer())
    assert notes(tmp_path)[-1][1] == "closed"


def test_escape_reaches_the_engine_at_once(tmp_path: Path) -> None:
    """A slow machine may take longer once; benchmarks/screen.py measures it."""
    seconds = []
    with talking(STORY, tmp_path, environment=SLOWLY) as chat:
        chat.wait_until_ready()
        for _ in range(5):
            chat.ask("Tell me.")
            chat.wait_for(lambda: chat.last_row.startswith("writing"))
            pressed = time.monotonic()
            chat.press(ESCAPE)
            chat.wait_until_ready()
            when, what = notes(tmp_path)[-1]
            assert what == "cancelled"
            seconds.append(when - pressed)
    assert sorted(seconds)[1] < 0.05, seconds


# ── signals ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGINT, 130),
        (signal.SIGQUIT, 131),
    ],
)
def test_a_signal_keeps_what_came_and_leaves(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with talking(STORY, tmp_path, environment=SLOWLY) as chat:
        begin_story(chat)
        chat.signal(number)
        assert chat.wait_for_end() == code
        chat.assert_restored()
    assert_kept(answer())
    assert notes(tmp_path)[-1][1] == "closed"


def test_a_signal_while_the_chat_opens_leaves_as_well(tmp_path: Path) -> None:
    """At whatever moment it comes; before there is a screen, Python ends by it."""
    for number in range(max(6, int(60 * SCALE))):
        chat = FullScreen(command=talker(tmp_path))
        end = time.monotonic() + 0.3 + 0.08 * (number % 6) + 0.001 * number
        while time.monotonic() < end:
            chat.read(0.005)
        chat.signal(signal.SIGTERM)
        assert chat.wait_for_end() in (143, -signal.SIGTERM)
        assert b"error" not in chat.written
        if b"\x1b" in chat.written:
            chat.assert_restored()
        chat.close()


def test_a_terminal_that_is_closed_ends_the_chat(tmp_path: Path) -> None:
    with talking(STORY, tmp_path, environment=SLOWLY) as chat:
        begin_story(chat)
        chat.hang_up()
        assert chat.exit_code() == 129
    assert_kept(answer())


def test_a_terminal_that_is_closed_ends_the_chat_even_under_nohup(tmp_path: Path) -> None:
    with talking(STORY, tmp_path, environment=SLOWLY, ignored=signal.SIGHUP) as chat:
        begin_story(chat)
        chat.hang_up()
        assert chat.exit_code() == 129
    assert_kept(answer())


def test_a_terminal_that_takes_nothing_holds_up_no_signal(tmp_path: Path) -> None:
    """Nobody reads what is drawn: the screen waits for its terminal, the end does not."""
    with talking(STORY, tmp_path, environment={**SLOWLY, "PIECE": "300"}) as chat:
        begin_story(chat)
        for width in range(100, 200):  # each of them draws everything again
            chat.resize(width, 100)
            time.sleep(0.01)
        chat.signal(signal.SIGTERM)
        began = time.monotonic()
        assert chat.exit_code() == 143
        assert time.monotonic() - began < PATIENCE_SECONDS + 3
        assert chat.modes == chat.modes_before
    assert answer().state in (State.STOPPED, State.COMPLETE)


def test_being_stopped_without_a_word_is_no_harm(tmp_path: Path) -> None:
    with talking(STORY, tmp_path, environment=SLOWLY) as chat:
        begin_story(chat)
        for _ in range(2):
            chat.signal(signal.SIGSTOP)
            chat.signal(signal.SIGCONT)
        seen = len(chat.written)
        chat.wait_for(lambda: b"Once" in chat.written[seen:])
        chat.press(ESCAPE)
        chat.wait_until_ready()
        chat.press("still here")
        chat.wait_for_text("still here")
        chat.press(CTRL_Q)
        assert chat.wait_for_end() == 0
        chat.assert_restored()


def test_an_error_inside_is_one_line_and_loses_nothing(private_home: Path, tmp_path: Path) -> None:
    with talking(STORY, tmp_path, environment={**SLOWLY, "BREAKS": "10"}) as chat:
        chat.wait_until_ready()
        chat.ask("Tell me.")
        assert chat.wait_for_end() == 1
        chat.assert_restored()
        assert "error: TypeError: " in chat.after
        assert "(--debug shows where)" in chat.after
        assert chat.after.count("\n") == 1
    assert_kept(answer())
    log = (private_home / "state" / "chat.log").read_text()
    assert "TypeError" in log
    assert "Once upon" not in log, "nobody's text belongs into a log"


# ── what it started ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "leave"),
    [
        ("", lambda chat: chat.press(CTRL_Q)),
        ("trap '' INT; ", lambda chat: chat.signal(signal.SIGTERM)),
        ("", lambda chat: chat.hang_up()),
    ],
    ids=["key", "signal", "hang-up"],
)
def test_commands_end_with_the_chat(
    before: str, leave: Callable[[FullScreen], None], tmp_path: Path
) -> None:
    """With all that they started, even what will not hear of Ctrl-C."""
    pids = tmp_path / "pids"
    line = f"sh -c 'echo $$ >> {pids}; sleep 600; sleep 600' & echo $$ >> {pids}; wait"
    with talking("Yes.", tmp_path) as chat:
        chat.wait_until_ready()
        chat.ask(f"!{before}{line}")
        chat.wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        leave(chat)
        chat.exit_code()
    for pid in pids.read_text().split():
        assert not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_engine_that_dies_is_said_and_the_next_one_answers(resident_home: Path) -> None:
    with full_screen(*LONG, rows=40) as chat:
        chat.wait_until_ready()
        chat.ask("Tell me a very long story.")
        chat.wait_for(lambda: "Once there was a great" in chat.text)
        first = only_engine().pid
        os.kill(first, signal.SIGKILL)
        chat.wait_for_text("Once there was a great", "failed", "killed by SIGKILL", "ask again")
        chat.wait_until_ready()
        assert answer().state is State.FAILED
        assert answer().text.startswith("Once there was a great")
        chat.ask("And what then?")
        chat.wait_for(lambda: answer().parent == 3 and bool(answer().text))
        (second,) = living_engines()
        assert second != first
        chat.press(CTRL_Q)
        assert chat.wait_for_end() == 0
        chat.assert_restored()
    assert answer().state in (State.STOPPED, State.COMPLETE), "the starter may have had its say"


def test_an_engine_of_our_own_ends_with_us() -> None:
    with full_screen(*LONG) as chat:
        chat.wait_until_ready()
        chat.ask("Tell me a very long story.")
        chat.wait_for(lambda: chat.last_row.startswith("writing"))
        chat.signal(signal.SIGTERM)
        assert chat.wait_for_end() == 143
        chat.assert_restored()
    assert living_engines() == []
    assert answer().state is State.STOPPED
