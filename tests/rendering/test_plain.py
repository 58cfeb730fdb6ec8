"""A pipe gets exactly what the model wrote; a terminal without colour the same made visible."""

import io

from hypothesis import given
from hypothesis import strategies as st

from assistant.events import Event, PromptProgress, ReasoningChunk, TextChunk
from assistant.rendering.base import ReasoningMode
from assistant.rendering.plain import PlainRenderer


def written(
    *events: Event, reasoning: ReasoningMode = ReasoningMode.HIDE, is_terminal: bool = False
) -> bytes:
    out = io.BytesIO()
    renderer = PlainRenderer(out, reasoning, is_terminal=is_terminal)
    for event in events:
        renderer.show(event)
    renderer.close()
    renderer.close()
    return out.getvalue()


@given(st.lists(st.text()))
def test_a_pipe_gets_the_exact_text_and_one_final_newline(chunks: list[str]) -> None:
    text = "".join(chunks)
    final = "" if text.endswith("\n") or not text else "\n"
    assert written(*map(TextChunk, chunks)) == (text + final).encode()


def test_a_pipe_gets_control_characters_and_windows_line_ends_as_they_are() -> None:
    assert written(TextChunk("\x1b[1m\r"), TextChunk("\n\r\n")) == b"\x1b[1m\r\n\r\n"


def test_a_terminal_gets_visible_text() -> None:
    events = TextChunk("\x1b[2Ja\r"), TextChunk("\nb\rc\r")
    assert written(*events, is_terminal=True) == b"\\x1b[2Ja\nb\\x0dc\\x0d\n"


def test_half_a_surrogate_pair_is_escaped() -> None:
    assert written(TextChunk("\ud83d")) == b"\\ud83d\n"


def test_every_chunk_is_flushed() -> None:
    raw = io.BytesIO()
    out = io.BufferedWriter(raw)
    PlainRenderer(out).show(TextChunk("now"))
    assert raw.getvalue() == b"now"
    out.detach()


def test_reasoning_is_absent_unless_asked_for() -> None:
    events = ReasoningChunk("Hm"), ReasoningChunk("."), TextChunk("Yes.")
    assert written(*events) == b"Yes.\n"
    assert written(*events, reasoning=ReasoningMode.ONLY) == b"Hm.\n"
    assert written(*events, reasoning=ReasoningMode.SHOW) == b"Hm.\n\nYes.\n"


def test_other_events_and_candidates_write_nothing() -> None:
    assert written(PromptProgress(1, 2, 0, None), TextChunk("b", candidate=1)) == b""
