"""Diffs that the programs `patch` and `git` take, whatever is in the file or in its name."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.edits.unified_diff import LineCounts, count_changes, diff_files

TEXT = st.lists(
    st.sampled_from(["a", "b", "-- c", "++ d", "@@ e", "é\u2028", "", "\x0c", "f\r"]), max_size=30
).map("\n".join)
PATCH = ["patch", "-p1", "--silent", "--no-backup-if-mismatch"]

needs_patch = pytest.mark.skipif(not shutil.which("patch"), reason="there is no patch program")
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="there is no git")


def apply(command: Sequence[str], diff: str, folder: Path) -> None:
    done = subprocess.run(
        command, input=diff.encode(), cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_patch
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(old=TEXT, new=TEXT)
def test_patch_makes_the_new_file_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a b.py"
    path.write_bytes(old.encode())
    diff = diff_files(path, old.encode(), new.encode(), "utf-8")
    assert bool(diff) == (old != new)
    if diff:
        apply(PATCH, diff, tmp_path)
    assert (path.read_bytes() if path.exists() else b"") == new.encode()


@needs_git
@pytest.mark.parametrize(
    "name",
    [
        *("plain.py", "sub/two words.py", 'quo"te\\.py', "naïve.py", "tab\t.py"),
        "new\n+++ b/etc\n.py",
        "\x1b[2J\udcff.py",
    ],
)
def test_git_applies_changes_new_files_and_removals_under_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    for old, new in (
        (None, b"one\ntwo"),
        (b"one\ntwo", b"one\r\nthree\n"),
        (b"one\r\nthree\n", None),
    ):
        diff = diff_files(path, old, new, "utf-8")
        assert sum(line.startswith("+++ ") for line in diff.split("\n")) == 1
        apply(["git", "apply"], diff, tmp_path)
        assert (path.read_bytes() if path.exists() else None) == new


def test_a_diff_reads_as_git_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old = "".join(f"{number}\n" for number in range(20)).encode()
    new = old.replace(b"4\n", b"four\n", 1).replace(b"19\n", b"19")
    assert diff_files(tmp_path / "sub/n.txt", old, new, "utf-8") == (
        "--- a/sub/n.txt\n+++ b/sub/n.txt\n"
        "@@ -2,7 +2,7 @@\n 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n"
        "@@ -17,4 +17,4 @@\n 16\n 17\n 18\n-19\n+19\n\\ No newline at end of file\n"
    )


def test_a_file_elsewhere_has_its_full_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    diff = diff_files(tmp_path / "x.py", b"", b"1\n", "utf-8")
    assert diff.startswith(f"--- a{tmp_path}/x.py\n+++ b{tmp_path}/x.py\n@@ -0,0 +1 @@\n")


@needs_patch
def test_a_byte_order_mark_is_part_of_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old, new = b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfa\nc\n"
    (tmp_path / "x").write_bytes(old)
    apply(PATCH, diff_files(tmp_path / "x", old, new, "utf-8"), tmp_path)
    assert (tmp_path / "x").read_bytes() == new


def test_other_encodings_are_shown_as_text() -> None:
    old, new = ("\ufeffü\n".encode("utf-16-le"), "\ufeffö\n".encode("utf-16-le"))
    assert "-\ufeffü\n+\ufeffö\n" in diff_files(Path("x"), old, new, "utf-16-le")


def test_lines_are_counted() -> None:
    assert count_changes(b"a\nb\nc\n", b"a\nx\ny\nc", "utf-8") == LineCounts(added=3, removed=2)
    assert count_changes(None, b"a\n", "utf-8") == LineCounts(added=1, removed=0)
    assert diff_files(Path("x"), b"a", b"a", "utf-8") == ""


@needs_git
def test_hunks_join_where_those_of_git_do(tmp_path: Path) -> None:
    old = [f"{number}\n" for number in range(30)]
    for gap in range(4, 10):
        new = [*old[:9], *old[10 : 10 + gap], "new\n", *old[10 + gap :]]
        (tmp_path / "old").write_text("".join(old))
        (tmp_path / "new").write_text("".join(new))
        command = ["git", "diff", "--no-index", "old", "new"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        ours = diff_files(Path("x"), "".join(old).encode(), "".join(new).encode(), "utf-8")
        assert ours.split("\n")[2:] == done.stdout.split("\n")[4:]
