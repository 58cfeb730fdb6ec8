"""Signals that arrive while files are replaced have their effect afterwards."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from assistant.edits.held_signals import HELD, hold_signals
from assistant.edits.undo import list_writes, undo_last

CHILD = """
import os, signal, sys, threading, time
from pathlib import Path
from assistant import safe_files
from assistant.edits.proposal import Proposal
from assistant.edits.safe_write import write_proposal
from assistant.edits.undo import undo_last

threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
path, steps = Path(sys.argv[1]), []
proposal = Proposal(path, "x", path.read_bytes(), b"new", "utf-8")
if sys.argv[3] == "undo":
    write_proposal(proposal)
name = sys.argv[2]
original = getattr(safe_files, name)

def interrupted(*given):
    os.kill(os.getpid(), signal.SIGTERM)
    return original(*given)

setattr(safe_files, name, interrupted)
undo_last() if sys.argv[3] == "undo" else write_proposal(proposal)
print("it went on")
"""


@pytest.mark.parametrize("what", ["write", "undo"])
@pytest.mark.parametrize("step", ["_resemble", "sync_folder"])
def test_a_signal_in_the_middle_ends_the_process_when_all_is_done(
    tmp_path: Path, step: str, what: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), step, what], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b""), done.stderr
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == (b"old" if what == "undo" else b"new")
    assert len(list_writes()) == (0 if what == "undo" else 1)
    if what == "write":
        undo_last()
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("number", HELD)
def test_a_handler_is_called_once_and_is_there_again(number: signal.Signals) -> None:
    came: list[int] = []

    def take(taken: int, _frame: object) -> None:
        came.append(taken)

    previous = signal.signal(number, take)
    try:
        with hold_signals():
            os.kill(os.getpid(), number)
            signal.raise_signal(number)
            assert came == []
        assert came == [number]
        assert signal.getsignal(number) is take
    finally:
        signal.signal(number, previous)


def test_an_ignored_signal_stays_ignored() -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with hold_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_another_thread_holds_nothing_and_does_not_fail() -> None:
    held = []

    def work() -> None:
        with hold_signals():
            held.append(signal.getsignal(signal.SIGINT))

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert held == [signal.getsignal(signal.SIGINT)]
