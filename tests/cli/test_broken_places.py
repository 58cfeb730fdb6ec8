"""Broken surroundings: no current folder, no home, no memory, no space, nobody to ask.

Whatever is missing, there is an answer or one clear line and the right exit code.
"""

import codecs
import json
import os
import pwd
import re
import sys
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_line import TALKER, Terminal, llmchat, run_command, start, talker
from talking_engine import TalkingEngine

from assistant import paths
from assistant.attachments import folders
from assistant.cli import starting
from assistant.cli.app import run
from assistant.errors import AssistantError
from assistant.model_store.local_models import find_model

NEW = "def add(a, b):\n    return a + b\n"
CODE = f"Here:\n\n```python\n{NEW}```\n"
LINE = "x = 1\n"
# The talker as somebody who is not in the list of users, and so has no home folder.
NOBODY = """
import pwd, runpy, sys
def find(_):
    raise KeyError("nobody")
pwd.getpwuid = find
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(autouse=True)
def talk_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is loaded for what is refused, nor for a plan."""
    monkeypatch.setattr(starting, "open_engine", lambda *_: TalkingEngine("never"))


def one_error(err: bytes | str) -> str:
    """The only line on standard error."""
    said = err.decode() if isinstance(err, bytes) else err
    assert said.startswith("error: "), said
    assert said.count("\n") == 1, said
    assert said.endswith("\n")
    return said


