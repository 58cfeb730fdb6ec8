"""What is read of typed lines, and what is said while something takes its time."""

import threading
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.cli.line_reading import GOES_ON, MORE, PROMPT, QUOTES, read_entry
from assistant.cli.spoken_progress import PAUSE_SECONDS, SpokenProgress, wait_for_model
from assistant.events import Event, ModelLoading, PromptProgress, Queued, TextChunk

LINES = st.lists(st.text(st.characters(exclude_characters="\n\r")), min_size=1, max_size=5)


def entries(lines: Sequence[str]) -> list[str]:
    rest = iter(lines)
    found: list[str] = []
    while (entry := read_entry(lambda _prompt: next(rest, None))) is not None:
        found.append(entry)
    return found


@given(LINES)
def test_lines_that_end_with_a_backslash_go_on(lines: list[str]) -> None:
    whole = [line.rstrip(GOES_ON).replace(QUOTES, "") for line in lines]
    typed = [line + GOES_ON for line in whole[:-1]] + whole[-1:]
    assert entries(typed) == ["\n".join(whole)]


@given(LINES)
def test_lines_between_quotes_are_one_entry(lines: list[str]) -> None:
    whole = [line.replace('"', "") for line in lines]
    for typed in (
        [QUOTES, *whole, QUOTES],
        [QUOTES + whole[0], *whole[1:], QUOTES],
        [QUOTES, *whole],  # the end of input ends it
    ):
        assert entries([*typed]) == ["\n".join(whole).strip("\n")]


def test_the_prompt_says_that_a_line_goes_on() -> None:
    prompts: list[str] = []
    lines = iter(["a\\", "b"])

    def read(prompt: str) -> str:
        prompts.append(prompt)
        return next(lines)

    assert read_entry(read) == "a\nb"
    assert prompts == [PROMPT, MORE]
    assert entries([]) == []
    assert entries(["a\\"]) == ["a"]


# ── progress ────────────────────────────────────────────────────────────────────────────────


def spoken(events: Sequence[tuple[float, Event]]) -> list[str]:
    """What is said of events at these seconds."""
    said: list[str] = []
    now = 0.0
    progress = SpokenProgress(said.append, lambda: now)
    for now, event in events:  # noqa: B007 # the clock reads it
        progress.show(event)
    return said


def reading(done: int, left: float | None, total: int = 1200) -> PromptProgress:
    return PromptProgress(done, total, 0, left)


def test_reading_that_takes_its_time_is_said_and_then_now_and_again() -> None:
    assert spoken(
        [
            (0.0, reading(0, 3.2)),
            (1.0, reading(400, 2.0)),
            (PAUSE_SECONDS + 0.1, reading(800, 1.0)),
            (PAUSE_SECONDS + 0.2, reading(900, 0.5)),
        ]
    ) == ["reading 1,200 tokens, about 3.2 s", "still reading 400 tokens, about 1.0 s"]


@pytest.mark.parametrize("event", [reading(0, 0.2), reading(1100, None), TextChunk("a")])
def test_what_is_short_is_not_worth_a_word(event: Event) -> None:
    assert spoken([(0.0, event)]) == []


def test_other_waits_have_their_words() -> None:
    assert spoken(
        [
            (0.0, ModelLoading("loading the model", 0.25)),
            (0.1, ModelLoading("loading the model", 0.3)),
            (0.2, Queued(2)),
            (0.3, Queued(1)),
            (0.4, reading(0, None)),
            (0.5, TextChunk("a")),
            (0.6, ModelLoading("a\x1b[31m")),
        ]
    ) == [
        "loading the model, 25%",
        "waiting, number 2 in the queue",
        "waiting, number 1 in the queue",
        "reading 1,200 tokens",
        "a\\x1b[31m",
    ]


def test_loading_is_said_where_it_takes_its_time() -> None:
    said: list[str] = []
    has_said = threading.Event()

    def say(words: str) -> None:
        said.append(words)
        has_said.set()

    def load(*, is_slow: bool) -> Iterator[ModelLoading]:
        yield ModelLoading("opening")
        if is_slow:
            assert has_said.wait(60)
        yield ModelLoading("reading", 0.5)

    wait_for_model(load(is_slow=False), SpokenProgress(said.append), say)
    assert said == []
    wait_for_model(load(is_slow=True), SpokenProgress(said.append), say)
    assert said == ["loading the model", "reading, 50%"]
