"""How far off is the predicted time to the first token, for prompts of all lengths?

After two earlier requests of an engine that has learnt nothing before, in this process and in one
of its own; half of the prompts go on from an earlier one. The last line is about an engine
that was just started and knows only what the one before it has measured.
"""

import statistics
from collections.abc import Sequence
from random import Random

from assistant.engine.base import Engine, GenerationRequest
from assistant.events import Finished
from assistant.messages import RawPrompt
from benchmarks.measure import detail, show, starter_engine
from benchmarks.resident import open_resident, private_home, stop_engines

PROMPTS = 20
SHORTEST, LONGEST = 50, 4000  # tokens
EARLIER = (60, 300)
STARTED = (100, 1000, 50)  # prompts of an engine that was just started


def main() -> None:
    engine = starter_engine()
    _compare("in process", engine)
    engine.close()
    with private_home():
        _compare("through the engine", open_resident())
        stop_engines()
        errors = [_error(open_resident(), _new_ids(Random(9), length)) for length in STARTED]
        detail(f"an engine just started: {_percents(errors)}")


def _compare(where: str, engine: Engine) -> None:
    for prompt in _prompts(Random(1), EARLIER):
        _error(engine, prompt)
    lengths = [
        round(SHORTEST * (LONGEST / SHORTEST) ** (place / (PROMPTS - 1)))
        for place in range(PROMPTS)
    ]
    draw = Random(2)
    draw.shuffle(lengths)
    errors = [_error(engine, prompt) for prompt in _prompts(draw, lengths)]
    detail(f"{where}: {_percents(errors)}")
    name = f"error of the time to the first token, {where}"
    late = sorted(errors)[round(0.9 * PROMPTS) - 1]
    show(f"{name}: median", 100 * statistics.median(errors), 25, at_most=True, unit="%")
    show(f"{name}: p90", 100 * late, 60, at_most=True, unit="%")


def _prompts(draw: Random, lengths: Sequence[int]) -> list[tuple[int, ...]]:
    """Every second has the beginning of an earlier one, where there is one that is long enough."""
    prompts: list[tuple[int, ...]] = []
    for number, length in enumerate(lengths):
        ids = _new_ids(draw, length)
        earlier = [prompt for prompt in prompts if len(prompt) > length // 2]
        if number % 2 and earlier:
            shared = draw.choice(earlier)[: draw.randrange(length // 2, length)]
            ids = (*shared, *ids[len(shared) :])
        prompts.append(ids)
    return prompts


def _new_ids(draw: Random, length: int) -> tuple[int, ...]:
    return tuple(draw.randrange(1000, 40_000) for _ in range(length))


def _error(engine: Engine, ids: tuple[int, ...]) -> float:
    """Of the prediction, relative to the time that it took then; 1.0 when there is none."""
    prompt = RawPrompt(token_ids=ids)
    predicted = engine.measure(prompt).seconds
    *_, last = engine.stream(GenerationRequest(prompt, max_new_tokens=2, seed=1))
    assert isinstance(last, Finished)
    measured = last.usage.seconds_to_first_token
    return 1.0 if predicted is None else abs(predicted - measured) / measured


def _percents(errors: Sequence[float]) -> str:
    return " ".join(f"{100 * error:.0f}" for error in errors) + " %"
