"""Folders that cannot be written or are open to all, disks that are full, programs not there."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import planted
import pytest

from assistant import paths
from assistant.doctor.check import Status
from assistant.doctor.folders import check_folder, folder_checks
from assistant.doctor.programs import check_editor, check_git
from assistant.doctor.python import check_python


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of whoever runs the tests may be nearly full."""
    free_bytes(monkeypatch, 50 * planted.GIB)


def free_bytes(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=free, total=free))


def test_folders_that_are_not_there_yet_are_well_and_not_made(private_home: Path) -> None:
    found = list(folder_checks())
    assert [check.name for check in found] == [f"{kind} folder" for kind in paths.KINDS]
    assert {check.status for check in found} == {Status.OK}
    assert "made when it is needed" in found[0].says
    assert list(private_home.iterdir()) == []


def test_a_private_folder_is_well(private_home: Path) -> None:
    folder = paths.writable(paths.data_folder())
    found = check_folder("data", folder)
    assert (found.status, found.says) == (Status.OK, f"{folder}, 53.7 GB free")
    assert list(folder.iterdir()) == []


def test_what_is_used_instead_of_an_unusable_folder_is_said(
    private_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (private_home / "data").write_text("a file in its place")
    found = check_folder("data", paths.data_folder())
    assert found.status is Status.WARNING
    assert "cannot be written (Not a directory)" in found.says
    assert f"{tmp_path}/llmchat-" in found.says
    assert "LLMCHAT_HOME" in found.hint


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_file_system_that_takes_no_files_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMCHAT_HOME", "/proc/llmchat")
    assert check_folder("data", paths.data_folder()).status is Status.WARNING


def test_nothing_to_write_at_all_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, private_home: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "no" / "folder"))
    (tmp_path / "no").write_text("a file in its place")
    (private_home / "data").write_text("a file in its place")
    assert check_folder("data", paths.data_folder()).status is Status.FAILED


def test_a_folder_that_others_can_read_is_a_warning(private_home: Path) -> None:
    folder = paths.writable(paths.data_folder())
    folder.chmod(0o755)
    found = check_folder("data", folder)
    assert (found.status, "mode 0755" in found.says) == (Status.WARNING, True)
    assert found.hint == f"chmod 700 {folder}"


def test_a_full_disk_is_a_warning_but_not_for_sockets(
    private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_bytes(monkeypatch, planted.GIB - 1)
    by_name = {check.name: check for check in folder_checks()}
    assert by_name["data folder"].status is Status.WARNING
    assert "only 1.1 GB are free" in by_name["data folder"].says
    assert by_name["runtime folder"].status is Status.OK


# ── programs ────────────────────────────────────────────────────────────────────────────────


def test_git_is_found_with_its_version(tmp_path: Path) -> None:
    planted.script(tmp_path / "git", "echo git version 2.1")
    found = check_git({"PATH": str(tmp_path)})
    assert (found.status, found.says) == (Status.OK, f"2.1, {tmp_path}/git")


def test_no_git_or_a_broken_one_is_a_warning(tmp_path: Path) -> None:
    assert check_git({"PATH": str(tmp_path)}).hint == "install git"
    planted.script(tmp_path / "git", "exit 1")
    found = check_git({"PATH": str(tmp_path)})
    assert (found.status, "does not work" in found.says) == (Status.WARNING, True)


def test_the_users_editor_is_found_behind_its_options(tmp_path: Path) -> None:
    planted.script(tmp_path / "mine", "")
    found = check_editor({"PATH": str(tmp_path), "VISUAL": "mine --wait", "EDITOR": "other"})
    assert (found.status, found.says) == (Status.OK, "mine --wait (VISUAL)")


@pytest.mark.parametrize("value", ["other", "'other"])
def test_an_editor_that_is_not_there_is_a_warning(tmp_path: Path, value: str) -> None:
    found = check_editor({"PATH": str(tmp_path), "EDITOR": value})
    assert (found.status, found.hint) == (Status.WARNING, "export EDITOR=nano")


def test_without_a_variable_a_usual_editor_is_taken(tmp_path: Path) -> None:
    assert check_editor({"PATH": str(tmp_path)}).status is Status.WARNING
    planted.script(tmp_path / "vi", "")
    assert check_editor({"PATH": str(tmp_path)}).says.startswith("vi, ")


# ── Python ──────────────────────────────────────────────────────────────────────────────────


def test_this_python_is_well() -> None:
    assert check_python().status is Status.OK


@pytest.mark.parametrize(
    ("version", "largest", "said"),
    [((3, 10, 4), 2**63 - 1, "3.10.4 is too old"), ((3, 12, 0), 2**31 - 1, "32 bits")],
)
def test_an_old_or_small_python_fails(version: tuple[int, ...], largest: int, said: str) -> None:
    found = check_python(version, largest, "/usr/bin/python")
    assert found.status is Status.FAILED
    assert said in found.says


def test_git_of_this_machine_is_found() -> None:
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    import os

    assert check_git(os.environ).status is Status.OK
