"""Trust: which project is found, that any change asks again, and that answers are kept."""

import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant import paths, trust
from assistant.errors import AssistantError, InputError
from assistant.safe_files import locked
from assistant.trust import (
    Project,
    decision,
    decisions_problem,
    find_project,
    remember,
    trust_file,
    trusted_project,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository that brings settings and two prompts."""
    place = tmp_path / "work"
    (place / ".git").mkdir(parents=True)
    (place / ".llmchat" / "prompts").mkdir(parents=True)
    (place / ".llmchat.toml").write_text("seed = 1\n")
    (place / ".llmchat" / "prompts" / "review.md").write_text("review")
    (place / ".llmchat" / "prompts" / "test.md").write_text("test")
    return place


def found(start: Path) -> Project:
    project = find_project(start)
    assert project is not None
    return project


# ── finding ─────────────────────────────────────────────────────────────────────────────────


def test_a_project_is_found_from_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = folder / "src" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    project = find_project()
    assert project == found(folder)
    assert project == found(below)
    assert project is not None
    assert project.folder == folder
    assert project.settings_file == folder / ".llmchat.toml"
    assert project.prompts_folder == folder / ".llmchat" / "prompts"
    assert [file.name for file in project.files] == [".llmchat.toml", "review.md", "test.md"]


def test_the_nearest_project_counts(folder: Path) -> None:
    nearer = folder / "part"
    (nearer / ".llmchat" / "prompts").mkdir(parents=True)
    assert found(nearer).folder == folder
    (nearer / ".llmchat" / "prompts" / "a.md").touch()
    assert found(nearer).folder == nearer
    assert found(nearer).settings_file is None


def test_nothing_above_a_repository_is_looked_at(folder: Path) -> None:
    inner = folder / "vendored"
    (inner / "src").mkdir(parents=True)
    assert found(inner / "src").folder == folder
    (inner / ".git").write_text("gitdir: elsewhere")  # as in a worktree
    assert find_project(inner / "src") is None
    (inner / ".llmchat.toml").touch()
    assert found(inner / "src").folder == inner


def test_what_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".llmchat.toml").mkdir()
    (tmp_path / ".llmchat" / "prompts" / "folder.md").mkdir(parents=True)
    (tmp_path / ".llmchat" / "prompts" / "notes.txt").touch()
    os.mkfifo(tmp_path / ".llmchat" / "prompts" / "pipe.md")
    assert find_project(tmp_path) is None
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find_project() is None


# ── what counts as a change ─────────────────────────────────────────────────────────────────

CHANGES: dict[str, Callable[[Path], object]] = {
    "settings": lambda folder: (folder / ".llmchat.toml").write_text("seed = 2\n"),
    "no settings": lambda folder: (folder / ".llmchat.toml").unlink(),
    "a prompt": lambda folder: (folder / ".llmchat/prompts/review.md").write_text("obey"),
    "a new prompt": lambda folder: (folder / ".llmchat/prompts/new.md").touch(),
    "another name": lambda folder: (folder / ".llmchat/prompts/test.md").rename(
        folder / ".llmchat/prompts/ask.md"
    ),
    "text in another file": lambda folder: [
        (folder / ".llmchat/prompts/review.md").write_text("reviewtest"),
        (folder / ".llmchat/prompts/test.md").write_text(""),
    ],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_asks_again(folder: Path, change: Callable[[Path], object]) -> None:
    before = found(folder)
    assert decision(before) is None
    assert trusted_project(folder) is None
    remember(before, is_trusted=True)
    assert trusted_project(folder) == before
    change(folder)
    assert decision(found(folder)) is None
    assert trusted_project(folder) is None
    remember(found(folder), is_trusted=False)
    assert decision(found(folder)) is False
    assert decision(before) is True  # an answer for each content


def test_an_answer_can_be_changed(folder: Path) -> None:
    for answer in (True, False, True):
        remember(found(folder), is_trusted=answer)
        assert decision(found(folder)) is answer
    assert len(tomllib.loads(trust_file().read_text())["project"]) == 1


def test_the_same_files_elsewhere_are_another_project(folder: Path, tmp_path: Path) -> None:
    remember(found(folder), is_trusted=True)
    folder.rename(tmp_path / "elsewhere")
    assert found(tmp_path / "elsewhere").content_hash
    assert decision(found(tmp_path / "elsewhere")) is None


@pytest.mark.parametrize(
    "name", ['a"b', "a\\b", "a\nb", "a\x7fb\x1b[31m", "日本 \U0001f600", b"\xff\\udcff"]
)
def test_folders_with_odd_names(name: str | bytes, tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(name)
    place.mkdir()
    (place / ".llmchat.toml").touch()
    remember(found(place), is_trusted=True)
    assert trusted_project(place) is not None
    assert decisions_problem() == ""


def test_a_name_cannot_look_like_another(tmp_path: Path) -> None:
    for name in (b"\xff", b"\\udcff"):
        place = tmp_path / os.fsdecode(name)
        place.mkdir()
        (place / ".llmchat.toml").touch()
    remember(found(tmp_path / os.fsdecode(b"\xff")), is_trusted=True)
    assert decision(found(tmp_path / "\\udcff")) is None


# ── what can never be trusted ───────────────────────────────────────────────────────────────


def refuses(folder: Path, reason: str) -> None:
    project = found(folder)
    assert reason in project.problem
    assert decision(project) is False
    assert trusted_project(folder) is None
    with pytest.raises(InputError):
        remember(project, is_trusted=True)


def test_links_out_of_the_project_are_refused(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.md").write_text("secret")
    (folder / ".llmchat.toml").unlink()
    (folder / ".llmchat.toml").symlink_to(outside / "a.md")
    refuses(folder, f"is a link to {outside / 'a.md'}, outside of the project")
    (folder / ".llmchat.toml").unlink()
    (folder / ".llmchat").rename(folder / "moved")
    (folder / ".llmchat").mkdir()
    (folder / ".llmchat" / "prompts").symlink_to(outside)
    refuses(folder, "outside of the project")
    (folder / ".llmchat" / "prompts").unlink()
    (folder / ".llmchat" / "prompts").symlink_to(folder / "moved" / "prompts")
    assert found(folder).problem == ""


def test_large_and_many_files_are_refused(folder: Path) -> None:
    prompts = folder / ".llmchat" / "prompts"
    for number in range(98):
        (prompts / f"{number}.md").touch()
    assert found(folder).problem == ""
    (prompts / "one-more.md").touch()
    refuses(folder, f"{prompts} has more than 100 prompts")
    (prompts / "one-more.md").unlink()
    (prompts / "0.md").write_bytes(b"x" * (64 << 10))
    assert found(folder).problem == ""
    (prompts / "0.md").write_bytes(b"x" * ((64 << 10) + 1))
    refuses(folder, f"{prompts / '0.md'} is larger than 64 KiB")


def test_files_that_cannot_be_read_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    refuses(folder, f"{folder / '.llmchat.toml'} cannot be read: Permission denied")


# ── keeping the answers ─────────────────────────────────────────────────────────────────────


def test_only_the_user_may_read_the_answers(folder: Path) -> None:
    assert trust_file() == paths.state_folder() / "trust.toml"
    remember(found(folder), is_trusted=True)
    assert stat.S_IMODE(trust_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(trust_file().parent.stat().st_mode) == 0o700


def test_the_oldest_answers_are_dropped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "MAX_DECISIONS", 3)
    projects = []
    for number in range(5):
        (folder / ".llmchat.toml").write_text(f"seed = {number}")
        projects.append(found(folder))
        remember(projects[-1], is_trusted=True)
        remember(projects[0], is_trusted=True)  # used again: not the oldest
    assert [decision(project) for project in projects] == [True, None, None, True, True]


@pytest.mark.parametrize(
    "broken",
    [
        b"not TOML",
        b"\xff",
        b"project = 1",
        b"project = [1]",
        b"[[project]]",
        b'[[project]]\nfolder = []\ncontent = "x"\nis_trusted = true',
    ],
)
def test_broken_answers_are_moved_aside(folder: Path, broken: bytes) -> None:
    trust_file().parent.mkdir()
    trust_file().write_bytes(broken)
    assert decision(found(folder)) is None
    assert str(trust_file()) in decisions_problem()
    remember(found(folder), is_trusted=True)
    assert decision(found(folder)) is True
    assert decisions_problem() == ""
    assert trust_file().with_suffix(".broken").read_bytes() == broken


def test_only_true_is_a_yes(folder: Path) -> None:
    remember(found(folder), is_trusted=True)
    trust_file().write_text(trust_file().read_text().replace("= true", '= "false"'))
    assert decision(found(folder)) is False


def test_answers_of_somebody_else_do_not_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(found(folder), is_trusted=True)
    monkeypatch.setattr(os, "getuid", lambda: trust_file().stat().st_uid + 1)
    assert decision(found(folder)) is None
    assert decisions_problem() == f"{trust_file()} belongs to somebody else"


def test_an_answer_that_cannot_be_kept_does_not_count(
    folder: Path, private_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (private_home / "state").touch()  # no folder can be made here
    with pytest.raises(AssistantError) as caught:
        remember(found(folder), is_trusted=True)
    assert "cannot be written" in caught.value.message
    assert decision(found(folder)) is None
    (private_home / "state").unlink()
    remember(found(folder), is_trusted=False)
    assert decision(found(folder)) is False


def test_answers_given_at_the_same_time_are_all_kept(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom assistant.trust import find_project, remember\n"
        "for n in range(10):\n"
        "    folder = Path(sys.argv[1] + str(n))\n"
        "    folder.mkdir()\n"
        "    (folder / '.llmchat.toml').write_text('seed = 1')\n"
        "    remember(find_project(folder), is_trusted=True)\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name)]) for name in "abc"
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len(tomllib.loads(trust_file().read_text())["project"]) == 30


def test_an_answer_waits_for_another_one_and_gives_up_in_the_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "LOCK_SECONDS", 0.05)
    lock = paths.writable(paths.state_folder()) / "trust.lock"
    with locked(lock, 0), pytest.raises(AssistantError, match="another llmchat") as caught:
        remember(found(folder), is_trusted=True)
    assert caught.value.hint == f"see who: fuser {lock}"
    assert decision(found(folder)) is None
