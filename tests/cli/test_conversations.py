"""Questions and answers are kept, and go on: -c, --conversation, --no-history, what is said."""

import json
import os
import signal
from pathlib import Path

import pytest
from command_line import FEW, Terminal, llmchat, start, talker, wait_for

from assistant.conversation.records import Kind, State, StoredMessage
from assistant.conversation.store import Store

STORY = "Once upon a time. " * 400


def run(*words: str, answer: str = "Yes.", folder: Path) -> tuple[str, str, int]:
    done = llmchat(*words, command=talker(answer, folder))
    return done.stdout.decode(), done.stderr.decode(), done.returncode


def last_branch() -> list[StoredMessage]:
    store = Store.open()
    latest = store.latest()
    assert latest is not None
    path = store.path(latest.name)
    store.close()
    return path


def texts() -> list[str]:
    return [message.text for message in last_branch()]


def name() -> str:
    store = Store.open()
    latest = store.latest()
    assert latest is not None
    store.close()
    return latest.name


def test_a_question_goes_on_with_the_last_conversation(tmp_path: Path) -> None:
    run("In Python?", folder=tmp_path)
    run("-c", "And in Rust?", answer="No.", folder=tmp_path)
    assert texts() == ["In Python?", "Yes.", "And in Rust?", "No."]


def test_options_of_a_conversation_stand_before_and_after_a_command(tmp_path: Path) -> None:
    run("One?", folder=tmp_path)
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    run("explain", str(file), "-c", folder=tmp_path)
    run("-c", "review", str(file), folder=tmp_path)
    assert [text.split()[0] for text in texts()[::2]] == ["One?", "explain", "review"]


def test_any_conversation_is_meant_by_the_beginning_of_its_name(tmp_path: Path) -> None:
    run("One?", folder=tmp_path)
    first = name()
    run("Other?", folder=tmp_path)
    assert name() != first
    _, _, code = run("--conversation", first, "Two?", folder=tmp_path)
    assert code == 0
    assert texts() == ["One?", "Yes.", "Two?", "Yes."]
    assert name() == first


def test_a_conversation_goes_another_way_from_one_of_its_messages(tmp_path: Path) -> None:
    run("One?", folder=tmp_path)
    run("-c", "Two?", folder=tmp_path)
    run("--conversation", f"{name()}.2", "Deux?", folder=tmp_path)
    assert texts() == ["One?", "Yes.", "Deux?", "Yes."]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-c", "x"], "there is no conversation to go on with (llmchat"),
        (["--conversation", "zzzzz", "x"], "there is no conversation"),
        (["--conversation", "a.b", "x"], "a.b is no message"),
    ],
)
def test_what_is_not_there_is_said(words: list[str], said: str, tmp_path: Path) -> None:
    out, errors, code = run(*words, folder=tmp_path)
    assert (out, code) == ("", 1)
    assert errors.startswith("error: ")
    assert said in errors
    assert errors.count("\n") == 1


def test_a_name_that_is_empty_begins_no_new_conversation(tmp_path: Path) -> None:
    out, errors, code = run("--conversation", "", "x", folder=tmp_path)
    assert (out, code) == ("", 2)
    assert errors == "error: --conversation has an empty value (leave it out, or name one)\n"


def test_without_history_nothing_is_kept(tmp_path: Path, private_home: Path) -> None:
    run("Secret?", "--no-history", folder=tmp_path)
    assert not list(private_home.rglob("history.db*"))
    run("-o", "history", "false", "Secret?", folder=tmp_path)
    assert not list(private_home.rglob("history.db*"))


def test_without_history_an_old_conversation_goes_on_in_secret(tmp_path: Path) -> None:
    run("One?", folder=tmp_path)
    out, _, _ = run("-c", "Secret?", "--no-history", "--json", folder=tmp_path)
    assert json.loads(out)["answer"] == "Yes."
    assert texts() == ["One?", "Yes."]


def test_programs_are_told_where_the_answer_is_kept(tmp_path: Path) -> None:
    out, _, _ = run("One?", "--json", folder=tmp_path)
    found = json.loads(out)
    assert (found["conversation"], found["message"]) == (name(), 2)
    out, _, _ = run("-c", "Two?", "--output", "stream-json", folder=tmp_path)
    events = [json.loads(line) for line in out.splitlines()]
    assert (events[0]["conversation"], events[0]["message"]) == (name(), 4)


def test_nothing_is_kept_of_what_was_only_looked_at(tmp_path: Path, private_home: Path) -> None:
    for words in (["x", "--dry-run"], ["x", "--show-prompt"], ["context", "x"]):
        run(*words, folder=tmp_path)
    assert not list(private_home.rglob("history.db*"))


def test_the_context_is_shown_before_the_answer(tmp_path: Path) -> None:
    out, errors, _ = run("One?", "--show-context", folder=tmp_path)
    assert out == "Yes.\n"
    assert "of 2,048 tokens are the prompt" in errors
    out, errors, _ = run("-c", "--show-context", "Two?", folder=tmp_path)
    assert "turn 1" in errors


