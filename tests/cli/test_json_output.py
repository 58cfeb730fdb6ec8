"""What programs get: one object, or one event a line."""

import json
from pathlib import Path

import pytest
from command_line import FEW, llmchat, talker

ANSWER = "Here:\n```python\nx = 1\n```\nDone \u2713 \x9b.\n"


def test_json_is_one_object_with_everything(tmp_path: Path) -> None:
    done = llmchat("hi", "--json", command=talker(ANSWER, tmp_path))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1
    found = json.loads(done.stdout)
    assert found["answer"] == ANSWER
    assert found["code"] == "x = 1\n"
    assert found["seed"] == 1
    assert found["reason"] == "done"
    assert found["model"] == {"name": "Talker", "quantisation": "Q1", "fingerprint": "f" * 8}
    assert found["usage"]["new_tokens"] == 20
    assert {"source": "question", "tokens": 1, "cached": 0} in found["parts"]


def test_stream_json_is_one_event_a_line(tmp_path: Path) -> None:
    done = llmchat("hi", "--output", "stream-json", command=talker(ANSWER, tmp_path))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events[:2]] == ["start", "delta"]
    assert "".join(event["text"] for event in events if event["event"] == "delta") == ANSWER
    assert events[-1]["event"] == "end"
    assert events[-1]["answer"] == ANSWER


def test_the_later_form_wins(tmp_path: Path) -> None:
    command = talker(ANSWER, tmp_path)
    assert llmchat("--json", "hi", "--output", "text", command=command).stdout == ANSWER.encode()
    assert llmchat("--output", "text", "hi", "--json", command=command).stdout.startswith(b"{")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-m", "nosuch.gguf", "hi"], 3),
        (["-o", "temperature", "99", "hi"], 2),
        (["explain", "large.txt", "--dry-run"], 4),
        (["explain", "large.txt"], 4),
        (["fix", "large.txt", "--write"], 6),
    ],
)
def test_json_is_one_object_whatever_happens(words: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_text("word " * 4000)
    done = llmchat("--json", *words, command=talker(ANSWER, tmp_path), folder=tmp_path)
    assert done.returncode == code
    found = json.loads(done.stdout)
    assert "--dry-run" in words or found["error"]["exit_code"] == code


def test_an_answer_that_failed_comes_with_its_error(tmp_path: Path) -> None:
    failed = {"REASON": "failed"}
    done = llmchat("hi", "--json", command=talker(ANSWER, tmp_path), environment=failed)
    assert done.returncode == 8
    found = json.loads(done.stdout)
    assert found["answer"] == ANSWER
    assert found["error"]["exit_code"] == 8


def test_the_prompt_as_json(tmp_path: Path) -> None:
    command = talker(ANSWER, tmp_path)
    found = json.loads(llmchat("hi", "--show-prompt", "--json", command=command).stdout)
    assert found["prompt"].endswith("hi")
    assert len(found["token_ids"]) > 1


@pytest.mark.parametrize(("form", "path"), [("json", ["error"]), ("stream-json", [])])
def test_an_error_is_said_in_both_places(form: str, path: list[str], tmp_path: Path) -> None:
    command = talker("", tmp_path)
    done = llmchat("explain", str(tmp_path / "none.py"), "--output", form, command=command)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: there is no file ")
    found = json.loads(done.stdout.splitlines()[-1])
    for key in path:
        found = found[key]
    assert found["message"].startswith("there is no file ")
    assert found["exit_code"] == 1


def test_a_dry_run_counts_and_runs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("x = 1\n")
    command = talker("never said", tmp_path)
    done = llmchat("explain", str(file), "--dry-run", command=command)
    assert done.returncode == 0
    assert b"never said" not in done.stdout
    assert str(file).encode() in done.stdout
    found = json.loads(llmchat("explain", str(file), "--dry-run", "--json", command=command).stdout)
    assert found["prompt_tokens"] == sum(part["tokens"] for part in found["parts"])
    file.write_text("x = 1\n" * 3000)
    for words in ([], ["--dry-run"]):
        done = llmchat("explain", str(file), *words, command=command)
        assert done.returncode == 4
        assert b"FILE:10-40" in done.stderr


def test_the_real_model_reports_its_fingerprint() -> None:
    found = json.loads(llmchat("hi", "--json", *FEW).stdout)
    assert found["model"]["name"] == "SmolLM2-135M-Instruct"
    assert len(found["model"]["fingerprint"]) >= 8
    assert found["reason"] == "length"
    assert found["usage"]["new_tokens"] == 8
