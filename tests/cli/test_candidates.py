"""`-n 4`: several answers from one prefill, in a pipe, on a terminal, for programs."""

import json
from datetime import date
from pathlib import Path

import pytest
from command_line import Terminal, llmchat, talker

from assistant.backends.base import SamplingOptions
from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.events import Finished
from assistant.messages import ChatPrompt, Role, message

CODE = "Here it is:\n\n```python\nprint(1)\n```\n"
WARM = ("-o", "temperature=0.8")


def run(*words: str, answer: str, folder: Path) -> tuple[str, str, int]:
    done = llmchat(*words, *WARM, command=talker(answer, folder))
    return done.stdout.decode(), done.stderr.decode(), done.returncode


def test_a_pipe_gets_all_of_them_below_lines_that_grep_finds(tmp_path: Path) -> None:
    out, errors, code = run("-n", "3", "hi", answer="one word", folder=tmp_path)
    assert out == (
        "==> 1 of 3 <==\none word\n\n==> 2 of 3 <==\none word 2\n\n==> 3 of 3 <==\none word 3\n"
    )
    assert errors == "seeds 1, 2, 3; -o seed=… writes one of them again\n"
    assert code == 0


def test_a_prompt_that_gives_code_gives_the_code_of_each(tmp_path: Path) -> None:
    out, _, _ = run("generate", "-n", "2", "x", answer=CODE, folder=tmp_path)
    assert out == "==> 1 of 2 <==\nprint(1)\n\n==> 2 of 2 <==\nprint(1)\n"


def test_one_answer_looks_as_ever(tmp_path: Path) -> None:
    out, errors, _ = run("-n", "1", "hi", answer="one word", folder=tmp_path)
    assert (out, errors) == ("one word\n", "")


def test_programs_find_all_of_them(tmp_path: Path) -> None:
    out, _, _ = run("-n", "2", "hi", "--json", answer="one word", folder=tmp_path)
    found = json.loads(out)
    assert found["answer"] == "one word"
    assert [one["answer"] for one in found["candidates"]] == ["one word", "one word 2"]
    assert [one["seed"] for one in found["candidates"]] == [1, 2]
    out, _, _ = run("-n", "2", "hi", "--output", "stream-json", answer="one", folder=tmp_path)
    events = [json.loads(line) for line in out.splitlines()]
    texts = ["", ""]
    for event in events:
        if event["event"] == "delta":
            texts[event["candidate"]] += event["text"]
    assert texts == ["one", "one 2"]
    assert len(events[-1]["candidates"]) == 2


def test_a_terminal_shows_each_as_markdown(tmp_path: Path) -> None:
    terminal = Terminal("-n", "2", "hi", *WARM, command=talker("some **bold** text", tmp_path))
    assert terminal.wait_for_end() == 0
    lines = [line.rstrip() for line in terminal.text.splitlines()]
    assert lines[:5] == [
        "==> 1 of 2 <==",
        "some bold text",
        "",
        "==> 2 of 2 <==",
        "some bold text 2",
    ]


def test_what_was_cut_is_said_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASON", "length")
    _, errors, code = run("-n", "2", "hi", "--fail-on-length", answer="one", folder=tmp_path)
    assert errors.startswith("cut after 1,024 tokens")
    assert errors.count("cut") == 1
    assert code == 10


def test_without_chance_there_is_one(tmp_path: Path) -> None:
    done = llmchat("-n", "4", "hi", "-o", "temperature=0", command=talker("one word", tmp_path))
    assert done.stdout == b"one word\n"
    assert b"at temperature 0 all candidates are the same, so there is one" in done.stderr


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("-n 0 hi", "error: -n 0: it takes a number from 1 to 8 (-n 4)\n"),
        ("-n 9 hi", "error: -n 9: it takes a number from 1 to 8 (-n 4)\n"),
        ("-n two hi", "error: -n two: it takes a number from 1 to 8 (-n 4)\n"),
        (
            "generate -n 2 x -w new.py",
            "error: of several answers none can be chosen to be written (leave -n out)\n",
        ),
    ],
)
def test_what_cannot_be_done_says_what_to_type(words: str, error: str, tmp_path: Path) -> None:
    done = llmchat(*words.split(), command=talker("never", tmp_path), folder=tmp_path)
    assert done.stderr.decode() == error
    assert done.returncode == 2
    assert done.stdout == b""


def test_the_model_writes_several_different_ones(starter_engine: LocalEngine) -> None:
    question = "Write one sentence about the sea."
    request = GenerationRequest(
        ChatPrompt((message(Role.USER, question),), date(2026, 1, 1)),
        SamplingOptions(temperature=0.8),
        max_new_tokens=24,
        candidates=4,
        seed=5,
    )
    *_, last = starter_engine.stream(request)
    assert isinstance(last, Finished)
    assert len({answer.text for answer in last.answers}) >= 3
    assert [answer.seed for answer in last.answers] == [5, 6, 7, 8]
    assert last.usage.prompt_tokens < 60
