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
    assert capfd.readouterr().err == (
        "wrote ~/.bash_completions/llmchat.sh and ~/.bashrc; a new terminal completes llmchat\n"
    )


def test_a_dry_run_installs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(["completion", "zsh", "--install", "--dry-run"]) == 0
    assert capfd.readouterr() == ("", "would write ~/.zfunc/_llmchat and ~/.zshrc\n")
    assert list(tmp_path.iterdir()) == []


def test_a_shell_that_is_not_there_or_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for shell in ("powershell", "pwsh"):
        assert run(["completion", shell, "--install"]) == 1
        assert capfd.readouterr().err == (
            f"error: there is no {shell} on this machine (one of bash, zsh, fish)\n"
        )
    (tmp_path / "pwsh").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "pwsh").chmod(0o755)
    assert run(["completion", "pwsh", "--install"]) == 1
    (tmp_path / ".bashrc").write_bytes(b"\xff")
    monkeypatch.setenv("PYTHONUTF8", "1")
    assert run(["completion", "bash", "--install"]) == 1
    first, second = capfd.readouterr().err.splitlines()
    assert first.startswith("error: the completion of pwsh cannot be installed: ")
    assert second.startswith("error: the completion of bash cannot be installed: ")
