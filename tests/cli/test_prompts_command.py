"""`llmchat prompts`: what is listed and shown, and how a prompt of one's own comes about."""

import io
import json
import os
import sys
from pathlib import Path

import pytest
from command_line import run_command

from assistant.cli import prompt_files
from assistant.cli.doctor_command import _prompts
from assistant.cli.prompt_files import create_prompt, edit_prompt, show_prompt, write_list
from assistant.cli.report import Report
from assistant.errors import AssistantError, UsageError
from assistant.prompts.finding import find_prompt
from assistant.prompts.folders import built_in_folder, user_folder

GOOD = "---\nname: own\ndescription: Mine\ntakes: [question]\n---\n{{ question }}\n"


@pytest.fixture
def write_own() -> Path:
    user_folder().mkdir(parents=True)
    path = user_folder() / "own.md"
    path.write_text(GOOD)
    return path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2


def edited(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The editor writes this, on a terminal that has room for every line."""
    monkeypatch.setattr("os.get_terminal_size", lambda _fd: os.terminal_size((500, 50)))
    monkeypatch.setattr(prompt_files, "edit_file", lambda path: path.write_text(text))


def report() -> Report:
    return Report(Terminal())


# ── list ────────────────────────────────────────────────────────────────────────────────────


def test_the_list_says_whose_a_prompt_is_and_what_is_wrong_with_it(
    write_own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (user_folder() / "ask.md").write_text(GOOD.replace("own", "ask"))
    (user_folder() / "bad.md").write_text(GOOD.replace("takes", "takse"))
    (user_folder() / "doctor.md").write_text(GOOD.replace("own", "doctor"))
    run_command("prompts", "list")
    lines = capsys.readouterr().out.splitlines()
    assert "explain    built-in  Explain code in plain words" in lines
    assert "own        user      Mine" in lines
    assert "ask        user      hidden by built-in prompt: Mine" in lines
    assert "doctor     user      hidden by command: Mine" in lines
    assert "bad        user      broken: line 4: unknown key 'takse' (did you mean takes?)" in lines
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)


def test_the_list_as_json_has_every_fact(write_own: Path) -> None:
    write_own.write_text(GOOD.replace("Mine", '"\\e[2J"').replace("question }}", "questoin }}"))
    out = io.StringIO()
    write_list({"own"}, out, as_json=True)
    (own,) = (row for row in json.loads(out.getvalue()) if row["origin"] == "user")
    assert own == {
        "name": "own",
        "path": str(write_own),
        "origin": "user",
        "description": "",
        "error": f"{write_own}, line 6: there is no variable questoin",
        "hidden_by": "command",
    }


def test_the_list_as_json_is_one_ascii_line(write_own: Path) -> None:
    odd = write_own.with_name("odd.md")
    odd.write_text(GOOD.replace("own", "odd").replace("takes", '"\\x7f\\x9b\\u202e"'))
    out = io.StringIO()
    write_list((), out, as_json=True)
    assert out.getvalue().isascii()
    assert not {"\x7f", "\x1b"} & {*out.getvalue()}
    assert out.getvalue().count("\n") == 1
    row = next(row for row in json.loads(out.getvalue()) if row["name"] == "odd")
    assert "unknown key" in row["error"]


@pytest.mark.parametrize("variable", ["output", "ctx"])
def test_a_variable_named_like_an_option_breaks_a_prompt(
    variable: str, write_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = GOOD.replace("takes:", f"variables: {{{variable}: x}}\ntakes:")
    edited(text, monkeypatch)
    with pytest.raises(UsageError, match=f"the variable {variable} is called like") as caught:
        edit_prompt("own", report())
    assert caught.value.hint.endswith("llmchat prompts edit own")
    out = io.StringIO()
    write_list((), out, as_json=False)
    (line,) = (line for line in out.getvalue().splitlines() if line.startswith("own "))
    assert f"the variable {variable} is called like" in line
    (state,) = (state for state in _prompts() if state.path == write_own)
    assert state.error is not None


def test_a_dry_run_writes_and_opens_no_prompt(
    write_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = create_prompt("mine", None, (), is_dry_run=True)
    assert path == user_folder() / "mine.md"
    assert not path.exists()
    with pytest.raises(UsageError, match="you have a prompt own"):
        create_prompt("own", None, (), is_dry_run=True)
    edited("changed", monkeypatch)
    said = report()
    edit_prompt("own", said, is_dry_run=True)
    assert isinstance(said.err, Terminal)
    assert said.err.getvalue() == f"would open {write_own} in your editor\n"
    assert write_own.read_text() == GOOD


def test_the_list_fits_a_terminal(write_own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    out = Terminal()
    write_list((), out, as_json=False)
    assert max(map(len, out.getvalue().splitlines())) == 30
    assert "…" in out.getvalue()


# ── show ────────────────────────────────────────────────────────────────────────────────────


def test_show_writes_the_exact_file_and_beside_it_where_it_is(
    write_own: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    write_own.write_bytes(b"\xff\r\nno prompt\x1b[2J")
    run_command("prompts", "show", "own")
    out, err = capfdbinary.readouterr()
    assert out == b"\xff\r\nno prompt\x1b[2J"
    assert err == f"{write_own}\n".encode()
    run_command("prompts", "show", "own", "-q")
    assert capfdbinary.readouterr().err == b""


def test_a_terminal_is_shown_a_file_with_nothing_hidden(
    write_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_own.write_text(f"{GOOD}\x1b[2J")
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    show_prompt("own", report())
    assert out.getvalue() == f"{GOOD}\\x1b[2J\n"


@pytest.mark.parametrize("command", ["show", "edit", "new"])
def test_a_name_is_needed(command: str) -> None:
    with pytest.raises(UsageError, match=f"prompts {command} needs a name"):
        run_command("prompts", command)


# ── edit ────────────────────────────────────────────────────────────────────────────────────


def test_what_was_edited_is_checked_and_kept(
    write_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited(GOOD.replace("Mine", "Better"), monkeypatch)
    said = report()
    edit_prompt("own", said)
    assert find_prompt("own").description == "Better"
    assert isinstance(said.err, Terminal)
    assert "llmchat own" in said.err.getvalue()
    bad = GOOD.replace("{{ question }}", "{{ question }")
    edited(bad, monkeypatch)
    with pytest.raises(UsageError, match=r"own\.md, line 6: ") as caught:
        edit_prompt("own", report())
    assert caught.value.hint.endswith("llmchat prompts edit own")
    assert write_own.read_text() == bad


@pytest.mark.parametrize(
    ("name", "reason", "hint"),
    [
        ("ask", "ask is built in and cannot be changed", "prompts new my-ask --from ask"),
        ("nosuch", "there is no prompt 'nosuch'", "prompts new NAME"),
        ("../config", "there is no prompt '../config'", "prompts new NAME"),
    ],
)
def test_only_a_prompt_of_the_user_is_edited(name: str, reason: str, hint: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        run_command("prompts", "edit", name)
    assert hint in caught.value.hint


# ── new ─────────────────────────────────────────────────────────────────────────────────────


def test_a_new_prompt_begins_with_a_file_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    run_command("prompts", "new", "shorten")
    path = user_folder() / "shorten.md"
    assert capsys.readouterr() == (f"{path}\n", "")
    prompt = find_prompt("shorten")
    prompt.check_templates()
    assert prompt.examples == ("llmchat shorten FILE",)
    assert "#" in path.read_text()


@pytest.mark.parametrize("source", [path.stem for path in built_in_folder().glob("[a-z]*.md")])
def test_a_copy_is_the_same_prompt_under_its_own_name(source: str) -> None:
    create_prompt("my-copy", source, ())
    copy, original = find_prompt("my-copy"), find_prompt(source)
    assert (copy.body, copy.system, copy.needs) == (original.body, original.system, original.needs)
    assert not any(f"llmchat {source}" in example for example in copy.examples)
    if source != "ask":
        assert all("llmchat my-copy" in example for example in copy.examples)


def test_a_person_at_a_terminal_edits_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Terminal(), Terminal()
    for name, stream in (("stdin", Terminal()), ("stdout", out), ("stderr", err)):
        monkeypatch.setattr(sys, name, stream)
    edited(GOOD.replace("own", "shorten"), monkeypatch)
    run_command("prompts", "new", "shorten")
    assert out.getvalue() == f"{user_folder() / 'shorten.md'}\n"
    assert "llmchat shorten" in err.getvalue()
    assert find_prompt("shorten").description == "Mine"


@pytest.mark.parametrize(
    ("name", "reason", "hint"),
    [
        ("explain", "explain is a built-in prompt", "--from explain"),
        ("doctor", "doctor is a command", "my-doctor"),
        ("own", "you have a prompt own", "prompts edit own"),
        ("Own", "a prompt cannot be named 'Own'", "a to z"),
        ("_own", "a prompt cannot be named '_own'", "a to z"),
        ("a/b", "a prompt cannot be named 'a/b'", "a to z"),
    ],
)
def test_a_name_that_is_taken_or_bad_is_refused(
    write_own: Path, name: str, reason: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        run_command("prompts", "new", name)
    assert hint in caught.value.hint
    assert [path.name for path in user_folder().iterdir()] == ["own.md"]


def test_a_copy_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no prompt 'nosuch'"):
        run_command("prompts", "new", "mine", "--from", "nosuch")


def test_a_folder_that_cannot_be_made_is_named(private_home: Path) -> None:
    (private_home / "config").write_text("a file in its place")
    with pytest.raises(AssistantError, match="prompts cannot be written"):
        create_prompt("mine", None, ())
