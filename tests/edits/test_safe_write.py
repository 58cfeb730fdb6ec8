"""Writing a file: all of it or nothing, whatever goes wrong, and as it was in all else."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from edit_words import attached, fenced, one_line

from assistant import paths, safe_files
from assistant.edits.proposal import Proposal, propose_change, propose_file
from assistant.edits.safe_write import write_proposal
from assistant.edits.undo import Outcome, list_writes, undo_last
from assistant.errors import InputError

OLD, NEW = b"old\n", b"new\n"


def proposal(path: Path, new: bytes = NEW) -> Proposal:
    return Proposal(path, path.name, path.read_bytes() if path.exists() else None, new, "utf-8")


def written(path: Path, old: bytes = OLD) -> Path:
    path.write_bytes(old)
    return path


def refusal(proposed: Proposal) -> str:
    """Why it was not written, having left nothing behind."""
    folder, remembered = proposed.path.parent, list_writes()
    before = sorted(folder.iterdir()) if folder.is_dir() else []
    with pytest.raises(InputError) as caught:
        write_proposal(proposed)
    assert before == (sorted(folder.iterdir()) if folder.is_dir() else [])
    assert list_writes() == remembered
    return one_line(caught.value)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_proposed_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    proposed = propose_change(attached(path, b"a = 1\r\n"), fenced("a = 2\n"))
    assert write_proposal(proposed) == ""
    assert path.read_bytes() == b"a = 2\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_unchanged_is_not_written(tmp_path: Path) -> None:
    path = written(tmp_path / "x")
    before = path.stat()
    write_proposal(proposal(path, OLD))
    assert path.stat() == before
    assert list_writes() == []


@pytest.mark.parametrize("bits", [0o755, 0o600, 0o664, 0o4755])
def test_permissions_owner_and_attributes_stay(tmp_path: Path, bits: int) -> None:
    path = written(tmp_path / "x")
    if os.getuid() == 0:
        os.chown(path, 12, 34)
    path.chmod(bits)
    has_attributes = True
    try:
        os.setxattr(path, "user.note", b"mine")
    except (AttributeError, OSError):
        has_attributes = False
    before = path.stat()
    write_proposal(proposal(path))
    after = path.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    assert not has_attributes or os.getxattr(path, "user.note") == b"mine"


def test_a_new_file_gets_the_permissions_of_new_files(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_proposal(propose_file(str(tmp_path / "x"), "code"))
    finally:
        os.umask(previous)
    assert mode(tmp_path / "x") == 0o640


def test_behind_a_symbolic_link_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target = written(tmp_path / "there/x")
    link, dangling = tmp_path / "link", tmp_path / "dangling"
    link.symlink_to("there/x")
    dangling.symlink_to("there/new")
    write_proposal(proposal(link))
    write_proposal(propose_file(str(dangling), "code"))
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert (target.read_bytes(), (tmp_path / "there/new").read_bytes()) == (NEW, b"code\n")
    assert undo_last().outcome is Outcome.REMOVED
    assert undo_last().outcome is Outcome.RESTORED
    assert (target.read_bytes(), link.is_symlink(), dangling.is_symlink()) == (OLD, True, True)


def test_a_file_that_has_changed_since_it_was_read_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "x")
    proposed = proposal(path)
    path.write_bytes(b"somebody else's\n")
    assert "has changed meanwhile" in refusal(proposed)
    assert path.read_bytes() == b"somebody else's\n"
    new = proposal(tmp_path / "new")
    written(tmp_path / "new")
    assert "has appeared meanwhile" in refusal(new)
    path.unlink()
    assert "has changed meanwhile" in refusal(proposed)


def test_a_change_in_the_last_moment_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "x")
    write = safe_files.write_synced

    def write_while_somebody_saves(file: Path, data: bytes, *rest: object) -> None:
        write(file, data, *rest)  # type: ignore[arg-type]  # passed on
        path.write_bytes(b"saved\n")

    proposed = proposal(path)
    monkeypatch.setattr(safe_files, "write_synced", write_while_somebody_saves)
    assert "has changed meanwhile" in refusal(proposed)
    assert path.read_bytes() == b"saved\n"


def test_what_became_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path = written(tmp_path / "folder/x")
    proposed = proposal(path)
    path.unlink()
    path.mkdir()
    assert "is a folder" in refusal(proposed)
    path.rmdir()
    path.parent.rmdir()
    assert "has changed meanwhile" in refusal(proposed)
    gone = Proposal(path, "x", None, NEW, "utf-8")
    assert "x cannot be written: No such file" in refusal(gone)


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """For root everything can be written; what is below `folder` belongs to nobody meanwhile."""
    if os.getuid() != 0:
        yield
        return
    for place in (folder, *folder.rglob("*")):
        os.chown(place, 65_534, 65_534)
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_or_folder_that_may_not_be_written_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory() as name:  # nobody may not enter the folder of the tests
        folder = Path(name)
        path = written(folder / "x")
        (folder / "home").mkdir()
        monkeypatch.setenv("LLMCHAT_HOME", str(folder / "home"))
        with as_nobody(folder):
            path.chmod(0o444)
            assert "x cannot be written: Permission denied" in refusal(proposal(path))
            path.chmod(0o664)
            folder.chmod(0o555)
            assert "x cannot be written: Permission denied" in refusal(proposal(path))
            folder.chmod(0o755)
            assert path.read_bytes() == OLD
            write_proposal(proposal(path))
        assert path.read_bytes() == NEW
        # Where the old group cannot be given, the new one may do no more than everybody.
        assert mode(path) == (0o644 if os.getuid() == 0 else 0o664)


# ── a full disk, and a process that dies ────────────────────────────────────────────────────

CHILD = """
import os, resource, sys
from pathlib import Path
from assistant import safe_files
from assistant.edits import undo_journal
from assistant.edits.proposal import Proposal
from assistant.edits.safe_write import write_proposal
from assistant.errors import InputError

