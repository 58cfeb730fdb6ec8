"""`llmchat undo`: what it says, and where."""

import json
import re
import sys
from pathlib import Path

import pytest
from command_line import run_command

from assistant import paths
from assistant.cli.report import Report
from assistant.cli.undo_command import show_undo, show_writes, take_back
from assistant.edits.proposal import Proposal
from assistant.edits.safe_write import write_proposal
from assistant.errors import InputError

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
def two_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which old.py was changed and then new\\x1b.py was made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.py").write_bytes(b"1\n2\n")
    write_proposal(Proposal(Path("old.py"), "old.py", b"1\n2\n", b"1\n3\n4\n", "utf-8"))
    write_proposal(Proposal(Path("new\x1b.py"), "new", None, b"1\n", "utf-8"))
    return tmp_path


def test_undo_says_on_standard_error_what_it_did(
    two_writes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command("undo")
    run_command("undo")
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(
        rf"new\\x1b\.py is gone again: it was new on {TIME}\nold\.py is as it was before {TIME}\n",
        err,
    )
    assert [file.name for file in two_writes.iterdir()] == ["old.py"]
    with pytest.raises(InputError, match="nothing to undo"):
        run_command("undo")


def test_quiet_undo_says_nothing(two_writes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command("undo", "-q")
    assert capsys.readouterr() == ("", "")
    assert len(list(two_writes.iterdir())) == 1


def test_a_changed_file_needs_force(two_writes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (two_writes / "new\x1b.py").write_bytes(b"mine")
    with pytest.raises(InputError) as caught:
        run_command("undo")
    assert "llmchat undo --force" in caught.value.hint
    run_command("undo", "--force")
    assert not (two_writes / "new\x1b.py").exists()


def test_what_was_undone_by_hand_is_said(
    two_writes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (two_writes / "new\x1b.py").unlink()
    take_back(Report(sys.stderr), is_forced=False)
    assert re.search(rf"already was as before {TIME}$", capsys.readouterr().err)


def test_the_list_shows_the_newest_first(
    two_writes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command("undo", "--list")
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert re.fullmatch(rf"{TIME}  \+1  -0  new\\x1b\.py \(new\)", first)
    assert re.fullmatch(rf"{TIME}  \+2  -1  old\.py", second)
    assert err == ""


def test_an_empty_list_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    run_command("undo", "--list")
    show_writes(as_json=True)
    assert capsys.readouterr().out == "[]\n"


def test_the_list_for_programs(two_writes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_writes(as_json=True)
    new, old = json.loads(capsys.readouterr().out)
    assert new["file"] == str(two_writes / "new\x1b.py")
    assert (new["was_new"], old["was_new"], old["added"], old["removed"]) == (True, False, 2, 1)
    assert new["seconds"] >= old["seconds"] > 1_700_000_000


def test_a_damaged_entry_is_marked_in_the_list(
    two_writes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = paths.state_folder() / "undo" / "0000000001.undo"
    file.write_bytes(b"?\n")
    run_command("undo", "--list")
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("new\\x1b.py (new)")
    assert re.fullmatch(rf"damaged +cannot be undone: rm {re.escape(str(file))}", second)
    show_writes(as_json=True)
    new, damaged = json.loads(capsys.readouterr().out)
    assert (new["damaged"], damaged["damaged"]) == (None, str(file))
    assert (damaged["file"], damaged["seconds"]) == (None, None)


def test_a_dry_run_writes_the_diff_and_changes_nothing(
    two_writes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_undo(is_forced=False, has_color=False)
    assert capsys.readouterr().out == ('--- "a/new\\033.py"\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n')
    assert (two_writes / "new\x1b.py").exists()
