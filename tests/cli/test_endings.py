"""How an answer ended, in words and as an exit code."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from assistant.cli.color import has_color
from assistant.cli.outcome import conclude
from assistant.cli.report import Report
from assistant.config import Color
from assistant.errors import EngineFailed
from assistant.events import Answer, Finished, Reason, Usage

INFO: Any = SimpleNamespace(name="Tiny", quantisation="Q4_0")


class PretendStream(io.StringIO):
    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def ending(
    reason: Reason, *, is_shortened: bool = False, leaving: tuple[int, ...] = (), **more: Any
) -> tuple[int, str]:
    answer = Answer(reason, "text", "", (), seed=1, error="it broke", hint="ask again")
    ledger: Any = SimpleNamespace(
        max_new_tokens=1024, window=8192, is_shortened=is_shortened, leaving=leaving
    )
    turn: Any = SimpleNamespace(ledger=ledger, conversation=SimpleNamespace(name="k7m2q"))
    err = io.StringIO()
    finished = Finished((answer,), Usage(10, 0, 20, 0.1, 100.0, 50.0))
    return conclude(finished, turn, INFO, Report(err), **more), err.getvalue()


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.DONE, (0, "")),
        (Reason.STOPPED, (130, "")),
        (Reason.LENGTH, (0, "cut after 1,024 tokens; more with -o max_tokens 2048\n")),
        (Reason.REPEATING, (0, "stopped: the answer went round in circles\n")),
        (Reason.CONTEXT_FULL, (0, "cut: the model's window is full\n")),
    ],
)
def test_how_an_answer_ended(reason: Reason, expected: tuple[int, str]) -> None:
    assert ending(reason) == expected


def test_a_window_with_too_little_room_says_so() -> None:
    _, said = ending(Reason.LENGTH, is_shortened=True)
    assert said == "cut: the window had room for 1,024 tokens of answer; attach less\n"


def test_old_messages_that_made_room_are_named() -> None:
    _, said = ending(Reason.DONE, leaving=(1, 2))
    assert said == (
        "left out from here on, to make room: 2 older messages (llmchat history show k7m2q)\n"
    )


def test_what_stopped_it_and_what_counts_as_a_failure_choose_the_code() -> None:
    assert ending(Reason.STOPPED, stopped_by=143)[0] == 143
    assert ending(Reason.LENGTH, fails_on_length=True)[0] == 10
    assert ending(Reason.DONE, fails_on_length=True)[0] == 0


def test_an_engine_that_failed_is_an_error() -> None:
    with pytest.raises(EngineFailed, match="it broke"):
        ending(Reason.FAILED)


@pytest.mark.parametrize(
    ("color", "environment", "is_terminal", "expected"),
    [
        (Color.AUTO, {}, True, True),
        (Color.AUTO, {}, False, False),
        (Color.AUTO, {"NO_COLOR": "1"}, True, False),
        (Color.AUTO, {"NO_COLOR": ""}, True, True),
        (Color.AUTO, {"TERM": "dumb"}, True, False),
        (Color.AUTO, {"FORCE_COLOR": "1"}, False, True),
        (Color.AUTO, {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False, False),
        (Color.ALWAYS, {"NO_COLOR": "1"}, False, True),
        (Color.NEVER, {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_when_there_is_color(
    color: Color,
    environment: dict[str, str],
    is_terminal: bool,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert has_color(color, PretendStream(is_terminal=is_terminal)) is expected
