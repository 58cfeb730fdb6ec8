"""What benchmarks share: alternating runs, medians, and the row that is printed."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from assistant.backends.base import ModelSpec
from assistant.engine.local import LocalEngine
from assistant.model_store.local_models import find_model

RUNS = 5
BIN = Path(sys.executable).parent


def show(question: str, measured: float, bar: float, *, at_most: bool, unit: str = "×") -> None:
    """One row: what was measured, its bar, and whether it holds."""
    holds = measured <= bar if at_most else measured >= bar
    sign = "≤" if at_most else "≥"
    row = f"{question:58} {f'{measured:.3g} {unit}':>22} {f'{sign} {bar:g} {unit}':>10}"
    print(row, "" if holds else "  MISSED", flush=True)


def detail(text: str) -> None:
    print(f"    {text}", flush=True)


def ratio(ours: Callable[[], float], peer: Callable[[], float], runs: int = RUNS) -> float:
    """Median of ours over median of the peer's; runs alternate, after one warm-up of each."""
    ours(), peer()
    mine, theirs = [], []
    for number in range(runs):
        first, second = (ours, peer) if number % 2 else (peer, ours)
        a, b = first(), second()
        mine.append(a if number % 2 else b)
        theirs.append(b if number % 2 else a)
    detail(f"ours {spread(mine)}; peer {spread(theirs)}")
    return statistics.median(mine) / statistics.median(theirs)


def spread(values: Sequence[float]) -> str:
    """Median, and the smallest and largest in brackets."""
    return f"{statistics.median(values):.4g} [{min(values):.4g} … {max(values):.4g}]"


def starter_engine() -> LocalEngine:
    """The starter, loaded in this process."""
    engine = LocalEngine(ModelSpec(find_model("starter")))
    for _ in engine.load():
        pass
    return engine


def timed_process(command: Sequence[str], stdin: str = "") -> tuple[float, int, str]:
    """Wall seconds, peak memory in KiB and standard output of one whole process."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(stdin)
        process.stdin.close()
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, usage.ru_maxrss, output
