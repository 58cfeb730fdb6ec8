"""The one line that tells the truth: what is left out when there is no room."""

from hypothesis import given
from hypothesis import strategies as st

from assistant.rendering.tables import cell_width
from assistant.tui.widgets.status_line import Draft, StatusFacts, line_of

ANSWERED = StatusFacts(
    state="ready",
    model="SmolLM2-135M-Instruct Q4_1",
    used=1_234,
    window=8_192,
    cached=1_000,
    new=34,
    speed=41.6,
)


def test_after_an_answer_it_says_where_the_window_went() -> None:
    assert line_of(ANSWERED, 120) == (
        "ready · 42 tokens/s · 1,234 of 8,192 tokens · SmolLM2-135M-Instruct Q4_1 · "
        "1,000 cached, 34 read"
    )


def test_what_has_no_room_is_left_out_from_the_right() -> None:
    assert line_of(ANSWERED, 60) == "ready · 42 tokens/s · 1,234 of 8,192 tokens"
    assert line_of(ANSWERED, 5) == "ready"


def test_a_draft_says_what_sending_it_means() -> None:
    draft = Draft(tokens=320, cached=129, seconds=1.23)
    assert line_of(StatusFacts("ready", "M", window=8_192, draft=draft), 100) == (
        "ready · 191 new + 129 cached tokens · answer in 1.2 s · 320 of 8,192 · M"
    )
    soon = Draft(tokens=3, cached=1, seconds=0.01, leaving=4, is_exact=False)
    assert line_of(StatusFacts("ready", window=512, draft=soon), 100) == (
        "ready · about 2 new + 1 cached tokens · 4 older messages make room · answer at once · "
        "3 of 512"
    )


def test_a_draft_that_does_not_fit_says_so_first() -> None:
    facts = StatusFacts("ready", "M", draft=Draft(error="9,000 tokens do not fit\x1b[2J"))
    assert line_of(facts, 100) == "ready · 9,000 tokens do not fit\\x1b[2J · M"


def test_questions_that_wait_are_counted() -> None:
    assert line_of(StatusFacts("writing", queued=2), 80) == "writing · 2 queued"


@given(st.text(max_size=30), st.text(max_size=30), st.integers(1, 60))
def test_it_never_gets_wider_than_the_screen(state: str, model: str, columns: int) -> None:
    facts = StatusFacts(state, model, used=5, window=10, speed=3.0, cached=1)
    assert cell_width(line_of(facts, columns)) <= columns
