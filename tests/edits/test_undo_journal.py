"""What undo remembers, for how long, and who may read it."""

import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from edit_words import one_line
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant import paths
from assistant.edits import undo_journal
from assistant.edits.proposal import Proposal
from assistant.edits.safe_write import write_proposal
from assistant.edits.undo import (
    Outcome,
    diff_of_undo,
    list_journal,
    list_writes,
    undo_last,
)
from assistant.edits.undo_journal import DamagedEntry
from assistant.errors import InputError

FIXTURE_ONCE = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(path: Path, new: bytes) -> str:
    old = path.read_bytes() if path.exists() else None
    return write_proposal(Proposal(path, path.name, old, new, "utf-8"))


def refusal(*, is_forced: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        undo_last(is_forced=is_forced)
    return one_line(caught.value)


def journal_files() -> list[Path]:
    return sorted((paths.state_folder() / "undo").glob("*.undo"))


@FIXTURE_ONCE
@given(
    old=st.one_of(st.none(), st.binary(max_size=40)),
    news=st.lists(st.binary(max_size=40), max_size=4),
    bits=st.sampled_from([0o644, 0o600, 0o755]),
)
def test_undoing_every_write_gives_back_bytes_and_permissions(
    tmp_path: Path, old: bytes | None, news: list[bytes], bits: int
) -> None:
    path = tmp_path / "x.py"
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old)
        path.chmod(bits)
    for new in news:
        write(path, new)
    while list_writes():
        undo_last()
    assert (path.read_bytes() if path.exists() else None) == old
    assert old is None or stat.S_IMODE(path.stat().st_mode) == bits


def test_undo_goes_back_one_write_at_a_time_over_all_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"1\n2\n")
    write(first, b"1\n2\n3\n")
    write(second, b"new\n")
    newest, oldest = list_writes()
    assert (newest.path, newest.was_new, newest.added, newest.removed) == (second, True, 1, 0)
    assert (oldest.path, oldest.was_new, oldest.added, oldest.removed) == (first, False, 1, 0)
    assert undo_last().outcome is Outcome.REMOVED
    assert not second.exists()
    assert undo_last().outcome is Outcome.RESTORED
    assert first.read_bytes() == b"1\n2\n"
    assert refusal() == "there is nothing to undo"


def test_a_file_changed_since_is_left_alone_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old\n")
    write(path, b"new\n")
    path.write_bytes(b"mine\n")
    assert "has changed since llmchat wrote it" in refusal()
    path.unlink()
    assert "is gone since llmchat wrote it" in refusal()
    path.write_bytes(b"mine\n")
    assert undo_last(is_forced=True).outcome is Outcome.RESTORED
    assert path.read_bytes() == b"old\n"
    assert list_writes() == []


def test_forced_undo_brings_a_lost_file_back_and_removes_a_changed_new_one(tmp_path: Path) -> None:
    lost, new = tmp_path / "lost", tmp_path / "new"
    lost.write_bytes(b"old\n")
    lost.chmod(0o600)
    write(lost, b"new\n")
    lost.unlink()
    assert undo_last(is_forced=True).outcome is Outcome.RESTORED
    assert (lost.read_bytes(), stat.S_IMODE(lost.stat().st_mode)) == (b"old\n", 0o600)
    write(new, b"new\n")
    new.write_bytes(b"changed\n")
    assert undo_last(is_forced=True).outcome is Outcome.REMOVED
    assert not new.exists()


def test_what_was_undone_by_hand_is_only_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0")
    write(path, b"1")
    write(path, b"2")
    path.write_bytes(b"1")
    assert undo_last().outcome is Outcome.ALREADY
    assert path.read_bytes() == b"1"
    assert undo_last().outcome is Outcome.RESTORED
    assert path.read_bytes() == b"0"


def test_a_file_replaced_by_a_folder_or_a_link_is_refused_even_when_forced(tmp_path: Path) -> None:
    path, other = tmp_path / "x", tmp_path / "other"
    path.write_bytes(b"old")
    write(path, b"new")
    path.unlink()
    path.mkdir()
    assert "is a folder" in refusal(is_forced=True)
    path.rmdir()
    other.write_bytes(b"new")
    path.symlink_to(other)
    assert "is a symbolic link" in refusal()
    assert other.read_bytes() == b"new"
    assert len(list_writes()) == 1


def test_the_diff_shows_what_undo_would_do_and_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x"
    path.write_bytes(b"old\n")
    write(path, b"new\n")
    assert diff_of_undo() == "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-new\n+old\n"
    assert path.read_bytes() == b"new\n"
    write(tmp_path / "y", b"y\n")
    assert diff_of_undo() == "--- a/y\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n"
    assert len(list_writes()) == 2


