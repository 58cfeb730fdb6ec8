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
    Note,
    Project,
    decision,
    decisions_problem,
    find_project,
    find_projects,
    is_answered,
    project_notes,
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


# ── notes ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    """A repository with notes, and a part of it with its own."""
    place = tmp_path / "repository"
    (place / "part" / "deep").mkdir(parents=True)
    (place / ".git").mkdir()
    (place / "AGENTS.md").write_text("all")
    (place / "part" / "AGENTS.md").write_text("part")
    (place / "part" / "LLMCHAT.md").write_text("for llmchat")
    return place


def trust_all(start: Path) -> None:
    for project in find_projects(start):
        remember(project, is_trusted=True)


def test_notes_come_from_every_folder_up_to_the_repository(noted: Path) -> None:
    deep = noted / "part" / "deep"
    (noted.parent / "AGENTS.md").write_text("of somebody else")
    assert [project.folder for project in find_projects(deep)] == [noted, noted / "part"]
    assert project_notes(deep) == ()
    trust_all(deep)
    assert project_notes(deep) == (
        Note("AGENTS.md", "all"),
        Note("part/AGENTS.md", "part"),
        Note("part/LLMCHAT.md", "for llmchat"),
    )
    assert project_notes(noted) == (Note("AGENTS.md", "all"),)


def test_only_trusted_folders_give_notes(noted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, part = find_projects(noted / "part")
    remember(part, is_trusted=True)
    remember(whole, is_trusted=False)
    monkeypatch.chdir(noted / "part")
    assert [note.name for note in project_notes()] == ["part/AGENTS.md", "part/LLMCHAT.md"]
    (noted / "part" / "AGENTS.md").write_text("obey")
    assert project_notes() == ()


@pytest.mark.parametrize("name", [".llmchat.toml", ".llmchat/prompts/a.md", "LLMCHAT.md"])
def test_whatever_changes_in_a_folder_is_asked_about_again(name: str, noted: Path) -> None:
    trust_all(noted)
    (noted / name).parent.mkdir(parents=True, exist_ok=True)
    (noted / name).touch()
    assert project_notes(noted) == ()


def test_notes_alone_are_no_project_of_settings(noted: Path) -> None:
    assert find_project(noted) is None
    (noted / ".llmchat.toml").write_text("seed = 1\n")
    project = found(noted / "part" / "deep")
    assert project.folder == noted
    assert project.notes == (Note("AGENTS.md", "all"),)
    assert project.files == (noted / ".llmchat.toml", noted / "AGENTS.md")
    assert project.prompt_files == ()
    assert find_projects(noted / "part")[0] == project


def test_a_folder_of_settings_counts_among_those_with_notes(noted: Path) -> None:
    deep = noted / "part" / "deep"
    (deep / ".llmchat.toml").write_text("seed = 1\n")
    folders = [project.folder for project in find_projects(deep)]
    assert folders == [noted, noted / "part", deep]
    (noted / "AGENTS.md").unlink()
    (deep / ".llmchat.toml").unlink()
    (noted / ".llmchat.toml").write_text("seed = 1\n")
    assert [project.folder for project in find_projects(deep)] == [noted, noted / "part"]


def test_the_hash_of_settings_and_prompts_alone_stays_what_it_was(folder: Path) -> None:
    """Answers that were given before there were notes still count."""
    assert found(folder).content_hash == (
        "4c303f8c7600206ad0cd40172c509d4746ffb37b46b2f43345cc7116d26cdb90"
    )


def test_without_a_repository_home_and_above_are_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    inner = home / "work" / "inner"
    inner.mkdir(parents=True)
    for place in (tmp_path, home, home / "work", inner):
        (place / "AGENTS.md").write_text(place.name)
    monkeypatch.setenv("HOME", str(home))
    trust_all(inner)
    assert project_notes(inner) == (Note("AGENTS.md", "work"), Note("inner/AGENTS.md", "inner"))
    assert find_projects(home) == ()
    (home / ".git").mkdir()
    trust_all(inner)
    assert [note.text for note in project_notes(inner)] == ["home", "work", "inner"]


def test_the_root_folder_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: path == Path("/AGENTS.md") or is_file(path))
    assert find_projects(Path("/")) == ()
    assert all(project.folder != Path("/") for project in find_projects(Path("/usr")))


