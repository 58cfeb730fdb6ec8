"""The chat as plain lines: on a terminal, in a pipe, and what a signal does to it."""

import os
import signal
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_line import Terminal, llmchat, start, wait_for
from hostile_text import ATTACKS, EVERYTHING, HIDDEN

from assistant.conversation.records import State, StoredMessage
from assistant.conversation.store import Store

TALKER = Path(__file__).parent / "linear_talker.py"
STORY = "Once upon a time. " * 400
CODE = "Look:\n```python\na = 1\n```\n"
# What readline sends while a line is edited, beside plain characters.
OF_READLINE = b"\x1b[?2004h", b"\x1b[?2004l", b"\x1b[K", b"\x1b[C", b"\x07", b"\x08"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(answer: str = "Yes.") -> Sequence[str]:
    file = Path("answer.txt")
    file.write_text(answer)
    return [sys.executable, str(TALKER), str(file.absolute())]


def piped(lines: str, *words: str, answer: str = "Yes.") -> subprocess.CompletedProcess[bytes]:
    return llmchat(*words, stdin=lines.encode(), command=command(answer))


class Chatting(Terminal):
    def __init__(self, *words: str, answer: str = "Yes.", **environment: str) -> None:
        super().__init__(
            *words, command=command(answer), columns=120, rows=50, environment=environment
        )
        self.wait_for_prompt()

    def wait_for_prompt(self) -> None:
        self.wait_for(lambda: self.text.endswith("you>"))

    def say(self, line: str) -> str:
        """What was written because of it."""
        before = len(self.written)
        self.type_line(line)
        self.wait_for(lambda: self.written[before:].count(b"you> ") > 0)
        return self.written[before:].decode()

    def leave_with_ctrl_c(self) -> int:
        """The exit code. One that comes while readline sets itself up waits for the next key."""
        presses = 0
        while not self._is_at_end():
            if presses % 20 == 0:
                self.press_ctrl_c()
            presses += 1
        return self.wait_for_end()

    def press(self, keys: str) -> None:
        self._child.send(keys)


def last_branch() -> list[StoredMessage]:
    store = Store.open()
    latest = store.latest()
    path = store.path(latest.name) if latest is not None else []
    store.close()
    return path


def texts() -> list[str]:
    return [message.text for message in last_branch()]


# ── pipes ───────────────────────────────────────────────────────────────────────────────────


def test_every_line_of_a_pipe_is_a_question_of_one_conversation() -> None:
    done = piped("One?\n\nTwo?\nThree?")
    assert (done.stdout, done.stderr, done.returncode) == (b"Yes.\nYes.\nYes.\n", b"", 0)
    assert texts()[::2] == ["One?", "Two?", "Three?"]


def test_what_is_sent_is_shown_before_each_answer_where_that_is_wanted() -> None:
    done = piped("One?\nTwo?", "--show-context")
    assert done.stdout == b"Yes.\nYes.\n"
    said = done.stderr.decode()
    assert said.count("of 2,048 tokens are the prompt") == 2
    assert "turn 1" in said


def test_lines_that_go_on_are_one_question() -> None:
    piped('One \\\nline?\n"""\ndef f():\n    pass\n"""\n"""short"""\n"""never\nends')
    assert texts()[::2] == ["One \nline?", "def f():\n    pass", "short", "never\nends"]


def test_answers_go_to_standard_output_and_all_else_elsewhere() -> None:
    done = piped("/help\nOne?\n/history\n//slash?\n/new\nTwo?\n")
    assert done.stdout == b"Yes.\nYes.\nYes.\n"
    assert b"/alternatives N" in done.stderr
    assert b"One?" in done.stderr
    assert texts() == ["Two?", "Yes."]


def test_a_line_that_goes_wrong_is_said_and_the_others_are_asked() -> None:
    done = piped("/nope\nOne?\n/set temperature hot\nTwo?\n")
    assert done.stdout == b"Yes.\nYes.\n"
    first, second = done.stderr.decode().splitlines()
    assert first.startswith("error: there is no command /nope (")
    assert second.startswith("error: temperature hot: it takes a number")
    assert done.returncode == 2, "that of the first"


