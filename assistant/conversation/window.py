"""What fits the model's window, and the ledger that says so. Nothing is ever cut silently."""

from dataclasses import dataclass

from assistant.engine.base import Engine, Measure
from assistant.errors import PromptTooLong
from assistant.messages import PartTokens, Prompt

DEFAULT_NEW_TOKENS = 1024
SMALLEST_ANSWER = 16  # tokens; with less room than this there is no point in asking


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where the window goes, in tokens. `max_new_tokens` is what the answer may have.

    `is_shortened`: the window leaves less than was asked for.
    """

    window: int
    measure: Measure
    max_new_tokens: int
    is_shortened: bool


def fit(engine: Engine, prompt: Prompt, wanted_tokens: int | None) -> Ledger:
    """Measure the prompt and decide how long the answer may be.

    Raises `PromptTooLong` that lists what takes how much.
    """
    window, measure = engine.info.window, engine.measure(prompt)
    left = window - measure.tokens
    if left < SMALLEST_ANSWER:
        raise PromptTooLong(
            f"this does not fit: {measure.tokens:,} tokens and an answer, in a window of "
            f"{window:,} ({_largest(measure.parts)})",
            "attach less, a part of the file, or use a model with a larger window: -m MODEL",
        )
    wanted = DEFAULT_NEW_TOKENS if wanted_tokens is None else wanted_tokens
    return Ledger(window, measure, min(wanted, left), is_shortened=wanted > left)


def _largest(parts: tuple[PartTokens, ...]) -> str:
    """The parts that take the most, in words."""
    by_source: dict[str, int] = {}
    for part in parts:
        by_source[part.source] = by_source.get(part.source, 0) + part.tokens
    ranked = sorted(by_source.items(), key=lambda item: -item[1])
    return ", ".join(f"{source} {tokens:,}" for source, tokens in ranked[:4])
