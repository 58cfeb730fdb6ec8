"""The progress line appears only where it helps, fits, and disappears."""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pretend_terminal import Clock

from assistant.events import ModelLoading, PromptProgress, Queued, TextChunk
from assistant.rendering.progress import ProgressLine, progress_text

HALF = PromptProgress(2_000, 4_000, 1_000, 3.2)
QUICK = PromptProgress(50, 100, 0, 0.1)


def progress_line(
    *, is_terminal: bool = True, columns: int = 80
) -> tuple[ProgressLine, io.StringIO, Clock]:
    err, clock = io.StringIO(), Clock()
    size = os.terminal_size((columns, 24))
    return ProgressLine(err, is_terminal=is_terminal, size=lambda: size, clock=clock), err, clock


def test_a_long_prompt_is_announced_at_once_and_erased_by_the_first_text() -> None:
    line, err, _ = progress_line()
    line.show(HALF)
    assert "2,000 of 4,000 tokens, 3 s left, 1,000 cached" in err.getvalue()
    line.show(TextChunk("a"))
    assert err.getvalue().endswith("\r\x1b[K")


def test_a_short_prompt_is_never_announced() -> None:
    line, err, clock = progress_line()
    line.show(QUICK)
    clock.seconds = 0.3
    line.show(QUICK)
    line.show(TextChunk("a"))
    assert err.getvalue() == ""


def test_a_prompt_that_takes_longer_than_promised_is_announced_after_half_a_second() -> None:
    line, err, clock = progress_line()
    line.show(QUICK)
    clock.seconds = 0.55
    line.show(QUICK)
    assert "50 of 100" in err.getvalue()


def test_loading_is_shown_after_half_a_second_and_its_time_is_not_the_prompts() -> None:
    line, err, clock = progress_line()
    line.show(ModelLoading("loading the model", 0.1))
    assert err.getvalue() == ""
    clock.seconds = 0.6
    line.show(ModelLoading("loading the model", 0.5))
    assert "50%" in err.getvalue()
    line.close()
    before = err.getvalue()
    line.show(QUICK)
    assert err.getvalue() == before


def test_nothing_is_written_where_there_is_no_terminal() -> None:
    line, err, clock = progress_line(is_terminal=False)
    clock.seconds = 9
    for event in (ModelLoading("loading"), Queued(2), HALF, TextChunk("a")):
        line.show(event)
    line.close()
    assert err.getvalue() == ""


@given(st.integers(0, 120), st.sampled_from([HALF, QUICK, Queued(3), ModelLoading("loading", 1.0)]))
def test_it_fits_the_width(columns: int, event: PromptProgress | Queued | ModelLoading) -> None:
    assert len(progress_text(event, columns)) <= columns


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (79, "reading ━━━━━━━━━━━━──────────── 2,000 of 4,000 tokens, 3 s left, 1,000 cached"),
        (60, "reading ━━━━━━━━━━━━──────────── 2,000 of 4,000 tokens"),
        (30, "reading 2,000 of 4,000 tokens"),
    ],
)
def test_details_go_where_there_is_no_room(columns: int, text: str) -> None:
    assert progress_text(HALF, columns) == text


def test_a_stage_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in progress_text(ModelLoading("\x1b[2J"), 80)
