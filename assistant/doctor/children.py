"""Questions that are asked in a Python of its own, because the answer may be a crash."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Self

import assistant

PATIENCE_SECONDS = 10.0
PYTHON = (sys.executable, "-P")  # -P: nothing is imported from the current folder
MAX_SAID = 300  # characters of a child's last words


@dataclass(frozen=True, slots=True)
class ChildAnswer:
    """What a child wrote as JSON; else `problem` says in words how it ended.

    `signal` is what killed it, "" when nothing did.
    """

    content: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    signal: str = ""


class Child:
    """`python -m MODULE ARGUMENT …`, started at once and killed at the end of `with`.

    It writes one JSON object, on its last line.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        python: Sequence[str] = PYTHON,
        seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._seconds = seconds
        self._end = monotonic() + seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._problem = ""
        try:
            self._process = subprocess.Popen(  # noqa: S603 # this very Python
                [*python, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
            )
        except OSError as err:
            self._problem = f"{python[0]} cannot be started: {err.strerror or err}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nobody waits for its answer any more."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def answer(self) -> ChildAnswer:
        """Waits for the end, but not longer than the seconds that it was given."""
        if self._process is None:
            return ChildAnswer(problem=self._problem)
        try:
            said, errors = self._process.communicate(timeout=max(0.0, self._end - monotonic()))
        except subprocess.TimeoutExpired:
            return ChildAnswer(problem=f"it did not answer within {self._seconds:g} seconds")
        return _read(self._process.returncode, said, errors)


def _read(code: int, said: bytes, errors: bytes) -> ChildAnswer:
    if code < 0:
        name = _signal_name(-code)
        return ChildAnswer(problem=f"it was killed by {name}", signal=name)
    if code > 0:
        return ChildAnswer(
            problem=f"it ended with {code}: {_last_line(errors) or 'without a word'}"
        )
    try:
        content = json.loads(_last_line(said, None))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return ChildAnswer(problem="it did not answer")
    return ChildAnswer(content)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _last_line(data: bytes, most: int | None = MAX_SAID) -> str:
    lines = data.decode("utf-8", "replace").strip().split("\n")
    return lines[-1].strip()[:most]


def _environment() -> dict[str, str]:
    ours = str(Path(assistant.__file__).parent.parent)
    given = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([ours, *filter(None, [given])]),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
