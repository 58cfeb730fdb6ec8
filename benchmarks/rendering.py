"""How much of a core does showing an answer take? 2,000 tokens at 150 a second on a terminal.

Time is simulated: the renderer's clock is told when each token comes, its CPU time is measured.
"""

import contextlib
import os
import pty
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from assistant.engine.base import GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.events import Event, Finished, TextChunk, Usage
from assistant.rendering.plain import PlainRenderer
from assistant.rendering.pretty import PrettyRenderer
from benchmarks.decoding import prompt_of
from benchmarks.measure import detail, ratio, show, starter_engine

TOKENS = 2_000
TOKENS_PER_SECOND = 150
FENCE_LINES = 400
SCREEN = os.terminal_size((100, 40))

PARAGRAPH = (
    "The function **partitions** the list around a pivot, so that `smaller` items stand left of "
    "it and larger ones right; see [the notes](https://example.org/sorting) for a proof. "
)
ITEM = "- It is stable only when equal items keep their order, which costs memory.\n"
TABLE = "| Case | Comparisons |\n|---|---|\n| best | n log n |\n| worst | n² |\n\n"
FUNCTION = '''\
def part{n}(items, low):
    """Split at the pivot.

    Returns two lists.
    """
    # smaller ones first
    left = [x for x in items]
    if low > {n}:
        return left, "x"

'''


def main() -> None:
    mixed = _tokens(_answer(FENCE_LINES), TOKENS)
    prose = _tokens((PARAGRAPH * 4 + "\n\n" + ITEM * 8 + "\n" + TABLE) * 20, TOKENS)
    seconds = TOKENS / TOKENS_PER_SECOND
    _first_use()
    for name, tokens in (
        (f"{TOKENS:,} tokens with a {FENCE_LINES}-line fence, of a core", mixed),
        (f"{TOKENS:,} tokens of paragraphs, lists, tables, of a core", prose),
    ):
        percent = 100 * min(_cpu_seconds(tokens) for _ in range(3)) / seconds
        show(name, percent, 5, at_most=True, unit="%")
    line = _cpu_seconds(_tokens("```python\n" + _code(4_000), 20_000)) / 4_000
    first = _cpu_seconds(_tokens("```python\n" + _code(400), 2_000)) / 400
    detail(f"CPU per line of code, 4,000-line fence against 400-line: {line / first:.2f} ×")
    engine = starter_engine()
    measured = ratio(lambda: _decode_while(engine, _pretty), lambda: _decode_while(engine, _quiet))
    show("decode while rendering, against -q > /dev/null", measured, 0.93, at_most=False)
    engine.close()


def _decode_while(engine: LocalEngine, show_in: Callable[[Iterable[Event]], None]) -> float:
    """Decode tokens per second of an answer with much code, while it is shown."""
    request = GenerationRequest(
        prompt_of("Write a long Python module with many documented functions."),
        max_new_tokens=256,
        seed=7,
        ends_repetition=False,
    )
    usages: list[Usage] = []

    def events() -> Iterator[Event]:
        for event in engine.stream(request):
            if isinstance(event, Finished):
                usages.append(event.usage)
            yield event

    show_in(events())
    return usages[0].decode_tokens_per_second


def _pretty(events: Iterable[Event]) -> None:
    """On a terminal that another process reads."""
    terminal, ours = pty.openpty()
    with (
        subprocess.Popen(["cat"], stdin=terminal, stdout=subprocess.DEVNULL) as reader,
        os.fdopen(ours, "w", encoding="utf-8") as out,
    ):
        os.close(terminal)
        renderer = PrettyRenderer(out, size=lambda: SCREEN)
        for event in events:
            renderer.show(event)
        renderer.close()
        reader.terminate()


def _quiet(events: Iterable[Event]) -> None:
    with Path(os.devnull).open("wb") as out:
        renderer = PlainRenderer(out)
        for event in events:
            renderer.show(event)
        renderer.close()


def _code(lines: int) -> str:
    functions = "".join(FUNCTION.replace("{n}", str(n)) for n in range(lines // 10 + 1))
    return "\n".join(functions.split("\n")[:lines]) + "\n"


def _answer(fence_lines: int) -> str:
    code = f"```python\n{_code(fence_lines)}```\n\n"
    return f"# Sorting\n\n{PARAGRAPH}\n\n{code}## Notes\n\n{PARAGRAPH * 2}\n\n{ITEM * 6}\n{TABLE}"


def _tokens(text: str, count: int) -> list[str]:
    """`text` in `count` pieces of nearly the same size."""
    size = len(text) / count
    return [text[round(i * size) : round((i + 1) * size)] for i in range(count)]


def _first_use() -> None:
    """Imports and lexer tables are the start-up's cost, not the answer's."""
    _cpu_seconds([_answer(10)])


def _cpu_seconds(tokens: list[str]) -> float:
    """CPU seconds of this thread; another one plays the terminal and throws the bytes away."""
    terminal, ours = pty.openpty()
    reader = threading.Thread(target=_drain, args=(terminal,), daemon=True)
    reader.start()
    with os.fdopen(ours, "w", encoding="utf-8") as out:
        seconds = _render(tokens, out)
    reader.join()
    os.close(terminal)
    return seconds


def _render(tokens: list[str], out: TextIO) -> float:
    now = 0.0
    renderer = PrettyRenderer(out, size=lambda: SCREEN, clock=lambda: now)
    started = time.thread_time()
    for token in tokens:
        renderer.show(TextChunk(token))
        now += 1 / TOKENS_PER_SECOND
    renderer.close()
    return time.thread_time() - started


def _drain(terminal: int) -> None:
    with contextlib.suppress(OSError):  # the other end is closed
        while os.read(terminal, 65_536):
            pass
