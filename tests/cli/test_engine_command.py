"""`llmchat engine`, and what other commands say and do about the engine that stays."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from command_line import COMMAND, FEW, LONG, Terminal, llmchat, start, wait_for
from resident_engines import living_engines, only_engine, resident_home

from assistant.cli import main
from assistant.engine.neighbours import neighbours

__all__ = ["resident_home"]

pytestmark = pytest.mark.usefixtures("resident_home")


def said(*words: str) -> str:
    done = llmchat(*words)
    assert done.returncode == 0, done.stderr.decode()
    return (done.stdout + done.stderr).decode()


def test_from_start_to_stop() -> None:
    assert said("engine") == "no engine runs; the next question starts one\n"
    assert json.loads(said("engine", "status", "--json")) == []
    assert re.fullmatch(
        r"SmolLM2-135M-Instruct is loaded and holds \d+ MB\n", said("engine", "start")
    )
    assert said("engine", "start") == "SmolLM2-135M-Instruct is loaded already\n"
    said("say hi", *FEW)
    table = said("engine")
    assert re.search(r"model +SmolLM2-135M-Instruct Q4_1\n", table)
    assert re.search(r"process +\d+, up \d+ s, ends in 5 min\n", table)
    assert re.search(r"requests +1; 0 running, 0 waiting\n", table)
    (facts,) = json.loads(said("engine", "--json"))
    assert facts["activity"]["requests"] == 1
    assert facts["pid"] == only_engine().pid
    assert "CPU compute buffer" in said("engine", "logs")
    pid = only_engine().pid
    assert said("engine", "stop", "--dry-run").startswith("would stop SmolLM2")
    assert said("engine", "stop") == f"stopped SmolLM2-135M-Instruct Q4_1 (process {pid})\n"
    assert said("engine", "stop") == "no engine runs\n"


def test_what_was_read_outlives_the_engine(resident_home: Path) -> None:
    text = resident_home / "long.txt"
    text.write_text(", ".join(map(str, range(80))))
    question = ("explain", str(text), *FEW)
    first = json.loads(llmchat(*question, "--json").stdout)
    assert first["usage"]["cached_tokens"] == 0
    said("engine", "stop")
    (kept,) = json.loads(said("engine", "cache", "list", "--json"))
    assert kept["tokens"] > first["usage"]["prompt_tokens"]
    assert re.search(r"tokens +\d+ MB +\d+ s ago +SmolLM2", said("engine", "cache"))
    again = json.loads(llmchat(*question, "--json").stdout)
    assert again["usage"]["cached_tokens"] == first["usage"]["prompt_tokens"] - 2
    assert again["answer"] == first["answer"]
    assert said("engine", "cache", "clear", "--dry-run").startswith("would free ")
    assert re.match(r"freed \d+ MB\n", said("engine", "cache", "clear"))
    said("engine", "stop")  # which does not write it again
    assert said("engine", "cache").startswith("0 states")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("stop 7", "error: no engine has process 7 (llmchat engine status)\n"),
        ("halt", "error: llmchat engine has no command halt (status, start, stop, logs, cache)\n"),
        ("logs", "error: there is no log: no engine was started yet (llmchat engine start)\n"),
        (
            "start -o keep_alive=0",
            "error: the engine would end with this command "
            "(llmchat engine start --resident -o keep_alive=5m)\n",
        ),
        ("cache wipe", "error: llmchat engine cache: there is no wipe (list or clear)\n"),
        ("start -m no.gguf", "error: there is no model no.gguf"),
    ],
)
def test_what_cannot_be_done_says_what_to_type(words: str, error: str) -> None:
    done = llmchat("engine", *words.split())
    assert done.returncode != 0
    assert done.stderr.decode().startswith(error)
    assert not living_engines()


def test_the_first_answer_says_what_stays_and_the_second_does_not() -> None:
    first = Terminal("say hi", *FEW, columns=120)
    first.wait_for_end()
    assert re.search(
        r"the model stays loaded for 5 min \(\d+ MB\) · llmchat engine stop", first.text
    )
    second = Terminal("say hi", *FEW, columns=120)
    second.wait_for_end()
    assert "stays loaded" not in second.text
    assert len(living_engines()) == 1


def test_without_it_nothing_stays() -> None:
    said("--no-resident", "say hi", *FEW)
    said("say hi", *FEW, "-o", "keep_alive=0")
    wait_for(lambda: not living_engines())


def test_an_engine_that_dies_ends_the_answer_and_not_the_command() -> None:
    process = start(*LONG)
    assert process.stdout is not None
    first = process.stdout.read(20)
    os.kill(only_engine().pid, signal.SIGKILL)
    rest, errors = process.communicate()
    assert process.returncode == 8
    assert len(first + rest) >= 20
    assert errors.count(b"\n") == 1
    assert b"SIGKILL" in errors
    assert b"ask again" in errors
    assert said("say hi", *FEW)


def test_ctrl_c_stops_the_answer_and_the_engine_stays() -> None:
    process = start(*LONG)
    assert process.stdout is not None
    process.stdout.read(20)
    pid = only_engine().pid
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert [one.pid for one in neighbours()] == [pid]


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("why is it slow", True),
        ("explain a.py", True),
        ("-m starter hello", True),
        ("--help", False),
        ("explain --help", False),
        ("--version", False),
        ("help", False),
        ("engine status", False),
        ("config show", False),
        ("--no-resident hello", False),
    ],
)
def test_an_engine_is_started_early_only_for_a_question(words: str, asks: bool) -> None:
    assert main.will_ask(words.split()) is asks


def test_a_command_that_asks_nothing_starts_nothing() -> None:
    assert COMMAND
    said("config", "path")
    said("prompts", "list")
    llmchat("explain")
    wait_for(lambda: not living_engines())
