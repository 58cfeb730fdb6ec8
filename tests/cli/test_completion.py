"""Tab in a shell: commands, prompts, models and settings."""

import subprocess
import sys
from pathlib import Path

import pytest

from assistant.cli.app import run

PROMPT = "---\nname: mine\ndescription: My own\ntakes: [question]\n---\n{{ question }}\n"


def offered(
    line: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    words = line.split(" ")
    monkeypatch.setenv("_LLMCHAT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert run([]) == 0
    return capfd.readouterr().out.split()


def test_words_that_are_offered(
    private_home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = private_home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "mine.md").write_text(PROMPT)
    models = private_home / "data" / "models"
    models.mkdir(parents=True)
    (models / "coder.gguf").touch()
    for line, expected in {
        "llmchat expl": ["explain"],
        "llmchat mi": ["mine"],
        "llmchat -q pro": ["prompts"],
        "llmchat -o temperature 0 conf": ["config"],
        "llmchat prompts sh": ["show"],
        "llmchat prompts show mi": ["mine"],
        "llmchat config set temp": ["temperature"],
        "llmchat -m st": ["starter"],
        f"llmchat explain -m {models}": [str(models / "coder.gguf")],
        "llmchat completion z": ["zsh"],
        "llmchat --fail": ["--fail-on-length"],
        "llmchat hi --output st": ["stream-json"],
        "llmchat hi --color al": ["always"],
        "llmchat hi --reasoning o": ["only"],
        "llmchat hi --lang ja": ["ja"],
        "llmchat hi -o temper": ["temperature"],
        "llmchat explain src": [],
    }.items():
        assert offered(line, capfd, monkeypatch) == expected, line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_LLMCHAT_COMPLETE" in capfd.readouterr().out


def test_bash_takes_the_script() -> None:
    script = subprocess.run(
        [sys.executable, "-m", "assistant", "completion", "bash"], capture_output=True, check=True
    ).stdout
    check = b"\ncomplete -p llmchat\n"
    done = subprocess.run(["bash"], input=script + check, capture_output=True, check=True)
    assert done.stdout.split()[-1] == b"llmchat"


def test_a_shell_that_is_none(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["completion"]) == 2
    assert run(["completion", "tcsh"]) == 2
    assert "there is no completion for tcsh (one of bash," in capfd.readouterr().err


def test_the_script_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(["completion", "bash", "--install"]) == 0
    assert (tmp_path / ".bash_completions" / "llmchat.sh").is_file()
    assert "llmchat.sh" in (tmp_path / ".bashrc").read_text()
    assert "a new terminal completes llmchat" in capfd.readouterr().err
