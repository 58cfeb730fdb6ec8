"""No byte of a model, a file, a name or a prompt steers the terminal; pipes get them exactly."""

import os
import random
import re
from pathlib import Path

import pytest
from command_line import Terminal, llmchat, talker
from conftest import SCALE
from hostile_text import ATTACKS, EVERYTHING, HIDDEN

# What we send ourselves: colours, moving up, erasing, the cursor, wrapping and painting at once.
OWN = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[\d*A|\x1b\[[JK]|\x1b\[\?(?:25|7|2026)[hl]")


def assert_harmless(written: bytes) -> None:
    rest = OWN.sub(b"", written).decode("utf-8")
    found = HIDDEN.search(rest)
    assert found is None, (found[0], rest[max(0, found.start() - 60) : found.end() + 20])
    assert "\r" not in re.sub(r"\r+\n|\r(?=$)", "", OWN.sub(b"", ERASED.sub(b"", written)).decode())


ERASED = re.compile(rb"\r(?=\x1b\[[JK])|(?<=A)\r|\r(?=\x1b)")


def fuzzed(seed: int) -> str:
    """Escape sequences, whole and cut, in Markdown."""
    choice = random.Random(seed)
    pieces = [*ATTACKS, EVERYTHING, "```python\n", "```\n", "\n\n", "| a | b |\n|--|--|\n", "# "]
    text = "".join(choice.choice(pieces) for _ in range(30))
    return "".join(
        text[at : at + choice.randint(1, 9)] for at in range(0, len(text), choice.randint(1, 9))
    )


@pytest.mark.parametrize("seed", range(max(2, int(20 * SCALE))))
def test_an_answer_cannot_steer_the_terminal(seed: int, tmp_path: Path) -> None:
    text = fuzzed(seed) if seed else EVERYTHING + "".join(ATTACKS)
    command = talker(text, tmp_path)
    for environment in ({}, {"NO_COLOR": "1"}):
        terminal = Terminal("hi", command=command, environment=environment)
        assert terminal.wait_for_end() == 0
        assert_harmless(terminal.written)
    piped = llmchat("hi", command=command)
    assert piped.stdout == text.encode().removesuffix(b"\n") + b"\n"
    as_json = llmchat("hi", "--json", command=command).stdout
    assert as_json.isascii()
    assert HIDDEN.search(as_json.decode()) is None


def test_a_file_and_its_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    name = "evil\x1b]0;x\x07\n\u202e\x9b31m.py"
    file = tmp_path / name
    file.write_bytes(("x = 1 # " + "".join(ATTACKS) + "\nprint(2)\n").encode())
    undecodable = os.fsdecode(bytes(tmp_path) + b"/\xff\xfe\x1b[31m.py")
    Path(undecodable).write_text("x = 1\n")
    command = talker("fine\n```python\nx = 2 # \x1b]0;x\x07\nprint(2)\n```\n", tmp_path)
    for words in (
        ["explain", str(file)],
        ["explain", str(file), "--dry-run"],
        ["explain", str(file), "--show-prompt"],
        ["explain", str(file), "-v"],
        ["explain", undecodable, "-v"],
        ["explain", f"{file}:9-12"],
        ["explain", f"{file}::\x1b]0;x\x07no"],
        ["explain", str(file) + "\x1b]0;x\x07"],
        ["fix", str(file), "--diff"],
        ["fix", str(file), "--write", "--yes", "--dry-run"],
        ["fix", str(file), "--diff", "--write", "--yes"],
        ["undo", "--list"],
        ["undo"],
        ["hi", "-m", "no\x1b]0;x\x07.gguf"],
        ["hi", "-o", "temp\x1b]0;x\x07", "1"],
        ["\x1b]0;x\x07", "--nosuch\x1b]0;x\x07"],
        ["\u202eexplain", "-s", "\x1b]0;x\x07", "--show-prompt"],
        ["config", "show", "-s", "\x1b]0;x\x07\u202e"],
    ):
        terminal = Terminal(*words, command=command)
        terminal.wait_for_end()
        assert terminal.written.strip(), words
        assert_harmless(terminal.written)


def test_prompt_files_and_settings_cannot_steer_the_terminal(
    private_home: Path, tmp_path: Path
) -> None:
    folder = private_home / "config" / "prompts"
    folder.mkdir(parents=True)
    evil = "".join(ATTACKS).replace("\n", "").encode("unicode_escape").decode().replace('"', "")
    head = 'name: {}\ndescription: "{}"\ntakes: [question]\nexamples: ["{}"]\n'
    (folder / "evil.md").write_text(
        f"---\n{head.format('evil', evil, evil)}---\n{{{{ question }}}}\n"
    )
    (folder / "broken.md").write_text("---\nname: \x1b]0;x\x07\n---\n\x1b]0;x\x07\n")
    (folder / "\x1b]0;x\x07.md").write_text("---\n---\n")
    (private_home / "config" / "config.toml").write_text('system = "\\u001b[31m\\u202e"\n')
    command = talker("fine", tmp_path)
    for words in (
        ["--help"],
        ["evil", "--help"],
        ["broken", "hi"],
        ["prompts", "list"],
        ["prompts", "show", "evil"],
        ["prompts", "show", "broken"],
        ["config", "show"],
        ["config", "path"],
        ["hi", "--show-prompt"],
    ):
        terminal = Terminal(*words, command=command, columns=120, rows=50)
        terminal.wait_for_end()
        assert terminal.written.strip(), words
        assert_harmless(terminal.written)
    (private_home / "config" / "config.toml").write_text("\x1b]0;evil\x07 = 1\n")
    terminal = Terminal("hi", command=command)
    assert terminal.wait_for_end() == 2
    assert_harmless(terminal.written)
