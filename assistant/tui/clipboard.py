"""Text into the clipboard: through tmux, through the terminal, through the system's own tool.

OSC 52 asks the terminal and gets no answer, so the system's tool is asked as well where there is
one. Nothing is ever read from the clipboard.
"""

import os
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence

LARGEST_OSC_52 = 74_994  # bytes of text; terminals drop longer sequences
PATIENCE_SECONDS = 2.0
TMUX = "tmux"  # has a clipboard of its own beside the system's


def fits_terminal(text: str) -> bool:
    """Whether a terminal takes it with OSC 52."""
    return len(text.encode("utf-8", "replace")) <= LARGEST_OSC_52


def osc_52(text: str) -> str:
    """The sequence that asks a terminal to take this; "" where that is too long for one."""
    data = b64encode(text.encode("utf-8", "replace")).decode()
    return f"\x1b]52;c;{data}\a" if fits_terminal(text) else ""


def commands(environment: Mapping[str, str] = os.environ) -> list[Sequence[str]]:
    """What takes the text on standard input, the best first."""
    found: list[Sequence[str]] = []
    if environment.get("TMUX"):
        found.append((TMUX, "load-buffer", "-w", "-"))  # and its terminal's, where it may
    if sys.platform == "darwin":
        found.append(("pbcopy",))
    if environment.get("WAYLAND_DISPLAY"):
        found.append(("wl-copy",))
    if environment.get("DISPLAY"):
        found += [("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input")]
    return [command for command in found if shutil.which(command[0])]


def give_to_system(text: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a tool took it; blocks, for seconds at the most."""
    data = text.encode("utf-8", "replace")
    in_tmux = in_system = False
    for command in commands(environment):
        if command[0] == TMUX:
            in_tmux = _gave(command, data, environment)
        elif not in_system:
            in_system = _gave(command, data, environment)
    return in_tmux or in_system


def _gave(command: Sequence[str], data: bytes, environment: Mapping[str, str]) -> bool:
    try:
        # xclip stays in the background and keeps its output open: nobody may wait for that.
        done = subprocess.run(  # noqa: S603 # our own list above
            command,
            input=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
            env=dict(environment),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