def test_the_context_can_be_looked_at_without_a_question(tmp_path: Path) -> None:
    out, errors, code = run("context", folder=tmp_path)
    assert (errors, code) == ("", 0)
    assert "of 2,048 tokens are the prompt" in out
    run("One?", folder=tmp_path)
    out, _, _ = run("context", "-c", folder=tmp_path)
    assert "turn 1" in out


def test_old_messages_make_room_and_that_is_said(tmp_path: Path) -> None:
    # An answer of 7,200 characters is 1,800 tokens of this engine: of a window of 2,048.
    run("One?", answer=STORY, folder=tmp_path)
    out, errors, code = run("-c", "Two?", folder=tmp_path)
    assert (out, code) == ("Yes.\n", 0)
    assert "left out from here on, to make room: 2 older messages" in errors
    assert f"llmchat history show {name()}" in errors
    _, errors, _ = run("-c", "Three?", folder=tmp_path)
    assert "left out" not in errors


def test_a_summary_takes_the_place_of_the_older_half(tmp_path: Path) -> None:
    part = "word " * 280
    for number in range(5):
        run(*(["-c"] if number else []), f"{number}?", answer=part, folder=tmp_path)
    _, errors, code = run("-c", "5?", answer="They counted.", folder=tmp_path)
    assert code == 0
    assert "older messages become a summary" in errors
    assert "summary: They counted." in errors
    assert "llmchat history compact -e changes it" in errors
    summaries = [message for message in last_branch() if message.kind is Kind.SUMMARY]
    assert [message.text for message in summaries] == ["They counted."]


def test_nobody_who_wants_it_refused_gets_a_summary(tmp_path: Path) -> None:
    run("One?", answer=STORY * 2, folder=tmp_path)
    _, errors, code = run("-c", "Two?", "-o", "when_full", "refuse", folder=tmp_path)
    assert code == 4
    assert "llmchat history compact" in errors


def test_a_disk_that_takes_nothing_costs_no_answer(tmp_path: Path) -> None:
    limited = ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *talker("Yes.", tmp_path)]
    done = llmchat("One?", command=limited)
    assert (done.stdout, done.returncode) == (b"Yes.\n", 0)
    errors = done.stderr.decode().splitlines()
    assert len([line for line in errors if "kept in memory only" in line]) == 1, errors
    run("One?", folder=tmp_path)
    done = llmchat("-c", "Two?", command=limited)
    assert (done.stdout, done.returncode) == (b"Yes.\n", 0)
    assert texts() == ["One?", "Yes."]


# ── what ends in the middle ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_what_came_of_an_answer_is_kept(number: signal.Signals, tmp_path: Path) -> None:
    process = start("Tell me.", command=talker(STORY, tmp_path), environment={"SLOWLY": "0.02"})
    assert process.stdout is not None
    os.read(process.stdout.fileno(), 64)
    wait_for(lambda: len(texts()) == 2 and len(texts()[1]) > 200)
    process.send_signal(number)
    process.communicate()
    answer = last_branch()[-1]
    expected = State.INTERRUPTED if number == signal.SIGKILL else State.STOPPED
    assert answer.state is expected
    assert STORY.startswith(answer.text)
    assert len(answer.text) > 200


def test_a_reader_who_leaves_has_stopped_the_answer(tmp_path: Path) -> None:
    slow = {"SLOWLY": "0.01"}
    with start("Tell me.", command=talker(STORY, tmp_path), environment=slow) as process:
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 64)
        process.stdout.close()
        assert process.wait() == 141
    answer = last_branch()[-1]
    assert answer.state is State.STOPPED
    assert answer.text
    assert STORY.startswith(answer.text)


def test_the_last_line_names_the_conversation(tmp_path: Path) -> None:
    terminal = Terminal("One?", command=[*talker("Yes.", tmp_path)], columns=200)
    assert terminal.wait_for_end() == 0
    assert f"conversation {name()}" in terminal.text


# ── the real model ──────────────────────────────────────────────────────────────────────────


def test_the_starter_remembers_and_an_answer_replays_token_for_token() -> None:
    assert llmchat("My name is Ada. Say hi.", *FEW).returncode == 0
    done = llmchat("-c", "What is my name?", *FEW, "--json")
    found = json.loads(done.stdout)
    assert found["usage"]["prompt_tokens"] > 40, "the first turn is part of the prompt"
    replayed = llmchat("history", "replay", "--check")
    assert replayed.returncode == 0, replayed.stderr
    assert b"the same" in replayed.stderr
    shown = llmchat("history", "replay")
    assert shown.stdout.decode().strip() == found["answer"].strip()


def test_a_replay_says_what_is_not_as_it_was(tmp_path: Path) -> None:
    assert llmchat("Count to ten.", *FEW, "-o", "window", "1024").returncode == 0
    answer = last_branch()[-1]
    assert answer.writing is not None
    done = llmchat("history", "replay", "--check", "-o", "kv_type", "q8_0")
    assert b"build: " in done.stderr
    assert b"q8_0 now" in done.stderr or b"kv q8_0" in done.stderr


def test_what_was_not_kept_whole_cannot_be_replayed(tmp_path: Path) -> None:
    run("One?", folder=tmp_path)  # this engine tells no tokens
    done = llmchat("history", "replay", "--check", command=talker("Yes.", tmp_path))
    assert done.returncode == 1
    assert b"was not kept with its tokens" in done.stderr
