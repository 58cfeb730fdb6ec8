"""The command `llmchat doctor`: exit codes, standard output, JSON."""

import json
import os
from pathlib import Path

import pytest

from assistant.cli import doctor_command
from assistant.cli.app import run
from assistant.cli.doctor_command import run_checks
from assistant.config import Settings
from assistant.errors import UsageError


def test_a_healthy_machine_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_checks(Settings, has_color=False, wants_json=False) == 0
    out, err = capsys.readouterr()
    assert out.startswith("ok      Python ")
    assert "ok      template       keeps 17 spelled control tokens as text" in out
    assert err == ""


def test_a_model_that_is_not_there_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_checks(
        lambda: Settings(model="/nonexistent/x.gguf"), has_color=False, wants_json=True
    )
    assert code == 1
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert found["model"]["status"] == "FAILED"
    assert "there is no model /nonexistent/x.gguf" in found["model"]["says"]


def test_broken_settings_end_with_1_and_the_rest_is_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def load() -> Settings:
        raise UsageError("config.toml, line 3: unknown key", "did you mean color?")

    assert run_checks(load, has_color=False, wants_json=False) == 1
    out = capsys.readouterr().out
    assert "FAILED  settings       config.toml, line 3: unknown key\n" in out
    assert "-> did you mean color?" in out
    assert "ok      llama.cpp " in out


def test_a_wrong_setting_keeps_no_check_from_running(
    private_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forms = []
    monkeypatch.setattr(
        doctor_command, "run_checks", lambda _load, **options: forms.append(options["wants_json"])
    )
    (private_home / "config").mkdir()
    (private_home / "config" / "config.toml").write_text("nosuch = 1\n")
    run(["doctor"])
    run(["doctor", "--json"])
    assert forms == [False, True]
    assert run(["doctor", "--output", "xml"]) == 2
    assert "error: --output xml: it is one of text, json" in capsys.readouterr().err
    assert forms == [False, True]


def test_the_disk_is_looked_at_instead_when_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    private_home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    (private_home / "state").mkdir()
    (private_home / "state" / "llamacpp.log").write_bytes(bytes(range(256)) * 1000)
    assert run(["doctor", "--disk", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.count("\n") == 1
    rows = {row["what"]: row for row in json.loads(out)["rows"]}
    assert rows["logs"]["size_bytes"] >= 256_000
    assert rows["logs"]["path"] == os.fspath(private_home / "state" / "llamacpp.log")
    assert {"starter model", "llama.cpp"} <= rows.keys()


def test_the_exit_code_of_the_command_is_that_of_the_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor_command, "_has_color", lambda _load: False)
    monkeypatch.setattr(doctor_command, "run_checks", lambda _load, **_options: 1)
    assert run(["doctor"]) == 1
