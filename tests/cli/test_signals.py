"""The answer ends when a signal comes or the time is up; what came is kept."""

import signal
import time
from pathlib import Path

import pytest
from command_line import Terminal, llmchat, start, talker

STORY = "Once upon a time there was a very long story. " * 200
SLOWLY = {"SLOWLY": "0.02"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_the_answer_and_keeps_what_came(
    number: int, code: int, tmp_path: Path
) -> None:
    process = start("hi", command=talker(STORY, tmp_path), environment=SLOWLY)
    assert process.stdout is not None
    first = process.stdout.read(20)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert STORY.startswith((first + out).decode().removesuffix("\n"))
    assert err == b""


def test_the_time_is_up(tmp_path: Path) -> None:
    command = talker(STORY, tmp_path)
    started = time.monotonic()
    done = llmchat("hi", "--timeout", "1.5", command=command, environment=SLOWLY)
    assert time.monotonic() - started < 15
    assert done.returncode == 124
    assert len(done.stdout) > 20
    assert STORY.startswith(done.stdout.decode().removesuffix("\n"))
    assert b"the time is up" in done.stderr


def test_the_time_is_up_before_there_is_an_answer(tmp_path: Path) -> None:
    process = start("hi", "--timeout", "1", stdin=-1, command=talker(STORY, tmp_path))
    assert process.wait(timeout=20) == 124  # it waited for standard input
    _, err = process.communicate()
    assert err == b"error: the time is up (--timeout SECONDS allows more)\n"


def test_ctrl_c_on_a_terminal_keeps_what_came(tmp_path: Path) -> None:
    terminal = Terminal("hi", command=talker(STORY, tmp_path), environment=SLOWLY)
    terminal.wait_for(lambda: "Once upon" in terminal.text)
    terminal.press_ctrl_c()
    assert terminal.wait_for_end() == 130
    assert "Once upon a time" in terminal.text


def test_length_is_an_error_when_asked(tmp_path: Path) -> None:
    command = talker("cut", tmp_path)
    cut = {"REASON": "length"}
    assert llmchat("hi", command=command, environment=cut).returncode == 0
    done = llmchat("hi", "--fail-on-length", command=command, environment=cut)
    assert done.returncode == 10
    assert done.stdout == b"cut\n"
