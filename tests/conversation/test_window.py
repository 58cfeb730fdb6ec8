"""How long an answer may be, and what is said when the prompt leaves no room for one."""

from collections.abc import Collection
from datetime import date

import pytest
from msgspec.structs import replace

from assistant.conversation.window import (
    DEFAULT_NEW_TOKENS,
    SMALLEST_ANSWER,
    Ledger,
    require_room,
    take_stock,
)
from assistant.engine.base import Engine
from assistant.engine.local import LocalEngine
from assistant.errors import PromptTooLong
from assistant.messages import ChatPrompt, Message, Part, Prompt, RawPrompt, Role


def fit(
    engine: Engine, prompt: Prompt, wanted: int | None, droppable: Collection[str] = ()
) -> Ledger:
    ledger = take_stock(engine, prompt, wanted)
    require_room(ledger, droppable)
    return ledger


def prompt_of(*parts: tuple[str, str]) -> ChatPrompt:
    pieces = tuple(Part(text, source) for source, text in parts)
    return ChatPrompt((Message(Role.USER, pieces),), date(2026, 1, 1))


def filled_to_leave(engine: LocalEngine, left: int) -> ChatPrompt:
    """A prompt after which so many tokens of the window are left."""
    words = engine.info.window - left
    for _ in range(8):
        prompt = prompt_of(("question", " a" * words))
        missing = engine.info.window - left - engine.measure(prompt).tokens
        if not missing:
            return prompt
        words += missing
    raise AssertionError("no such prompt found")


def test_an_answer_has_1024_tokens_unless_said_otherwise(starter_engine: LocalEngine) -> None:
    prompt = prompt_of(("question", "Hi"))
    ledger = fit(starter_engine, prompt, None)
    assert ledger.max_new_tokens == DEFAULT_NEW_TOKENS == 1024
    assert not ledger.is_shortened
    assert ledger.window == starter_engine.info.window
    assert replace(ledger.measure, seconds=None) == replace(
        starter_engine.measure(prompt), seconds=None
    )
    assert fit(starter_engine, prompt, 7).max_new_tokens == 7


def test_an_answer_gets_what_is_left(starter_engine: LocalEngine) -> None:
    prompt = filled_to_leave(starter_engine, 100)
    for wanted, is_shortened in ((None, True), (101, True), (100, False), (10, False)):
        ledger = fit(starter_engine, prompt, wanted)
        assert ledger.max_new_tokens == min(100, wanted or 100)
        assert ledger.is_shortened is is_shortened


def test_the_smallest_answer_still_fits(starter_engine: LocalEngine) -> None:
    prompt = filled_to_leave(starter_engine, SMALLEST_ANSWER)
    assert fit(starter_engine, prompt, None).max_new_tokens == SMALLEST_ANSWER
    with pytest.raises(PromptTooLong):
        fit(starter_engine, filled_to_leave(starter_engine, SMALLEST_ANSWER - 1), None)


def test_raw_text_is_measured_as_it_is(starter_engine: LocalEngine) -> None:
    window = starter_engine.info.window
    ledger = fit(starter_engine, RawPrompt(token_ids=(5,) * (window - 20)), None)
    assert (ledger.measure.tokens, ledger.max_new_tokens) == (window - 20, 20)
    with pytest.raises(PromptTooLong, match=f"prompt {window:,}"):
        fit(starter_engine, RawPrompt(token_ids=(5,) * window), 1)


def test_a_prompt_that_does_not_fit_names_its_largest_parts(starter_engine: LocalEngine) -> None:
    sizes = {"small.py": 10, "big.py": 9000, "middle.py": 3000, "question": 5, "tiny.py": 2}
    prompt = prompt_of(*((source, " a" * words) for source, words in sizes.items()))
    with pytest.raises(PromptTooLong) as raised:
        fit(starter_engine, prompt, 50)
    error = raised.value
    assert f"{starter_engine.info.window:,}" in error.message
    named = [source for source in sizes if source in error.message]
    assert {"big.py", "middle.py"} < set(named)
    assert "tiny.py" not in named
    assert error.message.index("big.py 9,0") < error.message.index("middle.py 3,0")
    assert error.hint
