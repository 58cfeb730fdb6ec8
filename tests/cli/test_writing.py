"""Answers that become files: --diff, --write, -w FILE, and undo."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from command_line import Terminal, llmchat, talker

OLD = "def add(a, b):\n    return a - b\n"
NEW = "def add(a, b):\n    return a + b\n"
FIXED = f"The sign was wrong.\n\n```python\n{NEW}```\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "work" / "add.py"
    file.parent.mkdir()
    file.write_text(OLD)
    return file


def test_fix_shows_a_diff_that_patch_takes(file: Path, tmp_path: Path) -> None:
    command = talker(FIXED, tmp_path)
    done = llmchat("fix", "add.py", "--diff", command=command, folder=file.parent)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"-    return a - b\n+    return a + b\n" in done.stdout
    assert file.read_text() == OLD
    subprocess.run(["patch", "-p1", "--quiet"], input=done.stdout, cwd=file.parent, check=True)
    assert file.read_text() == NEW


def test_fix_writes_after_yes_and_undo_takes_it_back(file: Path, tmp_path: Path) -> None:
    command = talker(FIXED, tmp_path)
    terminal = Terminal("fix", "add.py", "--write", command=command, folder=file.parent)
    terminal.wait_for(lambda: "[y/N]" in terminal.text)
    assert "+    return a + b" in terminal.text
    assert file.read_text() == OLD
    terminal.type_line("y")
    assert terminal.wait_for_end() == 0
    assert file.read_text() == NEW
    assert "llmchat undo" in terminal.text
    done = llmchat("undo", command=command, folder=file.parent)
    assert done.returncode == 0
    assert file.read_text() == OLD


def test_no_leaves_the_file_as_it_is(file: Path, tmp_path: Path) -> None:
    terminal = Terminal("fix", str(file), "--write", command=talker(FIXED, tmp_path))
    terminal.wait_for(lambda: "[y/N]" in terminal.text)
    terminal.type_line("")
    assert terminal.wait_for_end() == 6
    assert file.read_text() == OLD


def test_nobody_to_ask_is_found_out_before_the_model_works(file: Path, tmp_path: Path) -> None:
    command = talker("never", tmp_path)
    for words in (["fix", str(file), "--write"], ["generate", "it", "-w", str(file)]):
        done = llmchat(*words, command=command, environment={"SLOWLY": "60"})
        assert done.returncode == 6
        assert b"--yes" in done.stderr
        assert file.read_text() == OLD


def test_generate_writes_only_the_code(file: Path, tmp_path: Path) -> None:
    command = talker(FIXED, tmp_path)
    new = file.parent / "new.py"
    done = llmchat("generate", "add", "-w", str(new), command=command)
    assert (done.returncode, done.stdout) == (0, b"")
    assert new.read_text() == NEW
    done = llmchat("generate", "add", "-w", str(file), "--yes", command=command)
    assert done.returncode == 0
    assert file.read_text() == NEW
    for _ in range(2):
        assert llmchat("undo").returncode == 0
    assert file.read_text() == OLD
    assert not new.exists()


def test_a_cut_answer_is_never_written(file: Path, tmp_path: Path) -> None:
    command = talker(FIXED, tmp_path)
    done = llmchat(
        "fix", str(file), "--write", "-y", command=command, environment={"REASON": "length"}
    )
    assert done.returncode == 1
    assert b"not whole" in done.stderr
    assert file.read_text() == OLD


def test_what_cut_the_answer_still_chooses_the_exit_code(file: Path, tmp_path: Path) -> None:
    command = talker(FIXED * 20, tmp_path)
    cut = {"REASON": "length"}
    words = ("fix", str(file), "--diff")
    done = llmchat(*words, "--fail-on-length", command=command, environment=cut)
    assert (done.returncode, done.stdout) == (10, b"")
    slowly = {"SLOWLY": "0.05"}
    assert llmchat(*words, "--timeout", "1", command=command, environment=slowly).returncode == 124


def test_a_pipe_gets_what_would_replace_the_text(file: Path, tmp_path: Path) -> None:
    answer = f"The bug:\n```\n    return a - b\n```\nFixed:\n```python\n{NEW}```\n"
    command = talker(answer, tmp_path)
    assert llmchat("fix", str(file), command=command).stdout == NEW.encode()
    piped = llmchat("fix", command=command, stdin=OLD.encode())
    assert piped.stdout == NEW.encode()
    elided = talker("```\ndef add(a, b):\n    # ... rest unchanged\n```\n", tmp_path)
    done = llmchat("fix", str(file), command=elided)
    assert (done.returncode, done.stdout.strip()) == (1, b"")
    assert b"leaves out code" in done.stderr


def test_what_was_typed_before_the_question_is_no_answer(file: Path, tmp_path: Path) -> None:
    command = talker(FIXED, tmp_path)
    slowly = {"SLOWLY": "0.2"}
    terminal = Terminal("fix", str(file), "--write", command=command, environment=slowly)
    terminal.wait_for(lambda: "The sign" in terminal.text)
    terminal.type_line("y")
    terminal.wait_for(lambda: "[y/N]" in terminal.text)
    assert file.read_text() == OLD
    terminal.type_line("n")
    assert terminal.wait_for_end() == 6
    assert file.read_text() == OLD


def test_nobody_is_hurried_at_the_question(file: Path, tmp_path: Path) -> None:
    terminal = Terminal(
        "fix", str(file), "--write", "--timeout", "2", command=talker(FIXED, tmp_path)
    )
    terminal.wait_for(lambda: "[y/N]" in terminal.text)
    time.sleep(2.2)
    terminal.type_line("y")
    assert terminal.wait_for_end() == 0
    assert file.read_text() == NEW


def test_other_files_come_along_and_stay_as_they_are(file: Path, tmp_path: Path) -> None:
    other = file.parent / "other.py"
    other.write_text("x = 1\n")
    command = talker(FIXED, tmp_path)
    done = llmchat("fix", str(file), "-wy", "-f", str(other), command=command)
    assert done.returncode == 0
    assert file.read_text() == NEW
    assert other.read_text() == "x = 1\n"


def test_json_holds_the_diff_and_what_was_written(file: Path, tmp_path: Path) -> None:
    command = talker(FIXED, tmp_path)
    done = llmchat("fix", "add.py", "--diff", "--json", command=command, folder=file.parent)
    found = json.loads(done.stdout)
    assert "+    return a + b" in found["diff"]
    assert found["code"] == NEW
    words = ("fix", "add.py", "-wy", "--output", "stream-json")
    done = llmchat(*words, command=command, folder=file.parent)
    assert json.loads(done.stdout.splitlines()[-1])["written"] == "add.py"


def test_a_part_of_a_file_is_fixed_in_its_place(file: Path, tmp_path: Path) -> None:
    file.write_text(f"# above\n{OLD}# below\n")
    command = talker(FIXED, tmp_path)
    done = llmchat("fix", f"{file}:2-3", "-wy", command=command)
    assert done.returncode == 0
    assert file.read_text() == f"# above\n{NEW}# below\n"


def test_a_dry_run_writes_nothing(file: Path, tmp_path: Path) -> None:
    done = llmchat("fix", str(file), "-w", "--dry-run", command=talker(FIXED, tmp_path))
    assert done.returncode == 0
    assert file.read_text() == OLD


def test_a_file_that_changed_meanwhile_is_left_alone(file: Path, tmp_path: Path) -> None:
    command = talker(FIXED, tmp_path)
    terminal = Terminal("fix", str(file), "--write", command=command)
    terminal.wait_for(lambda: "[y/N]" in terminal.text)
    file.write_text("somebody else was here\n")
    terminal.type_line("y")
    assert terminal.wait_for_end() == 1
    assert file.read_text() == "somebody else was here\n"


@pytest.mark.parametrize("words", [["-"], [], ["add.py", "b.py"], ["."]])
def test_what_cannot_be_changed_is_said_at_once(
    words: list[str], file: Path, tmp_path: Path
) -> None:
    command, slowly = talker(FIXED, tmp_path), {"SLOWLY": "60"}
    done = llmchat(
        *("fix", *words, "--diff"),
        command=command,
        stdin=OLD.encode(),
        folder=file.parent,
        environment=slowly,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: fix changes ")
    assert b"(llmchat fix FILE --diff)" in done.stderr


def test_an_answer_that_drops_most_of_a_file_is_not_written_unseen(
    file: Path, tmp_path: Path
) -> None:
    whole = OLD + "".join(f"\n\ndef part{number}():\n    return {number}\n" for number in range(9))
    file.write_text(whole)
    command = talker(FIXED, tmp_path)
    done = llmchat("fix", str(file), "-wy", command=command)
    assert done.returncode == 6
    assert b"without --yes you are asked" in done.stderr
    assert file.read_text() == whole
    terminal = Terminal("fix", str(file), "-w", command=command, rows=50)
    terminal.wait_for(lambda: "[y/N]" in terminal.text)
    assert "part3, part4 and 4 more" in terminal.text.replace("\n", "")
    terminal.type_line("y")
    assert terminal.wait_for_end() == 0
    assert file.read_text() == NEW


def test_a_link_that_leads_elsewhere_is_named_and_asked_about(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "out.py"
    link.symlink_to(tmp_path / "elsewhere.py")
    command = talker(FIXED, tmp_path)
    done = llmchat("generate", "it", "-w", str(link), command=command)
    assert done.returncode == 6
    assert b"elsewhere.py" in done.stderr
    assert not (tmp_path / "elsewhere.py").exists()


def test_words_never_take_the_place_of_code(file: Path, tmp_path: Path) -> None:
    command = talker("I cannot do that.\n", tmp_path)
    done = llmchat("generate", "it", "-w", str(file), "-y", command=command)
    assert done.returncode == 1
    assert b"the answer holds no fenced code, so " in done.stderr
    assert file.read_text() == OLD
    done = llmchat("generate", "it", "-w", str(file.parent / "new.txt"), command=command)
    assert done.returncode == 0
    assert b"no fenced code" in done.stderr


def test_a_dry_run_says_what_would_be_written(file: Path, tmp_path: Path) -> None:
    command = talker(FIXED, tmp_path)
    done = llmchat("generate", "it", "-w", str(file), "--dry-run", command=command)
    assert done.stderr.decode() == f"would write {file}\n"
    done = llmchat("fix", str(file), "-w", "--dry-run", command=command)
    assert done.stderr.decode() == f"would change {file}, after asking\n"


def test_bad_places_to_write_are_refused_at_once(tmp_path: Path) -> None:
    command = talker("never", tmp_path)
    (tmp_path / "binary").write_bytes(b"\0\1")
    for name in (str(tmp_path), str(tmp_path / "none" / "x.py"), "/dev/null", f"{tmp_path}/binary"):
        done = llmchat(
            "generate", "it", "-w", name, "-y", command=command, environment={"SLOWLY": "60"}
        )
        assert done.returncode == 1, name
        assert done.stderr.startswith(b"error: ")
    assert Path("/dev/null").is_char_device()
    for name, code in {"-": 2, "": 1}.items():
        assert llmchat("generate", "it", "-w", name, "-y", command=command).returncode == code
