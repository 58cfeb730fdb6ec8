"""The older half of a conversation becomes a summary, which the model writes itself.

The request begins with the tokens that are in the KV cache already, so only the instruction is
read; what comes after it begins with the head, the summary and the kept half.
"""

from collections.abc import Callable, Iterator
from datetime import date

from assistant.backends.base import SamplingOptions
from assistant.conversation.layout import Layout
from assistant.engine.base import AnswerStream, Engine, GenerationRequest, Keep, Measure
from assistant.events import Event, Finished, Reason
from assistant.messages import ChatPrompt, Role, message
from assistant.prompts.sentences import sentence

SMALLEST_WINDOW = 1024  # tokens; in a smaller one there is no room for a summary and a talk
SHARE_OF_WINDOW = 8  # that a summary may take
LONGEST_SUMMARY = 512  # tokens
WORDS_PER_TOKEN = 0.6  # English; the limit that the model is told leaves it some room
WORTH_SUMMARIZING = 2  # times as long as its summary


def how_many_go(layout: Layout, measure: Measure, needed: int = 0) -> int:
    """How many of the oldest turns have half of the turns' tokens, and at least those `needed`.

    One at least, where there are any.
    """
    sizes = turn_tokens(layout, measure)
    wanted, tokens = max(needed, sum(sizes) / 2, 1), 0
    for count, size in enumerate(sizes, start=1):
        tokens += size
        if tokens >= wanted:
            return count
    return len(sizes)


def turn_tokens(layout: Layout, measure: Measure) -> list[int]:
    """Tokens of each turn in a measured prompt that begins with the layout, without those of the
    template."""
    by_message: dict[int, int] = {}
    for part in measure.parts:
        if part.message is not None:
            by_message[part.message] = by_message.get(part.message, 0) + part.tokens
    sizes, at = [], len(layout.head)
    for turn in layout.turns:
        numbers = range(at, at + len(turn.messages))
        sizes.append(sum(by_message.get(number, 0) for number in numbers))
        at += len(turn.messages)
    return sizes


def summary_request(engine: Engine, older: Layout, first_day: date) -> GenerationRequest | None:
    """The request for a summary of all that is in the layout.

    None where a summary is not worth it, or has no room: then turns are dropped.
    """
    window = engine.info.window
    if window < SMALLEST_WINDOW or not older.turns:
        return None
    longest = min(window // SHARE_OF_WINDOW, LONGEST_SUMMARY)
    said = sentence("compact", words=int(longest * WORDS_PER_TOKEN))
    prompt = ChatPrompt(older.messages([message(Role.USER, said, "prompt compact")]), first_day)
    measure = engine.measure(prompt)
    tokens = sum(turn_tokens(older, measure))
    if measure.tokens + longest > window or tokens < WORTH_SUMMARIZING * longest:
        return None
    return GenerationRequest(
        prompt, SamplingOptions(temperature=0.0), max_new_tokens=longest, keep=Keep.NOTHING
    )


class Compaction:
    """A summary on its way: iterate it, for one reader; `summary` is there when it has ended.

    A summary that was stopped, or failed, leaves everything as it was.
    """

    def __init__(
        self, older: Layout, stream: AnswerStream, keep: Callable[[Finished], str]
    ) -> None:
        self.messages = sum(len(turn.numbers) for turn in older.turns)
        self.summary = ""
        self.reason: Reason | None = None
        self._stream = stream
        self._keep = keep

    def __iter__(self) -> Iterator[Event]:
        for event in self._stream:
            if isinstance(event, Finished):
                self.reason = event.answers[0].reason
                self.summary = self._keep(event)
            yield event

    def cancel(self) -> None:
        self._stream.cancel()