def kill(*_args, **_named):
    os._exit(9)

path, new = Path(sys.argv[1]), b"new" * 10_000
proposal = Proposal(path, "x", path.read_bytes(), new, "utf-8")
exec(sys.argv[2])
try:
    write_proposal(proposal)
except InputError as err:
    print(err.message)
"""


def in_a_child(path: Path, before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(path), before],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_limit_on_file_sizes_leaves_the_old_file(tmp_path: Path) -> None:
    path = written(tmp_path / "x")
    done = in_a_child(path, "resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))")
    assert done.stdout == "x cannot be written: File too large\n", done.stderr
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]
    assert list_writes() == []


def test_without_room_for_the_old_content_nothing_is_written(tmp_path: Path) -> None:
    path = written(tmp_path / "x", OLD * 5_000)
    done = in_a_child(path, "resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))")
    assert "the old one cannot be kept for undo: File too large" in done.stdout, done.stderr
    assert path.read_bytes() == OLD * 5_000
    assert list_writes() == []
    assert [file.name for file in (paths.state_folder() / "undo").iterdir()] == ["lock"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk, and not everywhere")
    try:
        path = written(disk / "x")
        message = refusal(proposal(path, bytes(100_000)))
        assert message == "x cannot be written: No space left on device"
        assert path.read_bytes() == OLD
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("step", "is_new"),
    [
        ("undo_journal.write_synced = kill", False),
        ("undo_journal.sync_folder = kill", False),
        ("safe_files._resemble = kill", False),
        ("os.replace = kill", False),
        ("safe_files.sync_folder = kill", True),
        ("undo_journal.UndoJournal.drop_oldest = kill", True),
    ],
)
def test_a_process_killed_at_any_step_leaves_the_old_or_the_new_file(
    tmp_path: Path, step: str, is_new: bool
) -> None:
    path = written(tmp_path / "x")
    path.chmod(0o640)
    assert in_a_child(path, step).returncode == 9
    assert path.read_bytes() == (b"new" * 10_000 if is_new else OLD)
    assert mode(path) == 0o640
    for entry in list_writes():
        assert undo_last().outcome is (Outcome.RESTORED if is_new else Outcome.ALREADY), entry
    assert path.read_bytes() == OLD
    write_proposal(proposal(path))
    undo_last()
    assert path.read_bytes() == OLD


def test_ctrl_c_after_the_file_was_renamed_keeps_the_way_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_folder: Path) -> None:
        raise KeyboardInterrupt

    path = written(tmp_path / "x")
    proposed = proposal(path)
    with monkeypatch.context() as patch:
        patch.setattr(safe_files, "sync_folder", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_proposal(proposed)
    assert path.read_bytes() == NEW
    undo_last()
    assert path.read_bytes() == OLD
