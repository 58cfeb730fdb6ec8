"""Secrets in what is attached are named before it is sent, and never shown."""

import sys
from pathlib import Path

import pytest
from command_line import llmchat, talker

from assistant.attachments.secret_warnings import MAX_WARNINGS, Destination, secret_warnings
from assistant.engine.remote_spec import leaves_machine
from assistant.messages import Attachment

KEY = "AKIA" + "2E4X6Z8B1D3F5H7J"
TOKEN = "ghp_" + "k2Xv9Qz7Lm" * 3 + "4Pw8Rt"
HERE = "goes to the model and into the history"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file with one secret in line 3, one with two."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "one.py").write_text(f"import boto3\n\nkey = '{KEY}'\n")
    (folder / "two.py").write_text(f"# {KEY}\nx = 1\n# {TOKEN}\n")
    return folder


def said(*words: str, folder: Path, stdin: bytes | None = None) -> list[str]:
    """The lines on standard error; the answer comes all the same."""
    command = talker("fine", folder.parent)
    done = llmchat(*words, command=command, folder=folder, stdin=stdin)
    assert (done.returncode, done.stdout) == (0, b"fine\n")
    assert KEY.encode() not in done.stderr
    assert TOKEN.encode() not in done.stderr
    return done.stderr.decode().splitlines()


def test_each_file_has_a_line(folder: Path) -> None:
    assert said("-f", "one.py", "-f", "two.py", "hi", folder=folder) == [
        f"one.py, line 3 looks like a secret (AWS access key id); it {HERE}",
        "two.py, line 1 looks like a secret (AWS access key id), and 1 more; "
        "they go to the model and into the history",
    ]


@pytest.mark.parametrize("words", [["what is it?"], ["-"], []])
def test_what_is_piped_is_looked_at(words: list[str], folder: Path) -> None:
    assert said(*words, folder=folder, stdin=f"\nkey = {KEY}\n".encode()) == [
        f"stdin, line 2 looks like a secret (AWS access key id); it {HERE}"
    ]


def test_lines_are_those_of_the_file(folder: Path) -> None:
    assert said("explain", "one.py:2-3", folder=folder) == [
        f"one.py:2-3, line 3 looks like a secret (AWS access key id); it {HERE}"
    ]
    assert said("explain", "one.py:1-2", folder=folder) == []


def test_where_the_model_is_elsewhere_that_is_said(folder: Path) -> None:
    words = ["-f", "one.py", "hi", "-m"]
    away = f"it {HERE}, and leaves this machine"
    assert said(*words, "openai:https://models.acme.io/v1", folder=folder)[0].endswith(away)
    assert said(*words, "openai:http://127.0.0.1:8000/v1", folder=folder)[0].endswith(HERE)


def test_without_history_it_is_not_mentioned(folder: Path) -> None:
    words = ["--no-history", "-f", "one.py", "hi"]
    assert said(*words, folder=folder)[0].endswith("; it goes to the model")


def test_of_a_folder_only_the_first_files_are_named() -> None:
    attachments = [Attachment(f"{n}.py", f"key = '{KEY}'", "") for n in range(MAX_WARNINGS + 3)]
    warnings = list(secret_warnings(attachments, Destination()))
    assert [warning.split(",")[0] for warning in warnings[:-1]] == [
        f"{n}.py" for n in range(MAX_WARNINGS)
    ]
    assert warnings[-1] == "3 more look as if they held secrets"
    assert len(list(secret_warnings(attachments[:-3], Destination()))) == MAX_WARNINGS


def test_what_leaves_the_machine() -> None:
    names = {
        "openai:https://api.acme.io/v1": True,
        "openai:http://192.168.1.7:8000/v1#qwen": True,
        "openai:http://localhost:8000/v1": False,
        "openai:http://[::1]:8000/v1": False,
        "starter": False,
        "": False,
    }
    assert {name: leaves_machine(name) for name in names} == names


@pytest.mark.parametrize(
    ("words", "is_imported"), [(["hi"], False), (["-f", "one.py", "hi"], True)]
)
def test_a_bare_question_imports_nothing_of_it(
    words: list[str], is_imported: bool, folder: Path
) -> None:
    python, *rest = talker("fine", folder.parent)
    assert python == sys.executable
    command = [python, "-X", "importtime", *rest]
    done = llmchat(*words, command=command, folder=folder)
    assert done.stdout == b"fine\n"
    assert (b"assistant.attachments.secrets" in done.stderr) is is_imported
