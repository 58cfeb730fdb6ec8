"""What native code writes to descriptor 2 does not reach the screen."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from pathlib import Path
from assistant.tui.stderr_guard import guarded_stderr
log = Path(sys.argv[1]) if sys.argv[1] else None
with guarded_stderr(log):
    os.write(2, b"native noise\\n")
    subprocess = os.system("echo child noise >&2")
    sys.__stderr__.write("the screen\\n")
    sys.__stderr__.flush()
os.write(2, b"after\\n")
print("python after", file=sys.stderr)
"""


def run(log: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, log], capture_output=True, text=True, check=True
    )
    return done.stderr


def test_noise_goes_to_the_log_and_the_screen_stays(tmp_path: Path) -> None:
    log = tmp_path / "chat.log"
    assert run(str(log)) == "the screen\nafter\npython after\n"
    assert log.read_text() == "native noise\nchild noise\n"
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("log", ["", "/nowhere/chat.log"])
def test_without_a_log_it_is_dropped(log: str) -> None:
    assert run(log) == "the screen\nafter\npython after\n"