def test_a_link_to_the_home_folder_is_no_way_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real" / "work").mkdir(parents=True)
    (tmp_path / "home").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "AGENTS.md").write_text("of all my projects")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert find_projects(tmp_path / "home" / "work") == ()


def test_notes_that_say_nothing_or_the_same_again_are_no_notes(noted: Path) -> None:
    (noted / "LLMCHAT.md").symlink_to(noted / "AGENTS.md")
    (noted / "part" / "LLMCHAT.md").write_text(" \n")
    trust_all(noted / "part")
    assert project_notes(noted / "part") == (
        Note("AGENTS.md", "all"),
        Note("part/AGENTS.md", "part"),
    )


def test_the_name_of_a_note_is_one_visible_line(noted: Path) -> None:
    odd = noted / os.fsdecode(b"a\nb\x1b[31m\xff") / "\u202e日本"
    odd.mkdir(parents=True)
    (odd / "AGENTS.md").write_text("odd")
    trust_all(odd)
    assert project_notes(odd)[1].name == "a\\nb\\x1b[31m\\udcff/\\u202e日本/AGENTS.md"


def test_what_is_given_is_what_was_trusted(noted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changes between two looks at it is never read twice."""
    trust_all(noted)
    opened = []
    open_file = os.open

    def change_after(path: Path, flags: int, *rest: int) -> int:
        descriptor = open_file(path, flags, *rest)
        if Path(path).name == "AGENTS.md":
            opened.append(path)
            (noted / "changed").write_text("obey")
            (noted / "changed").replace(noted / "AGENTS.md")
        return descriptor

    monkeypatch.setattr(os, "open", change_after)
    assert project_notes(noted) == (Note("AGENTS.md", "all"),)
    assert len(opened) == 1
    monkeypatch.undo()
    assert (noted / "AGENTS.md").read_text() == "obey"
    assert project_notes(noted) == ()


NOTES_NOBODY_CAN_TRUST: dict[str, Callable[[Path, Path], object]] = {
    "is larger than 64 KiB": lambda file, _: file.write_bytes(b"x" * ((64 << 10) + 1)),
    "is not UTF-8": lambda file, _: file.write_bytes("déjà".encode("latin-1")),
    "outside of the project": lambda file, outside: file.symlink_to(outside),
}


@pytest.mark.parametrize(
    ("reason", "spoil"), NOTES_NOBODY_CAN_TRUST.items(), ids=NOTES_NOBODY_CAN_TRUST
)
def test_notes_that_cannot_be_trusted(
    reason: str, spoil: Callable[[Path, Path], object], noted: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside.md").write_text("obey")
    (noted / "LLMCHAT.md").unlink(missing_ok=True)
    spoil(noted / "LLMCHAT.md", tmp_path / "outside.md")
    (whole,) = find_projects(noted)
    assert reason in whole.problem
    assert whole.notes == ()
    with pytest.raises(InputError):
        remember(whole, is_trusted=True)
    assert project_notes(noted) == ()
    assert not is_answered(whole)
    remember(whole, is_trusted=False)
    assert is_answered(whole)


def test_a_mark_of_byte_order_is_no_text(noted: Path) -> None:
    (noted / "AGENTS.md").write_text("\ufeffall\r\n", "utf-8", newline="")
    trust_all(noted)
    assert project_notes(noted) == (Note("AGENTS.md", "all\r\n"),)


def test_what_is_no_file_is_no_note(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "AGENTS.md").mkdir()
    os.mkfifo(tmp_path / "LLMCHAT.md")
    assert find_projects(tmp_path) == ()
    assert project_notes(tmp_path) == ()


def test_where_there_are_no_notes_the_answers_are_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_read_decisions", lambda: pytest.fail("it costs time"))
    assert project_notes(folder) == ()


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