def test_only_the_user_may_read_the_journal(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        write(tmp_path / "secret", b"old")
        write(tmp_path / "secret", b"new")
    finally:
        os.umask(previous)
    folder = paths.state_folder() / "undo"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_any_file_name_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"two\nlines \xff.py")
    write(path, b"new")
    assert list_writes()[0].path == path
    assert list_writes()[0].shown.endswith("two\\nlines \\u{dcff}.py")
    undo_last()
    assert not path.exists()


def test_the_oldest_go_when_there_are_too_many_or_they_are_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo_journal, "MAX_ENTRIES", 3)
    path = tmp_path / "x"
    for count in range(5):
        write(path, b"%d" % count)
    assert [entry.number for entry in list_writes()] == [5, 4, 3]
    monkeypatch.setattr(undo_journal, "MAX_BYTES", 30_000)
    path.write_bytes(b"a" * 20_000)
    write(path, b"b" * 20_000)
    write(path, b"c" * 20_000)
    assert [entry.number for entry in list_writes()] == [7]
    path.write_bytes(b"d" * 40_000)
    write(path, b"e")
    assert [entry.number for entry in list_writes()] == [8]
    undo_last()
    assert path.read_bytes() == b"d" * 40_000


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    write(tmp_path / "x", b"new")
    (file,) = journal_files()
    file.write_bytes(b'{"number": 1}\n')
    with pytest.raises(InputError, match="is damaged") as caught:
        undo_last()
    assert caught.value.hint == f"rm {file}"
    assert (tmp_path / "x").exists()


def test_a_home_that_cannot_be_written_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_bytes(b"no folder")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("LLMCHAT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    path = tmp_path / "x"
    path.write_bytes(b"old")
    assert write(path, b"new").startswith("undo will not last: ")
    undo_last()
    assert path.read_bytes() == b"old"


def test_a_write_waits_for_another_one_and_gives_up_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    folder = paths.writable(paths.state_folder() / "undo")
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        monkeypatch.setattr(undo_journal, "LOCK_SECONDS", 0.05)
        with pytest.raises(InputError, match="another llmchat"):
            write(path, b"new")
        assert not path.exists()
        monkeypatch.setattr(undo_journal, "LOCK_SECONDS", 60.0)
        writer = threading.Thread(target=write, args=(path, b"new"))
        writer.start()
        writer.join(0.1)
        assert not path.exists()
        fcntl.flock(held, fcntl.LOCK_UN)
        writer.join()
    assert path.read_bytes() == b"new"


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from assistant.edits.proposal import Proposal\n"
        "from assistant.edits.safe_write import write_proposal\n"
        "for n in range(10):\n"
        "    path = Path(sys.argv[1] + str(n))\n"
        "    write_proposal(Proposal(path, 'x', None, b'new', 'utf-8'))\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name)]) for name in "abc"
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    entries = list_writes()
    assert len({entry.path for entry in entries}) == len({entry.number for entry in entries}) == 30
    while list_writes():
        undo_last()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "head",
    [
        b"?\n",
        b"[]\n",
        b'{"number": 1}\n',
        b"[" * 100_000,
        b'{"number":1,"path":"/x","seconds":"x","mode":null,"written_sha256":"","encoding":"utf-8",'
        b'"added":1,"removed":1}\n',
        b'{"number":1,"path":"/x","seconds":1e99,"mode":null,"written_sha256":"","encoding":"utf-8"'
        b',"added":1,"removed":1}\n',
        b'{"number":1,"path":"/x","seconds":1.0,"mode":null,"written_sha256":"","encoding":"no",'
        b'"added":1,"removed":1}\n',
        b'{"number":2,"path":"/x","seconds":1.0,"mode":null,"written_sha256":"","encoding":"utf-8",'
        b'"added":1,"removed":1}\n',
    ],
)
def test_a_damaged_entry_hinders_no_other(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "x"
    for new in (b"1", b"2", b"3"):
        write(path, new)
    first, second, _third = journal_files()
    first.write_bytes(head)
    (first.parent / "1x.undo").write_bytes(b"not ours")
    assert list_journal()[2] == DamagedEntry(first)
    assert [entry.number for entry in list_writes()] == [3, 2]
    undo_last()
    undo_last()
    assert path.read_bytes() == b"1"
    assert refusal() == f"{first} is damaged and cannot be undone"
    write(path, b"4")
    assert [entry.number for entry in list_writes()] == [2]
    assert second.exists()