def test_what_is_too_long_is_refused_with_a_command() -> None:
    done = piped("word " * 2000 + "\nOne?\n")
    assert done.returncode == 4
    assert b"this does not fit" in done.stderr
    assert b"/model MODEL" in done.stderr
    assert texts() == ["One?", "Yes."]


def test_a_line_of_a_pipe_has_an_end() -> None:
    done = piped("One?\n" + "x" * 2000 + "\n", "-o=max_input=1000")
    assert done.returncode == 2
    assert done.stdout == b"Yes.\n"
    assert b"more than 1,000 bytes" in done.stderr


def test_exit_ends_a_pipe_before_its_end() -> None:
    assert piped("One?\n/exit\nTwo?\n").stdout == b"Yes.\n"
    assert piped("exit").stdout == b""


def test_a_question_may_come_with_the_command() -> None:
    done = piped("And more?\n", "First?")
    assert done.returncode == 0
    assert texts()[::2] == ["First?", "And more?"]
    piped("Later?\n", "--continue")
    assert texts()[::2] == ["First?", "And more?", "Later?"]


def test_files_are_written_and_not_over_others_where_nobody_can_be_asked() -> None:
    Path("old.py").write_text("b = 2\n")
    done = piped("Code?\n/save code new.py\n/save code old.py\n", answer=CODE)
    assert Path("new.py").read_text() == "a = 1\n"
    assert Path("old.py").read_text() == "b = 2\n"
    assert b"Wrote `new.py`" in done.stderr
    assert b"nobody can be asked: replace old.py?" in done.stderr
    assert done.returncode == 6
    done = piped("Code?\n/save code old.py\n", "-y", answer=CODE)
    assert done.returncode == 0
    assert Path("old.py").read_text() == "a = 1\n"


def test_prompt_files_are_commands() -> None:
    Path("a.py").write_text("x = 1\n")
    done = piped("/explain a.py why?\n")
    assert done.stdout == b"Yes.\n"
    assert texts()[0] == "explain a.py -- why?"


def test_what_a_question_mentions_is_attached() -> None:
    Path("a.py").write_text("x = 1\n")
    piped("What does @a.py do?\n/explain @a.py why?\n/edit 1 What is in @a.py?\n")
    found = last_branch()
    assert found[0].text == "What is in a.py?"
    sources = [part.source for message in found[0].content for part in message.parts]
    assert sources.count("a.py") == 1
    done = piped("What does @a.py:9 do?\n")
    assert done.stderr.startswith(b"error: a.py ")
    assert done.returncode == 1


def test_other_answers_are_told_from_each_other() -> None:
    done = piped("One?\n/alternatives 3\n/resume .4\n/details\n")
    assert b"==> 2 of 3 <==" in done.stdout
    assert b"/resume .5 goes on from the last one" in done.stderr
    assert b"candidate    2 of 3" in done.stderr


def test_without_a_model_commands_work_and_questions_say_what_to_do() -> None:
    done = piped("/help\nOne?\n/model starter\nTwo?\n", "-o=model=none")
    assert done.stdout == b"Yes.\n"
    assert done.returncode == 3
    assert done.stderr.count(b"there is no model none (/model starter)") == 2
    assert texts() == ["Two?", "Yes."]


def test_a_model_that_cannot_be_taken_leaves_the_first() -> None:
    done = piped("/model none\nOne?\n")
    assert done.stdout == b"Yes.\n"
    assert done.returncode == 3


def test_quiet_leaves_out_what_nobody_asked_for() -> None:
    done = piped("One?\n/model\n", "-q")
    assert done.stdout == b"Yes.\n"
    assert b"The model is `Talker Q1`" in done.stderr
    assert b"conversation" not in done.stderr


def test_an_old_conversation_is_told_when_it_comes_back() -> None:
    piped("How do I sort?\n")
    store = Store.open()
    latest = store.latest()
    store.close()
    assert latest is not None
    done = piped(f"/resume {latest.name}\nMore?\n")
    assert f"{latest.name}, How do I sort?: 2 messages" in done.stderr.decode()
    assert len(texts()) == 4
    done = piped("", "--list")
    assert latest.name.encode() in done.stderr


