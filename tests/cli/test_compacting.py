"""Summaries on the command line: by hand, changed, given up, and what stays of a killed one."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from command_line import llmchat, start, talker, wait_for
from past_conversations import answer, conversation, question

from assistant.conversation.records import Kind, StoredMessage
from assistant.conversation.store import Store

NAME = "k7m2q"
TURNS = 4
WORDS = " ".join(f"The river {number} flows to the sea." for number in range(27))
TOLD = "They spoke of rivers."


@pytest.fixture(autouse=True)
def long_talk() -> None:
    """Of some 1,700 tokens, which a window of 2,048 holds; an answer has less than its part."""
    messages = []
    for number in range(1, 2 * TURNS, 2):
        messages.append(question(number, number - 1, f"Of rivers, part {number}. {WORDS}"))
        messages.append(answer(number + 1, number, f"They flow. {WORDS}"))
    store = Store.open()
    store.add_whole(conversation(NAME, "Rivers", messages=2 * TURNS, leaf=2 * TURNS), messages)
    store.close()


def branch() -> list[StoredMessage]:
    store = Store.open()
    path = store.path(NAME)
    store.close()
    return path


def numbers(*kinds: Kind) -> list[int]:
    return [message.number for message in branch() if message.kind in kinds]


def ask_on(folder: Path) -> str:
    """What is said on standard error."""
    done = llmchat("-c", "And?", command=talker(TOLD, folder))
    assert (done.returncode, done.stdout.decode()) == (0, f"{TOLD}\n")
    return done.stderr.decode()


def start_summary(folder: Path) -> "subprocess.Popen[bytes]":
    """It has begun and goes on for long."""
    slow = {"SLOWLY": "0.05"}
    process = start("-c", "And?", command=talker(WORDS * 9, folder), environment=slow)
    assert process.stderr is not None
    assert b"become a summary" in process.stderr.readline()
    return process


def test_a_summary_is_written_by_hand() -> None:
    done = llmchat("history", "compact", "-o", "window", "2048")
    assert done.returncode == 0, done.stderr
    said = done.stderr.decode()
    assert "4 older messages become a summary" in said
    *_, summary = branch()
    assert (summary.kind, summary.covers) == (Kind.SUMMARY, 4)
    assert f"summary: {summary.text.split()[0]}" in said


def test_a_summary_has_to_be_worth_it() -> None:
    fork = llmchat("history", "fork", f"{NAME}.2").stdout.decode().strip()
    done = llmchat("history", "compact")
    assert done.returncode == 1
    assert f"error: {fork} is too short for a summary" in done.stderr.decode()


def test_a_summary_is_changed_and_what_was_said_since_stays(tmp_path: Path) -> None:
    assert f"summary: {TOLD}" in ask_on(tmp_path)
    said = numbers(Kind.QUESTION, Kind.ANSWER)
    editor = {"EDITOR": "sed -i s/rivers/lakes/"}
    done = llmchat("history", "compact", "-e", environment=editor)
    assert done.returncode == 0, done.stderr
    *_, summary = branch()
    assert f"{NAME}.{summary.number} is the summary now" in done.stderr.decode()
    assert (summary.text, summary.covers) == ("They spoke of lakes.", 4)
    assert numbers(Kind.QUESTION, Kind.ANSWER) == said
    shown = llmchat("context", "-c", command=talker(TOLD, tmp_path)).stdout.decode()
    assert f"turn {said[-2]}" in shown
    assert "4 older messages are in the conversation's summary" in shown


def test_a_summary_that_is_not_there_cannot_be_changed() -> None:
    done = llmchat("history", "compact", "-e")
    assert done.returncode == 1
    assert done.stderr.decode() == (
        f"error: {NAME} has no summary (llmchat history compact {NAME})\n"
    )


def test_nothing_is_summarized_for_a_question_that_fits_in_no_way(tmp_path: Path) -> None:
    large = tmp_path / "large.txt"
    large.write_text(WORDS * 20)
    done = llmchat("-c", "Why?", "-f", os.fspath(large), command=talker(TOLD, tmp_path))
    assert done.returncode == 4
    said = done.stderr.decode()
    assert "become a summary" not in said
    assert "large.txt" in said
    assert len(branch()) == 2 * TURNS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_summary_that_is_given_up_changes_nothing(number: signal.Signals, tmp_path: Path) -> None:
    before = branch()
    process = start_summary(tmp_path)
    process.send_signal(number)
    out, _ = process.communicate()
    assert out == b""
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert branch() == before
    assert f"summary: {TOLD}" in ask_on(tmp_path)
    wait_for(lambda: len(branch()) == len(before) + 3)
