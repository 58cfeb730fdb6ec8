"""What scripts get: exact bytes on standard output, and silence beside it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_line import FEW, LONG, llmchat, quicksort, start

from assistant.code_blocks import extract_code

# Runs the command, and keeps in a file the text that its answer ended with.
RECORDING = """
import sys
from pathlib import Path
from assistant.cli import main, outcome
_, file, *words = sys.argv
conclude = outcome.conclude
def record(finished, *rest, **more):
    Path(file).write_text(finished.answers[0].text)
    return conclude(finished, *rest, **more)
outcome.conclude = record
sys.argv = ["llmchat", *words]
main.main()
"""


def prompt_of(*words: str, stdin: bytes | None = None) -> str:
    shown = llmchat(*words, "--show-prompt", stdin=stdin)
    assert (shown.returncode, shown.stderr) == (0, b"")
    return shown.stdout.decode()


@pytest.mark.parametrize("words", [["why is the sky blue?"], ["-x", "print hello in Python"]])
def test_a_pipe_gets_the_text_and_one_line_end(words: Sequence[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RECORDING, str(tmp_path / "text"), *words, *FEW],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    text = (tmp_path / "text").read_text()
    expected = extract_code(text) if "-x" in words else text
    assert done.stdout == expected.removesuffix("\n").encode() + b"\n"


def test_a_pipe_gets_no_decoration_and_hears_only_of_the_cut() -> None:
    answer = llmchat("hi", *FEW)
    assert answer.returncode == 0
    assert answer.stdout.strip()
    assert b"\x1b" not in answer.stdout + answer.stderr
    assert answer.stderr == b"cut after 8 tokens; more with -o max_tokens 16\n"


def test_quiet_still_says_that_something_was_cut() -> None:
    assert b"cut after 8 tokens" in llmchat("-q", "hi", *FEW).stderr


def test_the_same_seed_gives_the_same_answer() -> None:
    words = ("hi", "-o", "seed", "7", "-o", "temperature", "1", "-o", "max_tokens", "8")
    assert llmchat(*words).stdout == llmchat(*words).stdout


def test_generate_writes_only_code_into_a_pipe() -> None:
    words = ("generate", "a Python function that adds two numbers", *FEW[:3])
    code = llmchat(*words, "-o", "max_tokens", "30").stdout
    assert b"def " in code
    assert b"```" not in code
    assert b"```" in llmchat(*words, "-o", "max_tokens", "30", "--no-extract").stdout


def test_unquoted_words_are_a_question() -> None:
    assert "\nhow are you⟦<|im_end|>⟧" in prompt_of("how", "are", "you")


def test_standard_input_comes_before_the_question() -> None:
    shown = prompt_of("what went wrong?", stdin=b"ValueError: 3\n")
    assert shown.index("ValueError: 3") < shown.index("what went wrong?")
    assert shown.splitlines()[-2].split() == ["4", "question"]


@pytest.mark.parametrize("words", [[], ["-"], [""]])
def test_standard_input_alone_is_the_question(words: Sequence[str]) -> None:
    assert "user\nwhat is a list?⟦<|im_end|>⟧" in prompt_of(*words, stdin=b"what is a list?\n")


def test_explain_takes_files_and_standard_input() -> None:
    code = quicksort().read_bytes()
    by_name = prompt_of("explain", str(quicksort()))
    assert "def quicksort(numbers):" in by_name
    assert "```python" in by_name
    assert prompt_of("explain", "-", stdin=code) == prompt_of("explain", stdin=code)


def test_summarize_takes_files_and_standard_input(tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("The meeting moved to Tuesday because Anna is ill.\n")
    shown = prompt_of("summarize", str(notes), str(quicksort()))
    assert shown.index("notes.md:\n```markdown\nThe meeting") < shown.index("def quicksort(")
    given = notes.read_bytes()
    assert prompt_of("summarize", "-", stdin=given) == prompt_of("summarize", stdin=given)
    done = llmchat("summarize", str(notes), *FEW)
    assert done.returncode == 0
    assert done.stdout.strip()


def test_translate_names_the_language_before_the_text() -> None:
    shown = prompt_of("translate", str(quicksort()), "--to", "Rust")
    assert prompt_of("translate", "--to", "Rust", str(quicksort())) == shown
    assert shown.index("Translate this to Rust:") < shown.index("def quicksort(numbers):")
    assert "this to simple English:" in prompt_of(
        "translate", "--to", "simple English", stdin=b"Anna ist krank.\n"
    )
    done = llmchat("translate", "--to", "German", "-", *FEW, stdin=b"Anna is ill.\n")
    assert done.returncode == 0
    assert done.stdout.strip()


def test_words_after_two_dashes_are_a_question() -> None:
    assert (
        "user\nexplain -x⟦<|im_end|>⟧"
        in llmchat("--show-prompt", "--", "explain", "-x").stdout.decode()
    )
    assert "user\nexplian⟦<|im_end|>⟧" in llmchat("--show-prompt", "--", "explian").stdout.decode()


def test_bytes_that_the_locale_cannot_read_are_text_all_the_same() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shown = llmchat(
        "caf\u00e9", "--show-prompt", environment={**plain, "PYTHONIOENCODING": "ascii"}
    )
    assert shown.returncode == 0
    assert "caf\u00e9" in shown.stdout.decode()


def test_show_prompt_counts_all_tokens() -> None:
    shown = prompt_of("hi")
    ids = shown.split("ids: ")[1].split("\n")[0].split()
    assert f"tokens: {len(ids)}, 5 of them control tokens" in shown
    assert shown.startswith("⟦<|im_start|>⟧system\n")


def test_color_always_writes_colors_and_moves_no_cursor() -> None:
    answer = llmchat(
        *("a Python function that adds two numbers", "--color", "always"),
        *("-o", "temperature", "0", "-o", "max_tokens", "30"),
    )
    assert answer.returncode == 0
    assert b"\x1b[3" in answer.stdout
    assert b"\r" not in answer.stdout
    assert all(
        piece[: piece.find(b"m")].strip(b"0123456789;") == b""
        for piece in answer.stdout.split(b"\x1b[")[1:]
    )


def test_a_reader_that_leaves_ends_the_answer_silently() -> None:
    process = start(*LONG)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(3)
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_reader_of_help_may_leave_too() -> None:
    process = start("--help")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["hi", "--show-prompt"]])
def test_a_full_disk_is_said_in_one_line(words: Sequence[str]) -> None:
    full = llmchat(*words, shell="> /dev/full")
    assert full.returncode == 1
    assert full.stderr == b"error: cannot write the answer: No space left on device\n"


def test_closed_streams() -> None:
    closed = llmchat("hi", shell=">&-")
    assert closed.returncode == 1
    assert closed.stderr == b"error: standard output is closed (send it somewhere: > FILE)\n"
    assert llmchat("hi", "--show-prompt", shell="2>&- <&-").returncode == 0
    assert llmchat(shell="<&-").returncode == 2


def test_standard_input_that_never_ends_is_refused() -> None:
    endless = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    try:
        assert endless.stdout is not None
        process = start("hi", stdin=endless.stdout.fileno())
        _, err = process.communicate()
    finally:
        endless.kill()
        endless.communicate()
    assert process.returncode == 1
    assert err.startswith(b"error: stdin is larger than 10 MiB (")
