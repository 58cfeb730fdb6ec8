"""The user's editor: which one, on which terminal, and what is left when it ends."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from assistant import editor
from assistant.editor import compose, edit_file
from assistant.errors import AssistantError, UsageError

EDIT = "from pathlib import Path; from assistant.editor import edit_file; edit_file(Path('x'))"


@pytest.fixture
def editor_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script that is $VISUAL, called with --wait and the file; tests write its lines."""
    script = tmp_path / "an editor.sh"
    monkeypatch.setenv("VISUAL", f"sh '{script}' --wait")
    monkeypatch.setenv("EDITOR", "false")
    return script


def test_the_editor_gets_its_own_words_and_the_file(editor_script: Path, tmp_path: Path) -> None:
    file = tmp_path / "a b.md"
    editor_script.write_text('echo "$# $1" > "$2"\n')
    edit_file(file)
    assert file.read_text() == "2 --wait\n"


def test_without_visual_it_is_editor_and_without_both_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    monkeypatch.setenv("VISUAL", " ")
    monkeypatch.setenv("EDITOR", "touch")
    edit_file(file)
    assert file.exists()
    file.unlink()
    monkeypatch.delenv("EDITOR")
    vim = tmp_path / "bin" / "vim"
    vim.parent.mkdir()
    vim.write_text('#!/bin/sh\necho vim > "$1"\n')
    vim.chmod(0o755)
    monkeypatch.setenv("PATH", str(vim.parent))
    edit_file(file)
    assert file.read_text() == "vim\n"
    vim.unlink()
    with pytest.raises(AssistantError, match="there is no editor") as caught:
        edit_file(file)
    assert "VISUAL" in caught.value.hint


@pytest.mark.parametrize(
    ("command", "kind", "reason"),
    [
        ("/no/such/editor", AssistantError, "/no/such/editor cannot be started: No such file"),
        ("/", AssistantError, "/ cannot be started: Permission denied"),
        ("false", AssistantError, "false ended with 1"),
        ("'vim", UsageError, "VISUAL='vim: No closing quotation"),
    ],
)
def test_an_editor_that_does_not_work_is_named(
    command: str, kind: type[AssistantError], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", command)
    with pytest.raises(kind) as caught:
        edit_file(Path("x"))
    assert reason in caught.value.message
    assert caught.value.hint


def test_what_is_composed_begins_with_a_text_and_leaves_no_file(
    editor_script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    editor_script.write_text(f'ls -l "$2" > {tmp_path}/seen; echo second >> "$2"\n')
    assert compose("fırst\n") == "fırst\nsecond\n"
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith("-rw-------")
    assert seen.endswith(".md\n")
    editor_script.write_text('rm "$2"\n')
    assert compose("gone") == ""
    editor_script.write_text("exit 3\n")
    with pytest.raises(AssistantError, match="sh ended with 3"):
        compose("kept from nobody")
    assert {path.name for path in tmp_path.iterdir()} == {"seen", editor_script.name}


def test_nothing_is_composed_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(AssistantError, match="temporary folder") as caught:
        compose()
    assert "TMPDIR" in caught.value.hint


def test_ctrl_c_in_the_editor_does_not_end_us(editor_script: Path) -> None:
    editor_script.write_text("kill -INT $PPID; sleep 0.2; trap\n")
    command = [sys.executable, "-c", f"{EDIT}; print('goes on')"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (b"goes on\n", b"", 0)


def test_the_editor_can_be_interrupted_itself(editor_script: Path) -> None:
    editor_script.write_text("kill -INT $$; sleep 60\n")
    command = [sys.executable, "-c", EDIT]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert b"ended with -2" in done.stderr


def test_the_editor_has_the_terminal_although_we_stand_in_a_pipe(
    editor_script: Path, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    editor_script.write_text(f"test -t 0 && test -t 1 && echo a terminal > {seen}\n")
    line = f'echo piped | {sys.executable} -c "{EDIT}" | cat'
    child = pexpect.spawn("/bin/sh", ["-c", line], env=dict(os.environ), timeout=60)
    child.expect(pexpect.EOF)
    child.close()
    assert seen.read_text() == "a terminal\n"


def test_without_a_terminal_the_editor_reads_nothing(
    editor_script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editor, "TERMINAL", str(tmp_path / "none"))
    seen = tmp_path / "seen"
    editor_script.write_text(f"cat > {seen}\n")
    edit_file(tmp_path / "x")
    assert seen.read_bytes() == b""
    assert stat.S_ISREG(seen.stat().st_mode)