def refused(capfd: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    """The only line that the command says in this process before it ends with `code`."""
    assert run(list(words)) == code
    out, err = capfd.readouterr()
    assert out == ""
    return one_error(err)


# ── a current folder that was deleted ───────────────────────────────────────────────────────


@pytest.fixture
def deleted_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "deleted"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    return folder


def test_a_file_by_its_full_name_is_read_from_a_deleted_folder(
    deleted_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text(LINE)
    done = llmchat("explain", str(tmp_path / "a.py"), command=talker("It sets x.", tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"It sets x.\n", b"")
    assert not deleted_folder.exists()


@pytest.mark.usefixtures("deleted_folder")
def test_a_question_is_answered_in_a_deleted_folder(tmp_path: Path) -> None:
    done = llmchat("hi", command=talker("Hello.", tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Hello.\n", b"")


@pytest.mark.usefixtures("deleted_folder")
def test_relative_names_are_refused_in_a_deleted_folder(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert "a.py" in refused(capfd, 1, "explain", "a.py")
    assert "folder" in refused(capfd, 1, "generate", "it", "-w", "x.py")
    assert "folder" in refused(capfd, 2, "hi", "--config", "my.toml")
    assert "my.gguf" in refused(capfd, 3, "hi", "-m", "my.gguf")


@pytest.mark.usefixtures("deleted_folder")
def test_settings_and_prompts_are_shown_in_a_deleted_folder(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for words in (["config", "show"], ["config", "path"], ["prompts", "list"], ["undo", "--list"]):
        assert run(words) == 0
        out, err = capfd.readouterr()
        assert err == ""
        assert bool(out) == (words[0] != "undo")


# ── no home folder, or one that cannot be used ──────────────────────────────────────────────


@pytest.fixture
def without_llmchat_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for everything that is temporary; no variable says where the user's files are."""
    for kind in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.delenv(f"XDG_{kind}_HOME", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("LLMCHAT_HOME")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return temporary


def no_user(_: object) -> None:
    raise KeyError("nobody")


@pytest.fixture(params=["a file", "nowhere"])
def unusable_home(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    without_llmchat_home: Path,
) -> Path:
    """Not even root may write below it."""
    home = tmp_path / "home"
    home.write_text("")
    if request.param == "nowhere":
        home = Path("/proc/self/nobody")
    monkeypatch.setenv("HOME", str(home))
    assert without_llmchat_home.is_dir()
    return home


def test_a_question_needs_no_home(unusable_home: Path, tmp_path: Path) -> None:
    done = llmchat("hi", command=talker("Hello.", tmp_path))
    assert (done.returncode, done.stdout) == (0, b"Hello.\n"), (unusable_home, done.stderr)
    assert b"error" not in done.stderr


def test_what_cannot_be_kept_is_not_said_to_be_kept(
    unusable_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for words in (["config", "set", "seed", "3"], ["prompts", "new", "mine"]):
        said = refused(capfd, 1, *words)
        assert str(unusable_home) in said
        assert "set LLMCHAT_HOME to a folder that you may write" in said


def test_a_file_is_written_and_undone_without_a_home(
    unusable_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new.py"
    done = llmchat("generate", "it", "-w", str(file), command=talker(CODE, tmp_path))
    assert done.returncode == 0, done.stderr
    assert file.read_text() == NEW
    assert f"undo will not last: {unusable_home}" in done.stderr.decode()
    assert run(["undo"]) == 0
    assert not file.exists()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.usefixtures("without_llmchat_home")
def test_a_missing_home_is_made_when_something_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    home, file = tmp_path / "missing" / "home", tmp_path / "new.py"
    monkeypatch.setenv("HOME", str(home))
    done = llmchat("generate", "it", "-w", str(file), command=talker(CODE, tmp_path))
    assert done.returncode == 0
    assert b"will not last" not in done.stderr
    assert (home / ".local" / "state").is_dir() or sys.platform == "darwin"
    for words in (["config", "set", "seed", "3"], ["prompts", "new", "mine"], ["undo"]):
        assert run(words) == 0
    assert not file.exists()
    assert paths.config_folder().is_relative_to(home)
    assert (paths.config_folder() / "config.toml").read_text() == "seed = 3\n"
    assert (paths.config_folder() / "prompts" / "mine.md").is_file()
    assert "error" not in capfd.readouterr().err


@pytest.fixture
def nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_llmchat_home: Path
) -> Sequence[str]:
    """The talker for a user without a home; so is this process."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", no_user)
    assert paths.config_folder().is_relative_to(without_llmchat_home)
    answer = tmp_path / "answer.txt"
    answer.write_text(CODE)
    return [sys.executable, "-c", NOBODY, str(TALKER), str(answer)]


def test_somebody_without_a_home_can_do_everything_and_hears_that_it_will_not_last(
    nobody: Sequence[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new.py"
    done = llmchat("hi", command=nobody)
    assert (done.returncode, done.stdout) == (0, CODE.encode())
    written = llmchat("generate", "it", "-w", str(file), command=nobody)
    assert written.returncode == 0
    assert file.read_text() == NEW
    for words in (["config", "set", "seed", "3"], ["prompts", "new", "mine"], ["undo"]):
        assert run(words) == 0
    assert not file.exists()
    assert "error" not in capfd.readouterr().err
    assert b"undo will not last" in written.stderr


# ── models ──────────────────────────────────────────────────────────────────────────────────


def test_a_model_larger_than_the_memory_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    large = tmp_path / "large.gguf"
    with find_model().open("rb") as starter:
        large.write_bytes(starter.read(4 << 20))
    os.truncate(large, 1 << 40)  # sparse: it takes no space
    done = llmchat("hi", "-m", str(large))
    assert (done.returncode, done.stdout) == (5, b"")
    said = one_error(done.stderr)
    assert re.search(r"large\.gguf .* needs 1099\.8 GB, and [\d.]+ [MG]B are free \(", said)
    assert "the starter model: -m starter" in said


def test_the_hint_for_an_unknown_model_works(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = refused(capfd, 3, "-m", "nosuch", "hi")
    assert "there is no model nosuch" in said
    hint = re.search(r"-m \w+", said)
    assert hint is not None
    done = llmchat(*hint[0].split(), "hi", command=talker("Hello.", tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Hello.\n", b"")


# ── nobody to ask, and terminals that can do little ─────────────────────────────────────────


def test_nobody_is_asked_without_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)
    Path("old.py").write_text(LINE)
    assert "replace old.py?" in refused(capfd, 6, "generate", "it", "-w", "old.py")
    assert "write old.py?" in refused(capfd, 6, "fix", "old.py", "--write")
    Path(".llmchat.toml").write_text("seed = 5\n")
    assert run(["trust"]) == 6
    err = capfd.readouterr().err
    assert "error: nobody can be asked: " in err
    assert "[y/N]" not in err
    assert Path("old.py").read_text() == LINE


def test_a_dumb_terminal_gets_no_escape_sequence(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(LINE)
    terminal = Terminal(
        *("fix", "old.py", "--write"),
        command=talker(CODE, tmp_path),
        environment={"TERM": "dumb"},
        folder=tmp_path,
    )
    terminal.wait_for(lambda: "[y/N]" in terminal.text)
    terminal.type_line("n")
    assert terminal.wait_for_end() == 6
    assert b"\x1b" not in terminal.written
    assert (tmp_path / "old.py").read_text() == LINE


# ── a full disk ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", [["generate", "it", "-yw", "old.py"], ["fix", "old.py", "-wy"]])
def test_a_full_disk_leaves_the_old_file(
    words: Sequence[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "old.py").write_text(LINE)
    lines = "".join(f"x{number} = {number}\n" for number in range(2_000))
    limited = [
        "/bin/sh",
        "-c",
        'ulimit -f 16; exec "$@"',
        "sh",
    ]  # 8 KiB, or 16 where blocks are larger
    command = [*limited, *talker(f"```python\n{lines}{LINE}```\n", tmp_path)]
    done = llmchat(*words, "--no-history", command=command, folder=folder)
    assert (done.returncode, done.stdout) == (1, b"")
    assert "old.py cannot be written: File too large (look: df -h " in one_error(done.stderr)
    assert [path.name for path in folder.iterdir()] == ["old.py"]
    assert (folder / "old.py").read_text() == LINE
    assert "nothing to undo" in refused(capfd, 1, "undo")


# ── what is read ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", [["explain"], ["explain", "-"], ["-"]])
def test_standard_input_without_an_end_is_bounded(words: Sequence[str], tmp_path: Path) -> None:
    endless = start(command=["yes", "an endless line"])
    try:
        assert endless.stdout is not None
        stdin = endless.stdout.fileno()
        process = start(*words, stdin=stdin, command=talker("never", tmp_path))
        out, err = process.communicate()
    finally:
        endless.kill()
        endless.communicate()
    assert (process.returncode, out) == (1, b"")
    assert "stdin is larger than 10 MiB (" in one_error(err)


def test_a_folder_without_text_says_what_is_in_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert f"there is no text in {folder} (" in refused(capfd, 1, "explain", str(folder))
    (folder / "empty.py").write_text("")
    assert f"there is no text in {folder} (" in refused(capfd, 1, "explain", str(folder))
    (folder / "a.bin").write_bytes(b"\0\1\2")
    (folder / ".hidden").write_text("text")
    said = refused(capfd, 1, "explain", str(folder))
    assert f"there is no text in {folder}: " in said
    assert "binary" in said
    assert "hidden" in said


def test_old_encodings_are_read_and_said(tmp_path: Path) -> None:
    german, japanese = "Grüße aus Köln.\n", "これは日本語の文章です。説明を書いてください。\n" * 3
    (tmp_path / "german.txt").write_bytes(codecs.BOM_UTF16_LE + german.encode("utf-16-le"))
    (tmp_path / "japanese.txt").write_bytes(japanese.encode("shift_jis"))
    done = llmchat(
        *("explain", "german.txt", "japanese.txt", "--show-prompt"),
        command=talker("", tmp_path),
        folder=tmp_path,
    )
    assert done.returncode == 0
    assert german in done.stdout.decode()
    assert japanese in done.stdout.decode()
    said = done.stderr.decode().splitlines()
    assert said[0] == "german.txt: read as UTF-16"
    assert re.fullmatch(r"japanese\.txt: read as .*Shift.JIS.*, because it is not UTF-8", said[1])
    assert len(said) == 2


def test_a_file_that_vanishes_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(LINE)

    def remove_the_next(_head: bytes) -> bool:
        (tmp_path / "b.py").unlink(missing_ok=True)
        return False

    monkeypatch.setattr(folders, "is_binary", remove_the_next)  # asked when a file is read
    run_command("explain", str(tmp_path), "--dry-run")
    out, err = capfd.readouterr()
    assert "a.py" in out
    assert "b.py" not in out
    assert "b.py" in err
    (tmp_path / "a.py").unlink()
    assert "there is no file" in refused(capfd, 1, "explain", str(tmp_path / "a.py"))


# ── more than the window holds ──────────────────────────────────────────────────────────────


def parts_of(said: str) -> tuple[int, int, dict[str, int]]:
    """The total, the window, and the tokens of each part, as an error tells them."""
    found = re.search(r"fit: ([\d,]+) tokens .* window of ([\d,]+) \((.*?)\) \(", said)
    assert found is not None, said
    parts = re.findall(r"(\S[^,]*?) ([\d,]*\d)(?:, |$)", found[3])
    total, window = (int(found[at].replace(",", "")) for at in (1, 2))
    return total, window, {name: int(count.replace(",", "")) for name, count in parts}


@pytest.mark.parametrize("sizes", [(50, 1300), (300, 350, 400, 450, 500)])
def test_what_a_too_large_prompt_may_leave_out_makes_it_fit(
    sizes: Sequence[int], tmp_path: Path
) -> None:
    names = [f"f{number}.py" for number in range(len(sizes))]
    for name, count in zip(names, sizes, strict=True):
        (tmp_path / name).write_text(LINE * count)
    command = talker("It fits.", tmp_path)
    done = llmchat("explain", *names, command=command, folder=tmp_path)
    assert (done.returncode, done.stdout) == (4, b"")
    said = one_error(done.stderr)
    total, window, parts = parts_of(said)
    assert sum(parts.values()) == total > window
    planned = llmchat("explain", *names, "--dry-run", "--json", command=command, folder=tmp_path)
    assert planned.returncode == 4
    plan = json.loads(planned.stdout.splitlines()[0])
    exact = {part["source"]: part["tokens"] for part in plan["parts"]}
    assert plan["prompt_tokens"] == total == sum(exact.values())
    assert all(exact[name] == count for name, count in parts.items() if "others" not in name)
    hint = re.search(r"leave out (.*), or attach a part", said)
    assert hint is not None
    left = [name for name in names if name not in hint[1].split(", ")]
    assert left
    assert len(left) < len(names)
    fits = llmchat("explain", *left, command=command, folder=tmp_path)
    assert (fits.returncode, fits.stdout) == (0, b"It fits.\n"), fits.stderr


def test_a_question_that_is_too_long_is_not_told_to_attach_less(tmp_path: Path) -> None:
    command = talker("never", tmp_path)
    for words, stdin in ((["why? " * 2_000], None), (["why?"], b"word\n" * 2_000)):
        done = llmchat(*words, stdin=stdin, command=command)
        assert done.returncode == 4
        said = one_error(done.stderr)
        total, window, parts = parts_of(said)
        assert sum(parts.values()) == total > window
        assert "FILE:10-40" not in said, "there is no file"


# ── prompts ─────────────────────────────────────────────────────────────────────────────────


def cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def test_wide_characters_fit_the_list_of_prompts(
    private_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = private_home / "config" / "prompts"
    folder.mkdir(parents=True)
    description = "用中文解释一段代码" * 10
    (folder / "zh.md").write_text(
        f"---\nname: zh\ndescription: {description}\ntakes: [question]\n---\n{{{{ question }}}}\n"
    )
    terminal = Terminal("prompts", "list", columns=50)
    assert terminal.wait_for_end() == 0
    lines = terminal.written.decode().splitlines()
    (wide,) = (line for line in lines if line.startswith("zh "))
    assert wide.endswith("…")
    assert 49 <= cells(wide) <= 50
    assert all(cells(line) <= 50 for line in lines)
    assert run(["prompts", "list"]) == 0
    assert f"user      {description}\n" in capfd.readouterr().out  # in a pipe nothing is cut


def test_a_folder_named_like_a_prompt_is_none(
    private_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = private_home / "config" / "prompts"
    (folder / "dir.md").mkdir(parents=True)
    (folder / "explain.md").mkdir()
    assert run(["prompts", "list"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert [line.split()[0] for line in out.splitlines()].count("explain") == 1
    assert "there is no prompt 'dir'" in refused(capfd, 2, "prompts", "show", "dir")
    assert "dir.md cannot be written" in refused(capfd, 1, "prompts", "new", "dir")
    run_command("explain", "--help")
    assert "Explain code" in capfd.readouterr().out


def test_a_file_where_the_prompts_should_be_is_none(
    private_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (private_home / "config").mkdir()
    (private_home / "config" / "prompts").write_text("")
    assert run(["prompts", "list"]) == 0
    assert "explain" in capfd.readouterr().out
    with pytest.raises(AssistantError, match="cannot be written"):
        run_command("prompts", "new", "mine")
