"""How long does it take to attach a folder with exact counts, and one symbol of a large file?

The second row is everything of `llmchat explain FILE::symbol` but the time in which the engine
works: from the call that starts to load it until it is loaded, and while it measures and answers.
What is read and parsed while the model is loaded costs nobody time; whole processes with a symbol
and with lines are compared in the row above it.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from assistant.attachments.reading import attach
from assistant.engine.local import LocalEngine
from assistant.messages import ChatPrompt
from assistant.prompts.finding import find_prompt
from benchmarks.measure import RUNS, detail, show, spread, starter_engine

FILES = 2_000
FILE_BYTES = 1_024
LINES = 20_000
SYMBOL = "ArgumentParser.parse_args"
# argv: a file for the seconds in the engine, then what llmchat gets.
SCRIPT = """
import os, sys, threading, time
from pathlib import Path

class Timed:
    seconds = 0.0
    def __init__(self, inner):
        self._inner = inner
    def __getattr__(self, name):
        value = timed(getattr, self._inner, name)
        if not callable(value):
            return value
        return lambda *args, **named: wrap(name, timed(value, *args, **named))
    def load(self):
        threading.Thread(target=wait_until_loaded, args=(self._inner,), daemon=True).start()
        return self._inner.load()
    def __iter__(self):
        events = iter(self._inner)
        while (event := timed(next, events, None)) is not None:
            yield event

def wait_until_loaded(engine):
    timed(lambda: list(engine.load()))

def timed(function, *args, **named):
    started = time.perf_counter()
    try:
        return function(*args, **named)
    finally:
        Timed.seconds += time.perf_counter() - started

def wrap(name, value):
    return Timed(value) if name == "stream" else value

report = sys.argv.pop(1)
import assistant.cli.starting as starting
open_engine = starting.open_engine
starting.open_engine = lambda *args: Timed(timed(open_engine, *args))
from assistant.cli.main import run_command
code = run_command()
Path(report).write_text(str(Timed.seconds))
os._exit(code)  # as main does
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = starter_engine()
        seconds = []
        for run in range(RUNS):  # of other files each time: the engine remembers what it has read
            _write_files(Path(folder, f"many{run}"), 97 * run)
            seconds.append(_folder_seconds(engine, f"{folder}/many{run}"))
        engine.close()
        _show(f"attach {FILES:,} files and count their tokens", seconds, 2)
        large = Path(folder, "large.py")
        large.write_text(standard_library())
        runs = [
            (_explain(large, f"::{SYMBOL}"), _explain(large, ":10-40")) for _ in range(RUNS + 1)
        ]
        wall, rest = zip(*(symbol for symbol, _ in runs[1:]), strict=True)
        detail(f"whole process {spread(wall)}; with lines {spread([x[0] for _, x in runs[1:]])}")
        _show(f"explain FILE::symbol, {LINES:,} lines, less the engine", rest, 0.15)


def _show(question: str, seconds: Sequence[float], bar: float) -> None:
    detail(f"seconds: {spread(seconds)}")
    show(question, statistics.median(seconds), bar, at_most=True, unit="s")


def _folder_seconds(engine: LocalEngine, folder: str) -> float:
    started = time.perf_counter()
    attached = attach([folder], None)
    read = time.perf_counter()
    messages = find_prompt("explain").fill("", attached.attachments)
    filled = time.perf_counter()
    measure = engine.measure(ChatPrompt(messages, date.today()))
    ended = time.perf_counter()
    detail(
        f"{read - started:.2f} s reading, {filled - read:.2f} s putting together, "
        f"{ended - filled:.2f} s counting {measure.tokens:,} tokens"
    )
    return ended - started


def _explain(file: Path, part: str) -> tuple[float, float]:
    """Seconds of the whole process, and those in which it did not wait for the engine."""
    folder = file.parent
    report = folder / "seconds"
    words = ["-o", "max_tokens", "1", "explain", f"{file}{part}"]
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(report), *words],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LLMCHAT_HOME": str(folder / "home")},
    )
    seconds = time.perf_counter() - started
    return seconds, seconds - float(report.read_text())


def _write_files(folder: Path, shift: int) -> None:
    source = standard_library()
    for number in range(FILES):
        path = folder / f"part{number % 40}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        begin = (number * 331 + shift) % (len(source) - FILE_BYTES)
        path.write_text(source[begin : begin + FILE_BYTES])


def standard_library() -> str:
    """Real code: the first LINES lines of Python's own modules, in the order of their names."""
    lines: list[str] = []
    for path in sorted(Path(os.__file__).parent.glob("[a-z]*.py")):
        lines += path.read_text().splitlines()
        if len(lines) >= LINES:
            break
    return "\n".join(lines[:LINES]) + "\n"
