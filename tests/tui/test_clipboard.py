"""Text goes to the terminal, to tmux and to the system's own tool, each by its own way."""

import os
from base64 import b64decode
from pathlib import Path

import pytest

from assistant.tui.clipboard import LARGEST_OSC_52, commands, fits_terminal, give_to_system, osc_52


def tool(folder: Path, name: str, *, code: int = 0) -> Path:
    """A program that keeps what it is given in a file of its name."""
    path = folder / name
    path.write_text(f'#!/bin/sh\ncat > "{folder}/{name}.got"\nexit {code}\n')
    path.chmod(0o755)
    return folder / f"{name}.got"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_a_terminal_is_given_the_text_in_base64() -> None:
    sequence = osc_52("a\x1b你好\n")
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\a")
    assert b64decode(sequence[7:-1]).decode() == "a\x1b你好\n"


def test_what_terminals_drop_is_not_sent_to_them() -> None:
    assert fits_terminal("x" * LARGEST_OSC_52)
    assert not fits_terminal("x" * (LARGEST_OSC_52 + 1))
    assert osc_52("你" * LARGEST_OSC_52) == ""


def test_the_tool_of_the_session_gets_it(tools: Path) -> None:
    got = tool(tools, "wl-copy")
    environment = {**os.environ, "WAYLAND_DISPLAY": "wayland-0", "TMUX": "", "DISPLAY": ""}
    assert give_to_system("你好\n", environment)
    assert got.read_text() == "你好\n"


def test_tmux_gets_it_too(tools: Path) -> None:
    tmux, xclip = tool(tools, "tmux"), tool(tools, "xclip")
    environment = {**os.environ, "TMUX": "/tmp/tmux,1,0", "DISPLAY": ":0", "WAYLAND_DISPLAY": ""}
    assert [command[0] for command in commands(environment)][:2] == ["tmux", "xclip"]
    assert give_to_system("x", environment)
    assert tmux.read_text() == "x"
    assert xclip.read_text() == "x"


def test_a_tool_that_fails_is_followed_by_the_next(tools: Path) -> None:
    tool(tools, "xclip", code=1)
    got = tool(tools, "xsel")
    environment = {**os.environ, "DISPLAY": ":0", "TMUX": "", "WAYLAND_DISPLAY": ""}
    assert give_to_system("x", environment)
    assert got.read_text() == "x"


def test_without_any_tool_nothing_happens(tools: Path) -> None:
    environment = {"TMUX": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    assert commands(environment) == []
    assert not give_to_system("x", environment)
