"""The renderer for colours without cursor movements shows what the pretty one ends with."""

import io
import os
import re

import pytest
from pretend_terminal import PretendTerminal, show

from assistant.events import Event, ReasoningChunk, TextChunk
from assistant.rendering.base import ReasoningMode
from assistant.rendering.final_lines import FinalLinesRenderer

ANSWER = """Here is *a function*, which is explained in a sentence that has to be wrapped somewhere:

```python
def f(name: str) -> str:
    # say hello
    return "hello " + name
```

- one `thing`
- another\x1b[2J one

The end"""


def in_chunks(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def written_by(events: list[Event], mode: ReasoningMode) -> str:
    out = io.StringIO()
    renderer = FinalLinesRenderer(out, mode, size=lambda: os.terminal_size((60, 24)))
    for event in events:
        renderer.show(event)
    renderer.close()
    renderer.close()
    return out.getvalue()


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("mode", list(ReasoningMode))
def test_it_shows_what_the_pretty_renderer_ends_with(size: int, mode: ReasoningMode) -> None:
    thoughts = "I have to think about this, and then about that, at some length.\n\nDone."
    events: list[Event] = [ReasoningChunk(text) for text in in_chunks(thoughts, size)]
    events += [TextChunk(text) for text in in_chunks(ANSWER, size)]
    written = written_by(events, mode)
    terminal = PretendTerminal(columns=60)
    terminal.out.write(written.replace("\n", "\r\n"))
    pretty = show(events, PretendTerminal(columns=60), reasoning=mode)
    assert terminal.rows == pretty.rows
    assert terminal.cells == pretty.cells
    assert "\r" not in written
    assert "\x1b" not in re.sub(r"\x1b\[[0-9;]*m", "", written)


def test_nothing_becomes_nothing() -> None:
    assert written_by([], ReasoningMode.SHOW) == ""
