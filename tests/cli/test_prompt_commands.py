"""Every prompt file is a command, with its own words, options and help."""

from pathlib import Path

import pytest
from command_line import Terminal, llmchat, start, talker, wait_for

from assistant.cli.app import run

PROMPT = """---
name: shorten
description: Make a text shorter
examples: ["llmchat shorten --to-length 3 notes.md"]
takes: [files, stdin, question]
needs: [files]
variables: {to_length: {help: "How many words.", metavar: WORDS}, tone: dry}
---
{{ to_length }} {{ tone }} {{ files }} {{ question }}
"""


@pytest.fixture
def folder(private_home: Path) -> Path:
    folder = private_home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "shorten.md").write_text(PROMPT)
    return folder


def test_a_prompt_of_ones_own_has_help_and_options(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["--help"]) == 0
    assert "  shorten    Make a text shorter\n" in capfd.readouterr().out
    assert run(["shorten", "-h"]) == 0
    shown = capfd.readouterr().out
    assert "llmchat shorten --to-length 3 notes.md" in shown
    assert "--to-length WORDS" in shown
    assert "How many words." in shown


def test_its_variables_are_filled(folder: Path, tmp_path: Path) -> None:
    command = talker("fine", tmp_path)
    words = [
        "shorten",
        "-",
        "--to-length",
        "3",
        "--tone",
        "warm",
        "--show-prompt",
        "--",
        "now",
        "!",
    ]
    shown = llmchat(*words, stdin=b"text\n", command=command)
    assert shown.stdout.decode().startswith("3 warm stdin:\n```\ntext\n``` now !\n")


def test_what_it_needs_is_said(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["shorten", "notes.md"]) == 2
    assert "shorten needs --to-length WORDS" in capfd.readouterr().err
    assert run(["shorten", "--to-length", "3", "--nosuch"]) == 2
    assert "there is no option --nosuch" in capfd.readouterr().err


def test_a_variable_called_like_an_option_is_refused(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "shorten.md").write_text(PROMPT.replace("tone", "model"))
    assert run(["shorten", "notes.md"]) == 2
    assert "the variable model is called like an option" in capfd.readouterr().err


