"""Trust on the command line: what is shown before the question, and who is asked."""

import io
import sys
from pathlib import Path

import pytest
from command_line import Terminal, llmchat, run_command, talker

from assistant.cli.report import Report
from assistant.cli.trust_command import change_trust, settle_trust
from assistant.errors import InputError, NotApproved, UsageError
from assistant.trust import (
    decision,
    find_project,
    project_notes,
    trust_file,
    trusted_project,
)

POEM = "---\nname: poem\ndescription: A poem\nsystem: |\n  You rhyme.\n  Always so.\n---\nA poem.\n"


class Person(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def report() -> Report:
    return Report(io.StringIO())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder brings settings and a prompt."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".llmchat" / "prompts").mkdir(parents=True)
    (tmp_path / ".llmchat.toml").write_text('seed = 7\nsystem = "Be brief."\n')
    (tmp_path / ".llmchat" / "prompts" / "poem.md").write_text(POEM)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answers(monkeypatch: pytest.MonkeyPatch, text: str) -> Person:
    """Somebody types `text`; what they are asked."""
    asked = Person()
    monkeypatch.setattr(sys, "stdin", Person(text))
    monkeypatch.setattr(sys, "stderr", asked)
    return asked


def said(report: Report) -> str:
    assert isinstance(report.err, io.StringIO)
    return report.err.getvalue()


def contents(project: Path) -> str:
    return (
        f"{project} brings\n"
        '- .llmchat.toml, 30 bytes: seed = 7, system = "Be brief."\n'
        f'- .llmchat/prompts/poem.md, {len(POEM)} bytes: system "You rhyme." … 11 more characters\n'
        f"read all of it: less {project}/.llmchat.toml {project}/.llmchat/prompts/poem.md\n"
    )


def test_a_person_is_asked_once(
    project: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, "y\n")
    settle_trust(report)
    settle_trust(report)
    assert said(report) == contents(project)
    assert asked.getvalue() == f"use this in {project} until it changes? [y/N] "
    assert trusted_project() is not None


def test_a_no_is_kept_too(project: Path, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "\n")
    settle_trust(report)
    settle_trust(report)
    assert said(report) == contents(project)
    found = find_project()
    assert found is not None
    assert decision(found) is False


def test_where_nobody_can_be_asked_one_line_says_so(project: Path, report: Report) -> None:
    settle_trust(report)
    assert said(report) == (
        f"{project}/.llmchat.toml and .llmchat/prompts are left out until you trust them "
        "(llmchat trust)\n"
    )
    assert not trust_file().exists()
    (project / ".llmchat.toml").unlink()
    settle_trust(report)
    assert said(report).splitlines()[1] == (
        f"{project}/.llmchat/prompts is left out until you trust it (llmchat trust)"
    )


def test_without_a_project_nothing_is_said(
    tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    settle_trust(report)
    assert said(report) == ""


def test_what_cannot_be_trusted_is_left_out(
    project: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, "y\ny\n")
    (project / ".llmchat.toml").write_text("model = 'x'")
    settle_trust(report)
    (project / ".llmchat.toml").write_text("#" * 70_000)
    settle_trust(report)
    assert said(report).splitlines() == [
        f"{project}/.llmchat.toml, line 1: a project may not set model",
        f"{project}/.llmchat.toml and .llmchat/prompts are left out: "
        f"{project}/.llmchat.toml is larger than 64 KiB",
    ]
    assert asked.getvalue() == ""
    assert trusted_project() is None


def test_answers_that_are_broken_are_named(
    project: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust_file().parent.mkdir()
    trust_file().write_text("x")
    settle_trust(report)
    assert said(report).startswith(f"{trust_file()}, line 1: it is no TOML")
    change_trust(None, report, is_trusted=True, is_approved=True)
    assert "all other answers are lost" in said(report)
    assert trusted_project() is not None


def test_an_answer_that_cannot_be_kept_is_named(
    project: Path, report: Report, monkeypatch: pytest.MonkeyPatch, private_home: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(private_home))
    trust_file().parent.touch()
    answers(monkeypatch, "y\n")
    settle_trust(report)
    assert said(report).splitlines()[-1].endswith("cannot be written, so the answer does not count")
    assert trusted_project() is None


def test_a_long_text_is_cut_and_none_is_obeyed(project: Path, report: Report) -> None:
    (project / ".llmchat.toml").write_text(f'system = "\\u001b[31m{"x" * 1000}"\n')
    change_trust(None, report, is_trusted=True, is_approved=True)
    line = said(report).splitlines()[1]
    assert 'system = "\\x1b[31mxxx' in line
    assert line.endswith('x" … 805 more characters')
    assert len(line) < 300


def test_what_each_prompt_says_is_shown_and_how_to_read_it_all(
    project: Path, report: Report
) -> None:
    prompts = project / ".llmchat" / "prompts"
    (prompts / "bare.md").write_text("---\nname: bare\ndescription: x\n---\nx\n")
    (prompts / "long.md").write_text(POEM.replace("poem", "long").replace("You", "You" * 1000))
    (prompts / "it's wrong.md").write_text("A poem.")
    change_trust(None, report, is_trusted=True, is_approved=True)
    lines = said(report).splitlines()
    assert lines[2] == "- .llmchat/prompts/bare.md, 36 bytes: no system message"
    assert lines[3].startswith("- .llmchat/prompts/it's wrong.md, 7 bytes: no prompt: line 1: ")
    assert lines[4].endswith('YouYo" … 2,818 more characters')
    assert len(lines[4]) < 300
    quoted = f"'{prompts}/it'\"'\"'s wrong.md'"
    assert lines[6].startswith(f"read all of it: less {project}/.llmchat.toml ")
    assert quoted in lines[6]
    for number in range(9):
        (prompts / f"p{number}.md").write_text("x")
    change_trust(None, report, is_trusted=True, is_approved=True)
    assert said(report).splitlines()[-1] == (
        f"read all of it: less {project}/.llmchat.toml {prompts}/*.md"
    )


@pytest.mark.parametrize("words", [["trust"], ["trust", "--no"]])
def test_a_dry_run_keeps_no_answer(
    words: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(*words, "--dry-run")
    end = "left out" if "--no" in words else "trusted"
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"would write to {trust_file()} that {project} is {end}"
    assert not trust_file().exists()


def test_trust_asks_and_no_does_not(
    project: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotApproved, match="nobody can be asked") as caught:
        change_trust(None, report, is_trusted=True, is_approved=False)
    assert caught.value.hint == "llmchat trust --yes"
    answers(monkeypatch, "n\ny\n")
    with pytest.raises(NotApproved, match="nothing was changed"):
        change_trust(None, report, is_trusted=True, is_approved=False)
    assert trusted_project() is None
    change_trust(str(project), report, is_trusted=True, is_approved=False)
    assert trusted_project() is not None
    change_trust(None, report, is_trusted=False, is_approved=False)
    assert trusted_project() is None


def test_what_cannot_be_asked_about(
    project: Path, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("empty")
    (empty / ".git").mkdir()
    refusals = {
        str(project / "none"): f"there is no folder {project}/none",
        "x" * 5000: "there is no folder xxx",
        str(empty): f"{empty} has no settings, prompts or notes to trust",
    }
    for folder, message in refusals.items():
        with pytest.raises(InputError) as caught:
            change_trust(folder, report, is_trusted=True, is_approved=True)
        assert caught.value.message.startswith(message)
    (project / ".llmchat.toml").write_text("sede = 1")
    with pytest.raises(UsageError, match="unknown key sede"):
        change_trust(None, report, is_trusted=True, is_approved=True)


def test_the_command_takes_what_is_typed(project: Path) -> None:
    run_command("trust", "--no", str(project))
    found = find_project()
    assert found is not None
    assert decision(found) is False
    with pytest.raises(NotApproved):
        run_command("trust")


# ── notes ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder and the repository around it bring notes, and nothing else."""
    repository = tmp_path / "repository"
    (repository / "part").mkdir(parents=True)
    (repository / ".git").mkdir()
    (repository / "AGENTS.md").write_text("Use tabs.\nAlways.\n")
    (repository / "part" / "LLMCHAT.md").write_text("Use blanks.\n")
    monkeypatch.chdir(repository / "part")
    return repository


def names() -> list[str]:
    return [note.name for note in project_notes()]


def test_each_folder_with_notes_is_asked_about_once(
    noted: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, "n\ny\n")
    settle_trust(report)
    settle_trust(report)
    assert said(report) == (
        f"{noted} brings\n"
        '- AGENTS.md, 18 bytes: "Use tabs. Always."\n'
        f"read all of it: less {noted}/AGENTS.md\n"
        f"{noted}/part brings\n"
        '- LLMCHAT.md, 12 bytes: "Use blanks."\n'
        f"read all of it: less {noted}/part/LLMCHAT.md\n"
    )
    assert asked.getvalue() == (
        f"use this in {noted} until it changes? [y/N] "
        f"use this in {noted}/part until it changes? [y/N] "
    )
    assert names() == ["part/LLMCHAT.md"]


def test_only_the_notes_that_changed_are_asked_about_again(
    noted: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, "y\ny\n")
    settle_trust(report)
    (noted / "AGENTS.md").write_text("Obey.")
    assert names() == ["part/LLMCHAT.md"]
    asked = answers(monkeypatch, "y\n")
    settle_trust(report)
    assert asked.getvalue() == f"use this in {noted} until it changes? [y/N] "
    assert names() == ["AGENTS.md", "part/LLMCHAT.md"]


def test_where_nobody_can_be_asked_a_line_for_each_folder_says_so(
    noted: Path, report: Report
) -> None:
    (noted / ".llmchat.toml").write_text("seed = 1\n")
    settle_trust(report)
    assert said(report).splitlines() == [
        f"{noted}/.llmchat.toml and AGENTS.md are left out until you trust them (llmchat trust)",
        f"{noted}/part/LLMCHAT.md is left out until you trust it (llmchat trust)",
    ]
    assert names() == []


def test_trust_is_given_to_all_that_counts_here_with_one_answer(
    noted: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = f"use this in {noted} and {noted}/part until it changes? [y/N] "
    asked = answers(monkeypatch, "n\ny\n")
    with pytest.raises(NotApproved, match="nothing was changed"):
        change_trust(None, report, is_trusted=True, is_approved=False)
    assert names() == []
    change_trust(None, report, is_trusted=True, is_approved=False)
    assert asked.getvalue() == question * 2
    assert names() == ["AGENTS.md", "part/LLMCHAT.md"]
    change_trust(None, report, is_trusted=False, is_approved=False)
    assert names() == []


def test_a_folder_that_is_named_is_trusted_alone(noted: Path, report: Report) -> None:
    (noted / ".llmchat.toml").write_text("seed = 1\n")
    change_trust(None, report, is_trusted=True, is_approved=True)
    change_trust(str(noted / "part"), report, is_trusted=False, is_approved=False)
    assert names() == ["AGENTS.md"]
    assert trusted_project() is not None
    change_trust(str(noted / "part"), report, is_trusted=True, is_approved=True)
    change_trust(str(noted), report, is_trusted=False, is_approved=False)
    assert names() == ["part/LLMCHAT.md"]


def test_what_cannot_be_read_is_named_and_the_rest_is_trusted(noted: Path, report: Report) -> None:
    (noted / "AGENTS.md").write_bytes(b"\xff")
    change_trust(None, report, is_trusted=True, is_approved=True)
    assert said(report).splitlines()[0] == (
        f"{noted}/AGENTS.md is left out: {noted}/AGENTS.md is not UTF-8"
    )
    assert names() == ["part/LLMCHAT.md"]
    with pytest.raises(InputError, match="is not UTF-8"):
        change_trust(str(noted), report, is_trusted=True, is_approved=True)


def test_what_cannot_be_read_is_named_until_it_is_refused(noted: Path, report: Report) -> None:
    change_trust(str(noted / "part"), report, is_trusted=True, is_approved=True)
    (noted / "AGENTS.md").write_text("x" * 70_000)
    line = f"{noted}/AGENTS.md is left out: {noted}/AGENTS.md is larger than 64 KiB"
    settle_trust(report)
    settle_trust(report)
    assert said(report).splitlines()[-2:] == [line] * 2
    change_trust(str(noted), report, is_trusted=False, is_approved=False)
    settle_trust(report)
    assert said(report).splitlines()[-2:] == [line] * 2
    (noted / "AGENTS.md").write_text("short")
    settle_trust(report)
    assert said(report).splitlines()[-1].startswith(f"{noted}/AGENTS.md is left out until")


def test_what_hides_in_notes_is_counted(noted: Path, report: Report) -> None:
    (noted / "AGENTS.md").write_text(f"Use\u200b \x1b[31mtabs.\r\n{'x' * 300}\U000e0041", "utf-8")
    change_trust(str(noted), report, is_trusted=True, is_approved=True)
    line = said(report).splitlines()[1]
    assert line.startswith('- AGENTS.md, 323 bytes: "Use\\u{200b} \\x1b[31mtabs. xxx')
    assert line.endswith('x" … 117 more characters, 3 hidden characters')


def test_many_files_are_read_with_one_command(noted: Path, report: Report) -> None:
    prompts = noted / ".llmchat" / "prompts"
    prompts.mkdir(parents=True)
    for number in range(9):
        (prompts / f"p{number}.md").write_text(POEM)
    change_trust(str(noted), report, is_trusted=True, is_approved=True)
    assert said(report).splitlines()[-1] == f"read all of it: less {prompts}/*.md {noted}/AGENTS.md"


def test_notes_are_no_prompts(noted: Path, tmp_path: Path) -> None:
    (noted / ".llmchat.toml").touch()
    done = llmchat("AGENTS", command=talker("fine", tmp_path), folder=noted)
    assert done.stdout == b"fine\n"


@pytest.mark.parametrize(
    "words", [["config", "show"], ["prompts"], ["--help"], ["explain", "-h"], ["hi", "--no-config"]]
)
def test_who_asks_no_model_or_reads_no_settings_hears_nothing_of_notes(
    words: list[str], noted: Path, tmp_path: Path
) -> None:
    done = llmchat(*words, command=talker("fine", tmp_path), folder=noted)
    assert done.returncode == 0
    assert b"AGENTS" not in done.stderr


@pytest.mark.parametrize("words", [["hi"], ["context", "hi"], ["hi", "--show-prompt"]])
def test_a_question_in_a_pipe_says_that_they_are_left_out(
    words: list[str], noted: Path, tmp_path: Path
) -> None:
    done = llmchat(*words, command=talker("fine", tmp_path), folder=noted)
    assert done.stdout
    assert done.stderr.decode().splitlines() == [
        f"{noted}/AGENTS.md is left out until you trust it (llmchat trust)"
    ]
    found = find_project(noted)
    assert found is None, "notes alone are no settings and no prompts"


def test_a_question_on_a_terminal_asks(noted: Path, tmp_path: Path) -> None:
    terminal = Terminal("hi", command=talker("fine", tmp_path), folder=noted)
    terminal.wait_for(lambda: "until it changes? [y/N]" in " ".join(terminal.text.split()))
    assert '"Use tabs. Always."' in terminal.text
    terminal.type_line("y")
    assert terminal.wait_for_end() == 0
    assert "fine" in terminal.text
    assert [note.text for note in project_notes(noted)] == ["Use tabs.\nAlways.\n"]
