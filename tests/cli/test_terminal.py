"""What a person sees: colours, the last line, progress, and Ctrl-C."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMAND, FEW, LONG, Terminal, start, wait_for
from conftest import ROOT

CODE = "a Python function greet(name) with a comment line that starts with #"
WORDS = (b"if", b'"sorted:"', b"# Everything")  # a keyword, a string and a comment
INTERRUPT = """
import os, signal
from assistant.cli.interrupts import Interrupts
def cancel():
    print("cancelled", flush=True)
with Interrupts() as interrupts:
    interrupts.on_first(cancel)
    os.kill(os.getpid(), signal.SIGINT)
    print("goes on", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("never")
"""


def test_code_has_colors_and_the_last_line_says_how_it_went() -> None:
    terminal = Terminal(CODE, "-o", "temperature", "0", "-o", "max_tokens", "60")
    assert terminal.wait_for_end() == 0
    assert terminal.color_of("def ") != "default"
    *_, cut, last = terminal.text.splitlines()
    assert cut == "cut after 60 tokens; more with -o max_tokens 120"
    assert last.startswith("SmolLM2-135M-Instruct Q4_1 · ")
    assert " of 8,192 tokens" in last


def test_explaining_a_short_file_shows_it_in_colors() -> None:
    terminal = Terminal("explain", str(ROOT / "docs/examples/quicksort.py"), *FEW)
    assert terminal.wait_for_end() == 0
    colors = [terminal.color_of(word) for word in ("return", '"sorted:"', "# Everything")]
    assert len({*colors, "default"}) == 4
    sequences = {terminal.written.split(word)[0].rpartition(b"\x1b[")[2] for word in WORDS}
    assert len(sequences) == 3


def test_a_narrow_terminal_gets_a_last_line_that_fits() -> None:
    terminal = Terminal("hi", *FEW, columns=40, rows=15)
    assert terminal.wait_for_end() == 0
    assert terminal.text.splitlines()[-1] == "SmolLM2-135M-Instruct Q4_1"


def test_quiet_leaves_out_the_last_line() -> None:
    terminal = Terminal("hi", *FEW, "-q")
    assert terminal.wait_for_end() == 0
    assert "SmolLM2" not in terminal.text


def test_only_code_is_not_read_as_markdown() -> None:
    words = ("-x", "a Python function that adds two numbers")
    terminal = Terminal(*words, "-o", "temperature", "0", "-o", "max_tokens", "30")
    assert terminal.wait_for_end() == 0
    assert "```" not in terminal.text
    assert terminal.text.startswith("def ")
    assert b"\x1b[?2026h" not in terminal.written


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_no_colors_where_none_are_wanted(environment: dict[str, str]) -> None:
    terminal = Terminal("hi", *FEW, environment=environment)
    assert terminal.wait_for_end() == 0
    assert terminal.text
    if "TERM" in environment:
        assert b"\x1b" not in terminal.written
    else:
        assert b"m" not in {piece[-1:] for piece in terminal.written.split(b"\x1b[3")[1:]}


def test_a_long_prompt_shows_a_bar_that_disappears(tmp_path: Path) -> None:
    file = tmp_path / "numbers.py"
    file.write_text("\n".join(f"value_{number} = {number}" for number in range(50)))
    terminal = Terminal("explain", str(file), *FEW)
    assert terminal.wait_for_end() == 0
    assert "reading" not in terminal.text
    if b"reading" in terminal.written:  # not on a machine that reads all that in half a second
        assert "━".encode() in terminal.written


def test_ctrl_c_ends_the_answer_and_keeps_what_came() -> None:
    terminal = Terminal(*LONG)
    terminal.wait_for(lambda: len(terminal.text) > 20 and "loading" not in terminal.text)
    terminal.press_ctrl_c()
    assert terminal.wait_for_end() == 130
    *answer, last = terminal.text.splitlines()
    assert len(" ".join(answer)) > 20
    assert last.startswith("SmolLM2")
    assert terminal.screen.cursor.x == 0


def test_an_interrupt_in_a_pipe_keeps_what_came() -> None:
    process = start(*LONG)
    assert process.stdout is not None
    first = process.stdout.read(3)
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate()
    assert process.returncode == 130
    assert (first + rest).endswith(b"\n")
    assert err == b""


def test_ctrl_c_leaves_at_once_before_there_is_an_answer(private_home: Path) -> None:
    process = start("hi", stdin=subprocess.PIPE)  # waits for standard input
    wait_for((private_home / "state").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    out, err = process.communicate()
    assert (out, err) == (b"", b"")


def test_ctrl_c_twice_leaves_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPT], capture_output=True, check=False)
    assert done.returncode == 130
    assert done.stdout == b"cancelled\ngoes on\n"


@pytest.mark.parametrize("command", ["complete", "explain", "generate"])
def test_a_command_that_lacks_its_input_says_so(command: str) -> None:
    terminal = Terminal(command)
    assert terminal.wait_for_end() == 2
    assert terminal.text.startswith(f"error: {command} needs ")
    assert f"llmchat {command}" in terminal.text


def test_no_word_at_all_opens_the_chat() -> None:
    terminal = Terminal(rows=40)
    terminal.wait_for(lambda: "Ask about your code" in terminal.text)
    terminal.press("\x11")  # Ctrl-Q
    assert terminal.wait_for_end() == 0


def test_the_chat_cannot_be_written_to_a_file(tmp_path: Path) -> None:
    words = [*COMMAND, ">", str(tmp_path / "chat.txt")]
    terminal = Terminal("-c", " ".join(words), command=["/bin/sh"])
    assert terminal.wait_for_end() == 2
    assert "error: the chat needs a terminal (llmchat --linear, or llmchat" in terminal.text