def test_a_pipe_that_nobody_reads_ends_the_chat() -> None:
    with start(stdin=subprocess.PIPE, command=command(STORY)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(b"One?\nTwo?\n" * 50)
        process.stdin.close()
        assert process.wait() != 0
    assert len(texts()) <= 2


# ── terminals ───────────────────────────────────────────────────────────────────────────────


def test_a_terminal_has_a_prompt_and_answers_between() -> None:
    chat = Chatting()
    assert "/help lists the commands, Ctrl-D leaves" in chat.text
    chat.say("One?")
    assert "\nYes.\n" in chat.text
    assert "Talker Q1 · " in chat.text
    chat.press("\x04")
    assert chat.wait_for_end() == 0
    assert texts() == ["One?", "Yes."]


def test_tab_completes_commands() -> None:
    chat = Chatting()
    chat.press("/alt\t")
    chat.wait_for(lambda: chat.text.endswith("you> /alternatives"))
    chat.press("\x15/re\t\t")
    chat.wait_for(lambda: "/regenerate" in chat.text and "/review" in chat.text)
    chat.press("\x15")
    chat.type_line("/exit")
    assert chat.wait_for_end() == 0


def test_ctrl_c_stops_an_answer_and_the_chat_goes_on() -> None:
    chat = Chatting(answer=STORY, SLOWLY="0.02")
    chat.type_line("Tell me.")
    chat.wait_for(lambda: "Once upon a time." in chat.text)
    chat.press_ctrl_c()
    chat.wait_for(lambda: "stopped; what came is kept" in chat.text)
    chat.wait_for_prompt()
    assert chat.say("/history").count("Tell me.") == 1
    chat.type_line("quit")
    assert chat.wait_for_end() == 0
    answer = last_branch()[-1]
    assert answer.state is State.STOPPED
    assert STORY.startswith(answer.text)
    assert len(answer.text) > 10


def test_ctrl_c_at_the_prompt_clears_the_line_and_leaves_the_second_time() -> None:
    chat = Chatting()
    chat.press("half a questi")
    chat.wait_for(lambda: chat.text.endswith("questi"))
    chat.press_ctrl_c()
    chat.wait_for(lambda: "Ctrl-C once more leaves" in chat.text)
    chat.wait_for_prompt()
    chat.say("One?")
    chat.press_ctrl_c()
    chat.wait_for(lambda: chat.text.count("Ctrl-C once more leaves") == 2)
    chat.wait_for_prompt()
    assert chat.leave_with_ctrl_c() == 0
    assert texts() == ["One?", "Yes."]


def test_lines_are_remembered_for_their_writer_alone(private_home: Path) -> None:
    chat = Chatting()
    chat.say("What is a list?")
    chat.press("\x04")
    chat.wait_for_end()
    file = private_home / "state" / "chat_lines"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = Chatting()
    again.press("\x1b[A")
    again.wait_for(lambda: again.text.endswith("you> What is a list?"))
    again.press("\x15\x04")
    again.wait_for_end()


def test_without_history_no_line_is_kept(private_home: Path) -> None:
    chat = Chatting("-o=history=false")
    chat.say("Secret?")
    chat.press("\x04")
    chat.wait_for_end()
    assert not list(private_home.rglob("chat_lines"))
    assert not list(private_home.rglob("history.db*"))


def test_a_question_is_edited_where_the_next_one_is_typed() -> None:
    chat = Chatting()
    chat.say("What is a lits?")
    chat.type_line("/edit")
    chat.wait_for(lambda: chat.text.endswith("you> What is a lits?"))
    chat.press("\x7f" * 5)
    chat.say("list?")
    assert texts() == ["What is a list?", "Yes."]
    chat.press("\x04")
    chat.wait_for_end()


def test_a_file_is_replaced_when_somebody_says_yes() -> None:
    Path("old.py").write_text("b = 2\n")
    chat = Chatting(answer=CODE)
    chat.say("Code?")
    for answer, expected in (("n", "b = 2\n"), ("y", "a = 1\n")):
        chat.type_line("/save code old.py")
        chat.wait_for(lambda: chat.text.endswith("replace old.py? [y/N]"))
        chat.say(answer)
        assert Path("old.py").read_text() == expected
    chat.press("\x04")
    assert chat.wait_for_end() == 0


def test_copying_asks_the_terminal_for_the_text_as_it_was_written() -> None:
    chat = Chatting(answer=CODE)
    chat.say("Code?")
    chat.type_line("/copy code")
    chat.wait_for(lambda: "copied code (python), 6 characters" in chat.text)
    assert b"\x1b]52;c;" + b64encode(b"a = 1\n") + b"\a" in chat.written
    chat.press("\x04")
    chat.wait_for_end()


def test_the_prompt_is_there_while_the_terminal_is_dumb() -> None:
    chat = Chatting(TERM="dumb")
    chat.say("One?")
    assert "Yes." in chat.text
    assert b"\x1b" not in chat.written
    chat.type_line("/copy")
    chat.wait_for(lambda: "there is no clipboard here (/save FILE)" in chat.text)
    chat.press("\x04")
    assert chat.wait_for_end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_prompt_leaves_in_order(number: signal.Signals) -> None:
    chat = Chatting()
    chat.say("One?")
    os.kill(chat._child.pid, number)
    assert chat.wait_for_end() == 128 + number
    assert texts() == ["One?", "Yes."]


def test_a_signal_in_an_answer_keeps_what_came_and_leaves() -> None:
    process = start(stdin=subprocess.PIPE, command=command(STORY), environment={"SLOWLY": "0.02"})
    assert process.stdin is not None
    process.stdin.write(b"Tell me.\nAnd then?\n")
    process.stdin.flush()
    wait_for(lambda: len(texts()) == 2 and len(texts()[1]) > 20)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    answer = last_branch()[-1]
    assert answer.state is State.STOPPED
    assert len(texts()) == 2


# ── what others wrote ───────────────────────────────────────────────────────────────────────


def test_nothing_steers_the_terminal() -> None:
    attack = EVERYTHING + "".join(ATTACKS)
    Path("evil\x1b]0;x\x07.py").write_text(attack)
    chat = Chatting(answer=attack)
    chat.say("One?")
    chat.say("/history")
    chat.say("/search never")
    chat.type_line("/attach evil*")
    chat.wait_for(lambda: "there is no file evil*" in chat.text)
    chat.press("\x04")
    assert chat.wait_for_end() == 0
    rest = chat.written
    for own in OF_READLINE:
        rest = rest.replace(own, b"")
    found = HIDDEN.search(rest.decode())
    assert found is None, (found[0], rest)


def test_a_pipe_gets_the_bytes_of_the_answer() -> None:
    attack = "".join(ATTACKS)
    done = piped("One?\n", answer=attack)
    assert done.stdout == attack.encode() + b"\n"
    assert HIDDEN.search(done.stderr.decode()) is None


# ── the real model ──────────────────────────────────────────────────────────────────────────


def test_the_starter_answers_line_by_line_and_remembers() -> None:
    few = ("-o=temperature=0", "-o=max_tokens=8")
    done = llmchat(
        *few,
        stdin=b"My name is Ada. Say hi.\nWhat is my name?\n/context\n/details\n",
        command=[sys.executable, str(TALKER), "starter"],
    )
    assert done.returncode == 0, done.stderr
    first, second = (message for message in last_branch() if message.writing is not None)
    assert done.stdout.decode() == f"{first.text.rstrip()}\n{second.text.rstrip()}\n"
    assert second.writing is not None
    assert second.writing.usage is not None
    assert second.writing.usage.cached_tokens > 20, "what was said is not read again"
    said = done.stderr.decode()
    assert "cut after 8 tokens; more with /set max_tokens 16" in said
    assert "turn 1" in said
    assert "again        llmchat history replay" in said
