"""`llmchat config`: shows who set what, changes only the user's own file."""

import io
import json
from pathlib import Path

import pytest
from command_line import Terminal, run_command
from conftest import ROOT

from assistant.cli.config_command import (
    change_setting,
    clear_setting,
    show_paths,
    show_settings,
)
from assistant.cli.reference_settings import START, settings_markdown
from assistant.cli.report import Report
from assistant.config import SETTINGS
from assistant.config_sources import Given, find_user_file, read_file, read_settings
from assistant.errors import UsageError
from assistant.trust import find_project, remember


@pytest.fixture
def report() -> Report:
    return Report(io.StringIO())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of the current folder."""
    (tmp_path / ".git").mkdir()
    file = tmp_path / ".llmchat.toml"
    file.write_text("seed = 7\n")
    monkeypatch.chdir(tmp_path)
    return file


def said(report: Report) -> str:
    assert isinstance(report.err, io.StringIO)
    return report.err.getvalue()


def trust_it() -> None:
    project = find_project()
    assert project is not None
    remember(project, is_trusted=True)


def test_every_setting_is_shown_with_its_origin(
    project: Path, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    trust_it()
    loaded = read_settings(
        {"lang": Given("\x1b[31m", "--lang")},
        user_file=None,
        project_file=project,
        environment={"LLMCHAT_WINDOW": "2048"},
    )
    show_settings(loaded, report, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == list(SETTINGS)
    assert ["window", "2048", "LLMCHAT_WINDOW"] in lines
    assert ["seed", "7", str(project)] in lines
    assert ["lang", "\\x1b[31m", "--lang"] in lines
    assert ["device", "auto", "default"] in lines
    assert ["model", "-", "default"] in lines
    show_settings(loaded, report, as_json=False, has_sentences=True)
    assert SETTINGS["seed"].sentence in capsys.readouterr().out
    show_settings(loaded, report, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["seed"] == {"value": 7, "origin": str(project)}
    assert shown["color"] == {"value": "auto", "origin": "default"}
    assert shown["temperature"] == {"value": None, "origin": "default"}
    assert said(report) == ""


def test_a_project_that_is_left_out_is_named(
    project: Path, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = read_settings({}, user_file=None, project_file=None, environment={})
    show_settings(loaded, report, as_json=True)
    assert said(report) == f"{project} is left out until you trust it (llmchat trust)\n"
    assert str(project) not in capsys.readouterr().out


def test_every_place_is_shown(private_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_paths(as_json=True)
    places = json.loads(capsys.readouterr().out)
    assert places["settings"] == f"{private_home}/config/config.toml"
    assert places["trust"] == f"{private_home}/state/trust.toml"
    show_paths(as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [list(row) for row in places.items()]
    assert list(private_home.iterdir()) == []


def test_what_is_set_and_unset(report: Report, private_home: Path) -> None:
    file = find_user_file()
    change_setting(file, "temperature", "0.2", report)
    assert read_file(file) == {"temperature": 0.2}
    assert said(report) == ""
    clear_setting(file, "temperature", report)
    assert read_file(file) == {}
    clear_setting(file, "temperature", report)
    assert said(report) == f"temperature is not set in {file}\n"


def test_who_overrides_what_was_set(project: Path, report: Report) -> None:
    file = find_user_file()
    change_setting(file, "threads", "3", report)  # tests set the variable
    trust_it()
    change_setting(file, "seed", "3", report)
    project.write_text("sede = 3")
    trust_it()
    change_setting(file, "seed", "4", report)
    assert said(report).splitlines() == [
        "saved; here LLMCHAT_THREADS wins: threads is 1",
        f"saved; here {project} wins: seed is 7",
        f"saved; but {project}, line 1: unknown key sede",
    ]
    assert read_file(file) == {"threads": 3, "seed": 4}


def test_missing_words_are_asked_for(report: Report, private_home: Path) -> None:
    for key, value in ((None, None), ("seed", None)):
        with pytest.raises(UsageError, match="config set needs a key and a value"):
            change_setting(find_user_file(), key, value, report)
    with pytest.raises(UsageError, match="config unset needs a key"):
        clear_setting(find_user_file(), None, report)


def test_the_commands_take_what_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    run_command("config", "set", "seed", "5")
    run_command("config", "show")
    assert f"seed            5           {find_user_file()}" in capsys.readouterr().out
    run_command("config", "unset", "seed")
    assert find_user_file().read_text() == ""
    run_command("config", "path")
    assert "config.toml" in capsys.readouterr().out


def test_verbose_shows_what_each_setting_means(capsys: pytest.CaptureFixture[str]) -> None:
    run_command("config", "show")
    assert SETTINGS["seed"].sentence not in capsys.readouterr().out
    run_command("config", "show", "-v")
    assert SETTINGS["seed"].sentence in capsys.readouterr().out


def test_json_is_one_ascii_line(capsys: pytest.CaptureFixture[str]) -> None:
    run_command("config", "show", "--lang", "\x7f\x9b\u202e", "--output", "json")
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x7f" not in out
    assert out.count("\n") == 1
    assert json.loads(out)["lang"]["value"] == "\x7f\x9b\u202e"


def test_a_dry_run_changes_no_setting(capsys: pytest.CaptureFixture[str]) -> None:
    file = find_user_file()
    run_command("config", "set", "seed", "5", "--dry-run")
    assert capsys.readouterr() == ("", f"would write seed = 5 to {file}\n")
    assert not file.parent.exists()
    with pytest.raises(UsageError, match="takes a whole number"):
        run_command("config", "set", "seed", "x", "--dry-run")
    run_command("config", "set", "seed", "5")
    run_command("config", "unset", "seed", "--dry-run")
    assert capsys.readouterr().err == f"would remove seed from {file}\n"
    assert read_file(file) == {"seed": 5}
    run_command("config", "unset", "lang", "--dry-run")
    assert capsys.readouterr().err == f"lang is not set in {file}\n"


def test_a_terminal_that_knows_no_width_gets_a_table() -> None:
    """As under some editors and serial lines: 0 columns."""
    terminal = Terminal("config", "show", columns=0, rows=0)
    assert terminal.wait_for_end() == 0
    assert b"temperature" in terminal.written


def test_the_reference_is_true(tmp_path: Path) -> None:
    """assistant/cli/reference_settings.py says how to write it again."""
    assert (ROOT / "docs" / "settings.md").read_text() == settings_markdown()
    example = tmp_path / "config.toml"
    example.write_text(START.split("```toml\n")[1].split("```")[0])
    assert len(read_file(example)) == 4


def test_a_models_path_holds_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_home: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.gguf").touch()
    for typed, saved in {
        "./m.gguf": f"{tmp_path}/m.gguf",
        "hf:m.gguf": f"hf:{tmp_path}/m.gguf",
        "starter": "starter",
    }.items():
        run_command("config", "set", "model", typed)
        assert read_file(find_user_file())["model"] == saved


def test_a_language_that_is_none_is_refused_where_it_is_set(private_home: Path) -> None:
    with pytest.raises(UsageError, match="lang xx: it takes a language"):
        run_command("config", "set", "lang", "xx")
    run_command("config", "set", "lang", "zh")
    assert read_file(find_user_file()) == {"lang": "zh"}
