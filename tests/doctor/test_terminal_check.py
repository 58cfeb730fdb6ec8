"""What the doctor says of terminals, pipes and encodings."""

from collections.abc import Mapping

import pytest

from assistant.doctor.check import Status
from assistant.doctor.terminal import STREAMS, Terminal, check_characters, check_terminal


def terminal(
    *streams: str,
    columns: int = 100,
    encoding: str = "utf-8",
    has_color: bool = True,
    environment: Mapping[str, str] = {"TERM": "xterm"},
) -> Terminal:
    """All streams are terminals unless some are named."""
    return Terminal(frozenset(streams or STREAMS), columns, encoding, has_color, environment)


def test_a_good_terminal_is_well() -> None:
    found = check_terminal(terminal(environment={"TERM": "xterm-256color"}))
    assert found.status is Status.OK
    assert found.says == "xterm-256color; 100 columns; colours"


@pytest.mark.parametrize("kind", ["dumb", ""])
def test_a_terminal_that_can_nothing_is_a_warning(kind: str) -> None:
    found = check_terminal(terminal(environment={"TERM": kind}, has_color=False))
    assert (found.status, "export TERM=" in found.hint) == (Status.WARNING, True)


def test_a_narrow_terminal_is_a_warning() -> None:
    found = check_terminal(terminal(columns=20))
    assert (found.status, "20 columns" in found.says) == (Status.WARNING, True)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"NO_COLOR": "1"}, "no colours (NO_COLOR is set)"),
        ({"TMUX": "/tmp/tmux-0/default,1,0"}, "in tmux"),
        ({"STY": "1.pts-0"}, "in screen"),
        ({"SSH_CONNECTION": "::1 1 ::1 22"}, "over ssh"),
    ],
)
def test_what_stands_around_the_terminal_is_said(environment: dict[str, str], said: str) -> None:
    environment = {"TERM": "xterm", **environment}
    found = check_terminal(terminal(has_color=False, environment=environment))
    assert found.status is Status.OK
    assert said in found.says


def test_pipes_are_said_and_no_fault() -> None:
    found = check_terminal(terminal("standard error"))
    assert (found.status, "standard input, standard output no terminal" in found.says) == (
        Status.OK,
        True,
    )
    everything = Terminal(frozenset(), 80, "utf-8", False, {"TERM": "dumb"})
    assert check_terminal(everything).says == "none: everything goes through pipes or files"


@pytest.mark.parametrize(
    ("environment", "hint"),
    [
        ({}, "export LANG=C.UTF-8"),
        ({"LC_ALL": "de_DE.ISO-8859-1"}, "export LC_ALL=C.UTF-8"),
        ({"LC_CTYPE": "C", "PYTHONIOENCODING": "ascii"}, "unset PYTHONIOENCODING"),
    ],
)
def test_an_encoding_that_lacks_characters_is_a_warning(
    environment: dict[str, str], hint: str
) -> None:
    assert check_characters(terminal()).status is Status.OK
    for encoding in ("ascii", "iso8859-1", "no-such-encoding"):
        found = check_characters(terminal(encoding=encoding, environment=environment))
        assert (found.status, found.hint) == (Status.WARNING, hint)
