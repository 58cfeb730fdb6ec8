"""Which prompts are read in the next call, and how much of each: short ones first, then fairly."""

from assistant.engine.places import is_background
from assistant.engine.run import Sequence

SMALLEST_CHUNK = 16  # tokens of a prompt
SHORT_PROMPT = 256  # tokens to read: it comes before the rest of longer ones
SHORT_ANSWER = 64  # tokens: it is written to its end before the rest of a long prompt is read
LEFT_OUT_SECONDS = 0.5  # before a long prompt takes its part of a call in spite of these


def is_completion(sequence: Sequence) -> bool:
    """A short answer that somebody waits for."""
    run = sequence.run
    return run.request.max_new_tokens <= SHORT_ANSWER and not is_background(run)


def goes_first(sequence: Sequence, now: float) -> bool:
    """Whether a prompt is read although a short answer is being written."""
    return _is_short(sequence) or _is_left_out(sequence, now)


def _is_left_out(sequence: Sequence, now: float) -> bool:
    return now - sequence.run.moved_at > LEFT_OUT_SECONDS


def share_out(
    budget: int, most: int, reading: list[Sequence], now: float
) -> list[tuple[Sequence, int]]:
    """How many prompt tokens of whom go into a call of `budget`, and never more than `most`.

    Short prompts are read whole, the shortest first. A long one that they have left out for
    some time takes half of a call before them; else the long ones share what they leave.
    """
    short = sorted(filter(_is_short, reading), key=lambda s: s.pending)
    long = [s for s in reading if not _is_short(s)]
    late = [s for s in long if short and _is_left_out(s, now)]
    first = _shares(budget // 2, late)
    left = budget - sum(tokens for _, tokens in first)
    stretch = min(budget // 4, most - budget)  # rather than another call for a few tokens
    for sequence in short:
        room = left + stretch if sequence.pending <= left + stretch else left
        taken = _without_lone_tail(sequence.pending, min(sequence.pending, room))
        if left > 0 and taken > 0:
            first.append((sequence, taken))
            left -= taken
    return first + _shares(left, [s for s in long if s not in late])


def _is_short(sequence: Sequence) -> bool:
    """Not the tail of a long prompt: two that are alike are read at the same pace to their end."""
    run = sequence.run
    to_read = run.prompt_tokens - run.cached_tokens if run.is_prefilling else sequence.pending
    return to_read <= SHORT_PROMPT


def _shares(budget: int, long: list[Sequence]) -> list[tuple[Sequence, int]]:
    """The budget in equal shares for the clients, and within a client for its prompts.

    When shares would be too small to be worth a call, who waited longest has one.
    """
    if budget < SMALLEST_CHUNK or not long:
        return []
    by_client: dict[int, list[Sequence]] = {}
    for sequence in sorted(long, key=lambda s: s.run.moved_at):
        by_client.setdefault(sequence.run.client, []).append(sequence)
    most_clients = budget // SMALLEST_CHUNK
    clients = list(by_client.values())[:most_clients]
    chosen = []
    for place, own in enumerate(clients):
        of_client = budget // (len(clients) - place)
        taking = own[: max(1, of_client // SMALLEST_CHUNK)]
        for number, sequence in enumerate(taking):
            share = min(sequence.pending, of_client // (len(taking) - number))
            taken = _without_lone_tail(sequence.pending, share)
            chosen.append((sequence, taken))
            of_client -= taken
            budget -= taken
    return chosen


def _without_lone_tail(pending: int, taken: int) -> int:
    """Never one token alone at a prompt's end.

    Runtimes compute one row and several with different kernels, whose logits differ; so a
    prompt reads the same however it was split, and cached equals uncached.
    """
    return taken - 1 if pending - taken == 1 and taken > 2 else taken
