"""All checks together: their order, what they leave out, and how they are shown."""

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep

import planted
import pytest

from assistant import paths
from assistant.backends.base import ModelSpec
from assistant.config import Settings
from assistant.doctor.check import Check, Status
from assistant.doctor.examine import Subject, examine
from assistant.doctor.model import Model, read_model
from assistant.doctor.settings import PromptState
from assistant.doctor.showing import CheckLines, write_checks_json
from assistant.doctor.terminal import STREAMS, Terminal
from assistant.engine.remote_spec import RemoteSpec
from assistant.errors import AssistantError, ModelError, UsageError
from assistant.model_store.local_models import find_model

MOST_SECONDS = 30  # of 1; several test runs may share the cores
TERMINAL = Terminal(frozenset(STREAMS), 80, "utf-8", True, {"TERM": "xterm"})
ALL = [
    *("Python", "settings", "environment", "prompts"),
    *(f"{kind} folder" for kind in paths.KINDS),
    *("engine", "terminal", "characters", "git", "editor"),
    *("model", "memory", "llama.cpp", "processor", "vocabulary", "template", "PyTorch"),
]


def starter() -> Model | RemoteSpec | AssistantError:
    return read_model("", lambda: ModelSpec(find_model("starter")))


def subject(**planted_faults: object) -> Subject:
    healthy: Mapping[str, object] = {
        "load": Settings,
        "settings": ("model",),
        "find_model": starter,
        "prompts": lambda: [PromptState(Path("a.md"))],
        "terminal": TERMINAL,
    }
    return Subject(**{**healthy, **planted_faults})  # type: ignore[arg-type]  # by name


def by_name(checked: Subject) -> dict[str, Check]:
    return {check.name: check for check in examine(checked)}


def test_a_healthy_machine_fails_nowhere_and_is_examined_fast() -> None:
    started = monotonic()
    found = by_name(subject())
    assert monotonic() - started < MOST_SECONDS
    assert list(found) == ALL
    assert [check for check in found.values() if check.status is Status.FAILED] == []


def test_broken_settings_leave_out_the_model_and_nothing_else() -> None:
    def load() -> object:
        raise UsageError("LLMCHAT_WINDOW=x", "unset LLMCHAT_WINDOW")

    found = by_name(subject(load=load))
    assert found["settings"].hint == "unset LLMCHAT_WINDOW"
    left_out = {"model", "memory", "vocabulary", "template"}
    assert list(found) == [name for name in ALL if name not in left_out]


def test_a_missing_model_leaves_out_what_needs_it() -> None:
    found = by_name(subject(find_model=lambda: ModelError("no model is installed", "get one")))
    assert (found["model"].status, found["model"].hint) == (Status.FAILED, "get one")
    assert list(found) == [n for n in ALL if n not in {"memory", "vocabulary", "template"}]


def test_a_python_that_crashes_is_told_once_for_llama_cpp(tmp_path: Path) -> None:
    python = planted.script(tmp_path / "python", "kill -ILL $$")
    found = by_name(subject(python=[str(python)]))
    assert "built for another processor" in found["llama.cpp"].says
    assert "vocabulary" not in found
    assert "SIGILL" in found["PyTorch"].says


def test_children_are_ended_when_nobody_waits_any_more(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    python = planted.script(
        tmp_path / "python", f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 60"
    )
    checks = examine(subject(python=[str(python)]))
    next(checks)
    while not pid.exists():
        sleep(0.01)
    checks.close()  # type: ignore[attr-defined]  # a generator
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


# ── showing ─────────────────────────────────────────────────────────────────────────────────

CHECKS = [
    Check("git", Status.OK, "2.1"),
    Check("memory", Status.WARNING, "little\x1b[2J", "close\nother programs"),
    Check("config folder", Status.FAILED, "broken", "repair it"),
]


class Stream(io.StringIO):
    encoding = "utf-8"


class AsciiStream(io.StringIO):
    encoding = "ascii"


def shown(out: io.StringIO, *, is_terminal: bool, has_color: bool = False) -> tuple[bool, str]:
    lines = CheckLines(out, is_terminal=is_terminal, has_color=has_color)
    return lines.write(CHECKS), out.getvalue()


def test_a_terminal_gets_marks_and_nothing_that_it_would_obey() -> None:
    is_well, text = shown(Stream(), is_terminal=True)
    assert not is_well
    assert text == (
        "✓ git            2.1\n"
        "! memory         little\\x1b[2J\n"
        "    → close other programs\n"
        "✗ config folder  broken\n"
        "    → repair it\n"
        "1 problem and 1 warning.\n"
    )


def test_colours_are_around_the_marks_alone() -> None:
    _, text = shown(Stream(), is_terminal=True, has_color=True)
    assert text.startswith("\x1b[32m✓\x1b[39m git ")


@pytest.mark.parametrize(("out", "is_terminal"), [(Stream(), False), (AsciiStream(), True)])
def test_pipes_and_poor_encodings_get_words(out: io.StringIO, is_terminal: bool) -> None:
    _, text = shown(out, is_terminal=is_terminal)
    assert text.isascii()
    assert text.split("\n")[1:4] == [
        "warning memory         little\\x1b[2J",
        "    -> close other programs",
        "FAILED  config folder  broken",
    ]


def test_warnings_alone_are_no_failure() -> None:
    out = Stream()
    lines = CheckLines(out, is_terminal=True, has_color=False)
    assert lines.write(CHECKS[:2])
    assert out.getvalue().endswith("\n1 warning.\n")
    assert CheckLines(out, is_terminal=True, has_color=False).write(CHECKS[:1])
    assert out.getvalue().endswith("\nAll is well.\n")


def test_a_line_is_written_before_the_next_check_is_known() -> None:
    out = Stream()
    seen = []

    def slow() -> object:
        yield CHECKS[0]
        seen.append(out.getvalue())
        yield CHECKS[1]

    CheckLines(out, is_terminal=True, has_color=False).write(slow())  # type: ignore[arg-type]
    assert seen == ["✓ git            2.1\n"]


def test_json_is_a_list_of_objects() -> None:
    out = Stream()
    assert not write_checks_json(CHECKS, out)
    assert json.loads(out.getvalue())[2] == {
        "name": "config folder",
        "status": "FAILED",
        "says": "broken",
        "hint": "repair it",
    }
