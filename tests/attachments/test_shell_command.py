"""Shell commands: what they write, how they end, and that they can always be stopped."""

import os
import threading
import time
from pathlib import Path

import pytest

from assistant.attachments import shell
from assistant.attachments.shell import (
    Ending,
    ShellCommand,
    ShellResult,
    attachment_of,
    shown_ending,
)
from assistant.errors import InputError


@pytest.fixture(autouse=True)
def plain_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")


def run(command: str, limit_seconds: float = 60.0) -> ShellResult:
    return ShellCommand(command, limit_seconds).run()


def run_until(command: str, sign: str) -> ShellResult:
    """Cancelled as soon as it has written the sign."""
    running = ShellCommand(command)
    seen: list[str] = []

    def look(text: str) -> None:
        seen.append(text)
        if sign in "".join(seen):
            running.cancel()

    return running.run(look)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def gone(pid: int) -> bool:
    """Within a few seconds."""
    end = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not is_running(pid)


def test_both_streams_come_in_their_order_with_the_exit_code() -> None:
    result = run("echo one; echo two >&2; echo three; exit 3")
    assert result.output == "one\ntwo\nthree\n"
    assert (result.exit_code, result.ending, result.is_cut) == (3, Ending.EXITED, False)
    assert shown_ending(result) == "exit code 3"


def test_it_runs_in_the_current_folder_and_the_user_s_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake = tmp_path / "fake-shell"
    fake.write_text('#!/bin/sh\necho "fake $1 $2 in $PWD"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("SHELL", str(fake))
    assert run("some words").output == f"fake -c some words in {tmp_path}\n"
    monkeypatch.setenv("SHELL", "fake-shell")  # no path: /bin/sh takes its place
    assert run("echo plain").output == "plain\n"


def test_it_has_neither_input_nor_a_terminal() -> None:
    result = run("cat; echo read; (echo draw > /dev/tty) 2>/dev/null || echo no terminal")
    assert result.output == "read\nno terminal\n"


def test_output_is_shown_while_it_runs() -> None:
    result = run_until("echo early; sleep 30; echo late", "early")
    assert result.ending is Ending.CANCELLED
    assert result.output == "early\n"
    assert result.seconds < 10
    assert shown_ending(result).startswith("stopped after ")


def test_cancelling_ends_all_that_it_started() -> None:
    result = run_until("sleep 60 & echo $!; sleep 60", "\n")
    assert result.ending is Ending.CANCELLED
    assert gone(int(result.output))


def test_what_does_not_heed_ctrl_c_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "GRACE_SECONDS", 0.2)
    result = run_until("trap '' INT TERM; echo $$; while :; do sleep 1; done", "\n")
    assert gone(int(result.output))
    assert result.exit_code == -9


def test_a_command_can_be_cancelled_before_it_runs() -> None:
    running = ShellCommand("sleep 60")
    running.cancel()
    assert running.run().ending is Ending.CANCELLED


def test_a_command_that_takes_too_long_is_stopped() -> None:
    result = run("sleep 60", limit_seconds=0.2)
    assert result.ending is Ending.TOO_LONG
    assert "the most that a command gets" in shown_ending(result)


def test_what_it_leaves_in_the_background_is_not_waited_for() -> None:
    began = time.monotonic()
    result = run("sleep 20 & echo $!")
    assert result.ending is Ending.EXITED
    assert time.monotonic() - began < 10
    assert is_running(int(result.output))
    os.kill(int(result.output), 9)


def test_a_command_without_output_streams_is_waited_for() -> None:
    assert run("exec >&- 2>&-; sleep 0.3; exit 4").exit_code == 4


def test_a_signal_is_named() -> None:
    assert shown_ending(run("kill -9 $$")) == "killed by SIGKILL"


def test_endless_output_keeps_its_beginning_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "MAX_BYTES", 10_000)
    monkeypatch.setattr(shell, "HEAD_BYTES", 2_500)
    seen: list[str] = []
    result = ShellCommand("seq 100000; echo the end").run(seen.append)
    assert result.is_cut
    assert result.output.startswith("1\n2\n3\n")
    assert result.output.endswith("\n100000\nthe end\n")
    assert len(result.output) < 10_100
    lines = result.output.split("\n")
    (cut,) = [at for at, line in enumerate(lines) if "bytes are left out" in line]
    assert lines[cut - 2] == str(cut - 1)  # whole lines before it
    assert lines[cut + 2].isdigit()  # and after it
    assert int(lines[cut + 3]) == int(lines[cut + 2]) + 1
    assert sum(map(len, seen)) == 10_000


def test_output_that_is_no_text_is_readable() -> None:
    assert run(r"printf '\377\344\275\240\n'").output == "\N{REPLACEMENT CHARACTER}你\n"


def test_a_line_that_is_written_over_keeps_its_last_version() -> None:
    assert run(r"printf '1%%\r2%%\r3%%\r\ndone\r\n'").output == "3%\ndone\n"


def test_a_long_line_takes_no_longer() -> None:
    began = time.monotonic()
    assert len(run("head -c 800000 /dev/zero | tr '\\0' x").output) == 800_000
    assert time.monotonic() - began < 5


def test_no_shell_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot be started: embedded null byte"):
        run("echo \0")


def test_the_output_is_attached_with_the_command_and_its_ending() -> None:
    attachment = attachment_of(run("echo hello; exit 2"))
    assert attachment.name == "output of echo hello; exit 2"
    assert attachment.text == "$ echo hello; exit 2\nhello\nexit code 2\n"
    assert attachment.language == "console"
    assert attachment_of(run("true")).text == "$ true\nexit code 0\n"
    assert attachment_of(run("printf x")).text == "$ printf x\nx\nexit code 0\n"


def test_a_name_is_one_short_line() -> None:
    result = run("echo '" + "long " * 30 + "\nword'")
    assert len(attachment_of(result).name) <= 80
    assert "\n" not in attachment_of(result).name


def test_two_commands_run_side_by_side() -> None:
    results: list[ShellResult] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(run(f"sleep 0.2; echo {n}")))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.output for result in results) == ["0\n", "1\n"]
