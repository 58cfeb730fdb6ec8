"""Trust on the command line: what is shown before the question, and who is asked."""

import io
import sys
from pathlib import Path

import pytest
from command_line import run_command

from assistant.cli.report import Report
from assistant.cli.trust_command import change_trust, settle_trust
from assistant.errors import InputError, NotApproved, UsageError
from assistant.trust import decision, find_project, trust_file, trusted_project

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
        f"{project}/.llmchat.toml is left out until you trust it (llmchat trust)\n"
    )
    assert not trust_file().exists()
    (project / ".llmchat.toml").unlink()
    settle_trust(report)
    assert said(report).splitlines()[1].startswith(f"{project}/.llmchat/prompts is left out")


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
        f"{project}: its settings and prompts are left out: "
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
        str(empty): f"{empty} has no settings or prompts to trust",
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