def test_a_broken_prompt_breaks_only_itself(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.md").write_text("---\nname: broken\ndescripton: x\n---\n")
    assert run(["--help"]) == 0
    assert run(["broken", "hi"]) == 2
    error = capfd.readouterr().err
    assert f"{folder}/broken.md, line 3: unknown key" in error
    assert "did you mean description?" in error


def test_commands_win_over_prompts(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "doctor.md").write_text(PROMPT.replace("name: shorten", "name: doctor"))
    assert run(["doctor", "--help"]) == 0
    assert "--disk" in capfd.readouterr().out
    assert run(["prompts", "list"]) == 0
    line = next(row for row in capfd.readouterr().out.splitlines() if row.startswith("doctor"))
    assert "hidden by a command" in line or "hidden by command" in line


def test_a_prompt_that_gives_a_file_may_be_given_none(folder: Path, tmp_path: Path) -> None:
    head = "name: page\ndescription: Write a page\ntakes: [question]\ngives: file\n"
    (folder / "page.md").write_text(f"---\n{head}---\n{{{{ question }}}}\n")
    done = llmchat("page", "about", "me", command=talker("```\nI\n```\n", tmp_path))
    assert (done.returncode, done.stdout) == (0, b"I\n")


def test_help_as_people_type_it(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["help"]) == 0
    assert "Prompts:" in capfd.readouterr().out
    assert run(["help", "shorten"]) == 0
    assert "Make a text shorter" in capfd.readouterr().out
    assert run(["config", "lsit"]) == 2
    assert "llmchat config has no command lsit" in capfd.readouterr().err
    assert run(["config", "is", "broken"]) == 2
    assert 'a question: llmchat "config is broken"' in capfd.readouterr().err
    assert run(["hi", "-s", ""]) == 2
    assert "-s has an empty value" in capfd.readouterr().err


def test_the_system_head_and_the_language_can_be_chosen(tmp_path: Path) -> None:
    command = talker("fine", tmp_path)
    shown = llmchat("hi", "-s", "Be {{ brief }}.", "--show-prompt", command=command).stdout.decode()
    assert shown.startswith("Be {{ brief }}.hi")
    german = {"LANG": "de_DE.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""}
    shown = llmchat("hi", "--show-prompt", command=command, environment=german).stdout.decode()
    assert "Answer in German (Deutsch)." in shown
    words = ("hi", "--lang", "zh", "--show-prompt")
    shown = llmchat(*words, command=command, environment=german).stdout.decode()
    assert "Answer in Simplified Chinese (简体中文)." in shown
    code = ("generate", "it", "--show-prompt")
    assert b"German" not in llmchat(*code, command=command, environment=german).stdout
    refused = llmchat("hi", "--lang", "xq", command=command)
    assert refused.returncode == 2


def test_time_stands_still_in_the_editor_and_nothing_of_it_stays(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsleep 2\necho late >> "$1"\n')
    editor.chmod(0o700)
    (tmp_path / "tmp").mkdir()
    chosen = {"VISUAL": str(editor), "TMPDIR": str(tmp_path / "tmp")}
    command = talker("fine", tmp_path)
    done = llmchat("-e", "--timeout", "1.5", command=command, environment=chosen)
    assert (done.returncode, done.stdout) == (0, b"fine\n")
    process = start("-e", command=command, environment=chosen)
    wait_for(lambda: any((tmp_path / "tmp").iterdir()))
    process.terminate()
    assert process.wait(timeout=20) == 143
    assert not any((tmp_path / "tmp").iterdir())
    process.communicate()


def test_a_project_prompt_is_a_command_once_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "project" / ".llmchat" / "prompts"
    folder.mkdir(parents=True)
    (folder / "shorten.md").write_text(PROMPT)
    command, inside = talker("fine", tmp_path), tmp_path / "project"
    words = ("shorten", "--to-length", "3", "x.txt", "--", "now")
    refused = llmchat("shorten", "x.txt", command=command, folder=inside)
    assert refused.returncode == 2
    assert b"error: shorten is a prompt of " in refused.stderr
    assert b"which you do not trust (llmchat trust)" in refused.stderr
    done = llmchat(*words, command=command, folder=inside)
    assert b"is left out until you trust it" in done.stderr
    (inside / "x.txt").write_text("text\n")
    terminal = Terminal("shorten", "--to-length", "3", "x.txt", command=command, folder=inside)
    terminal.wait_for(lambda: "[y/N]" in terminal.text)
    terminal.type_line("y")
    assert terminal.wait_for_end() == 0
    answer, last = terminal.text.splitlines()[-2:]
    assert answer == "fine"
    assert last.startswith("Talker Q1 · 30 of 2,048 tokens · conversation ")
    assert last.endswith(" · seed 1 · 50 tokens/s")
    assert llmchat(*words, command=command, folder=inside).stdout == b"fine\n"


def test_files_are_attached_to_a_question(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    pass\n\n\ndef g():\n    return 2\n")
    command = talker("fine", tmp_path)
    words = ("what is it?", "-f", "a.py::g", "-f", "a.py:1-2", "--show-prompt")
    shown = llmchat(*words, command=command, folder=tmp_path, stdin=b"piped\n").stdout.decode()
    assert shown.index("piped") < shown.index("return 2") < shown.index("pass")
    assert shown.index("pass") < shown.index("what is it?")


def test_the_question_is_written_in_an_editor(tmp_path: Path, private_home: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\necho 'what is\na heap?' >> \"$1\"\n")
    editor.chmod(0o700)
    command = talker("fine", tmp_path)
    chosen = {"VISUAL": str(editor)}
    terminal = Terminal("-e", "Say:", "--show-prompt", command=command, environment=chosen)
    assert terminal.wait_for_end() == 0
    assert "Say:what is\na heap?" in terminal.text
    words = ("-e", "-f", str(tmp_path / "large.txt"))
    (tmp_path / "large.txt").write_text("word " * 4000)
    terminal = Terminal(*words, command=command, environment=chosen, columns=200)
    assert terminal.wait_for_end() == 4
    assert "what you wrote is in " in terminal.text
    assert (private_home / "state" / "unsent.md").read_text() == "what is\na heap?\n"
    terminal = Terminal("summarize", "-e", command=command, environment=chosen)
    assert terminal.wait_for_end() == 2
    terminal = Terminal("-e", command=command, environment={"VISUAL": "true"})
    assert terminal.wait_for_end() == 2
    assert "nothing was written, so nothing is asked" in terminal.text
