"""Changes as an attachment: which, of what, and that a repository cannot make git run anything."""

import os
import subprocess
from pathlib import Path

import pytest

from assistant.attachments.git_changes import Changes, read_changes
from assistant.attachments.mentions import read_mentions
from assistant.errors import InputError


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With one commit, of a.py."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "repo"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "-q")
    git("config", "user.email", "a@example.org")
    git("config", "user.name", "A")
    Path("a.py").write_text("one\n")
    git("add", "a.py")
    git("commit", "-q", "-m", "first")
    return folder


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def refusal(which: Changes = Changes.UNCOMMITTED, max_bytes: int = 1 << 20) -> InputError:
    with pytest.raises(InputError) as caught:
        read_changes(which, max_bytes)
    assert "\n" not in caught.value.message + caught.value.hint
    assert caught.value.hint
    return caught.value


def test_uncommitted_changes_are_those_of_the_index_and_of_the_files() -> None:
    Path("b.py").write_text("new\n")
    git("add", "b.py")
    Path("a.py").write_text("two\n")
    (attachment,) = read_changes(Changes.UNCOMMITTED).attachments
    assert attachment.name == "git diff HEAD"
    assert attachment.language == "diff"
    assert "-one\n+two\n" in attachment.text
    assert "+new\n" in attachment.text


def test_staged_changes_are_those_of_the_index_alone() -> None:
    Path("b.py").write_text("new\n")
    git("add", "b.py")
    Path("a.py").write_text("two\n")
    (attachment,) = read_changes(Changes.STAGED).attachments
    assert attachment.name == "git diff --staged"
    assert "+new\n" in attachment.text
    assert "two" not in attachment.text


def test_files_that_git_does_not_know_are_counted() -> None:
    Path("a.py").write_text("two\n")
    Path("c.py").write_text("1")
    assert read_changes(Changes.UNCOMMITTED).notices == ("git diff HEAD: 1 new file is not in it",)
    assert read_changes(Changes.UNCOMMITTED).attachments[0].text.count("diff --git") == 1


def test_nothing_changed_is_said() -> None:
    assert refusal().message == "git diff HEAD is empty: nothing has changed"
    Path("c.py").write_text("1")
    Path("d.py").write_text("1")
    assert refusal().message == "git diff HEAD is empty: 2 new files are not in it"
    assert refusal(Changes.STAGED).message == "git diff --staged is empty: nothing has changed"


def test_before_the_first_commit_everything_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    git("init", "-q")
    Path("a.py").write_text("one\n")
    git("add", "a.py")
    assert "+one\n" in read_changes(Changes.UNCOMMITTED).attachments[0].text
    assert "+one\n" in read_changes(Changes.STAGED).attachments[0].text


def test_changes_are_those_of_the_whole_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.py").write_text("two\n")
    Path("inner").mkdir()
    monkeypatch.chdir("inner")
    assert "+two\n" in read_changes(Changes.UNCOMMITTED).attachments[0].text


def test_names_and_text_of_any_script_stay_readable() -> None:
    Path("漢字.py").write_text("é\n")
    git("add", "漢字.py")
    assert "+++ b/漢字.py" in read_changes(Changes.STAGED).attachments[0].text
    git("config", "diff.noprefix", "true")
    git("config", "color.ui", "always")
    text = read_changes(Changes.STAGED).attachments[0].text
    assert "+++ b/漢字.py" in text
    assert "\x1b" not in text


def test_too_many_changes_are_refused() -> None:
    Path("a.py").write_text("x" * 5_000)
    assert "is larger than" in refusal(max_bytes=4_000).message


def test_outside_of_a_repository_git_s_own_words_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert "not a git repository" in refusal().message


def test_without_git_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal().message == "there is no git"


def test_a_mention_attaches_changes_under_their_command() -> None:
    Path("a.py").write_text("two\n")
    read = read_mentions("review @diff, and @a.py")
    assert read.text == "review git diff HEAD, and a.py"
    assert [one.name for one in read.attachments] == ["a.py", "git diff HEAD"]


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that leaves a file behind when it is run."""
    script = tmp_path / "trap.sh"
    script.write_text(f"#!/bin/sh\necho ran >> {tmp_path / 'sprung'}\ncat\n")
    script.chmod(0o755)
    return script


SETTINGS = {
    "fsmonitor": [("core.fsmonitor", "{trap}")],
    "external diff": [("diff.external", "{trap}")],
    "diff driver": [("diff.x.command", "{trap}")],
    "textconv": [("diff.x.textconv", "{trap}")],
    "clean filter": [("filter.x.clean", "{trap}")],
    "required filter": [("filter.x.clean", "{trap}"), ("filter.x.required", "true")],
    "filter process": [("filter.x.process", "{trap}")],
    "hooks": [("core.hooksPath", "{hooks}")],
    "pager": [("core.pager", "{trap}"), ("pager.diff", "{trap}")],
    "included": [("include.path", "{included}")],
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_nothing_of_a_repository_is_run(
    settings: list[tuple[str, str]], trap: Path, tmp_path: Path
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "fsmonitor-watchman"):
        os.link(trap, hooks / name)
    included = tmp_path / "included"
    included.write_text(f'[filter "x"]\n\tclean = {trap}\n[core]\n\tfsmonitor = {trap}\n')
    Path(".gitattributes").write_text("*.py filter=x diff=x\n")
    for key, value in settings:
        git("config", key, value.format(trap=trap, hooks=hooks, included=included))
    Path("a.py").write_text("two\n")
    assert "+two" in read_changes(Changes.UNCOMMITTED).attachments[0].text
    assert not (tmp_path / "sprung").exists()
    subprocess.run(["git", "-P", "status"], check=False, capture_output=True)
    subprocess.run(["git", "-P", "diff", "HEAD"], check=False, capture_output=True)
    # The trap would have sprung, but for those that need a terminal or another version of git.
    if settings[0][0] not in ("core.pager", "core.hooksPath"):
        assert (tmp_path / "sprung").exists()


def test_the_user_s_own_filters_go_on_working(trap: Path, tmp_path: Path) -> None:
    git("config", "--global", "filter.x.clean", f"{trap}")
    Path(".gitattributes").write_text("*.py filter=x\n")
    Path("a.py").write_text("two\n")
    assert "+two" in read_changes(Changes.UNCOMMITTED).attachments[0].text
    assert (tmp_path / "sprung").exists()


def test_a_filter_with_a_name_that_hides_is_refused(trap: Path, tmp_path: Path) -> None:
    git("config", "filter.a=b.clean", str(trap))
    Path(".gitattributes").write_text("*.py filter=a=b\n")
    Path("a.py").write_text("two\n")
    assert refusal().message == "a filter of this repository has an odd name"
    assert not (tmp_path / "sprung").exists()


def test_a_repository_that_claims_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.py").write_text("secret\n")
    git("config", "core.worktree", str(tmp_path / "elsewhere"))
    assert "belongs to" in refusal().message
