"""Ways to put a conversation to a template that may not take it as it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.messages import Role


@dataclass(frozen=True, slots=True)
class Turn:
    """What the template gets as one message: the numbers of those it is made of."""

    role: Role
    messages: tuple[int, ...]


def ways(turns: list[Turn]) -> Iterator[list[Turn]]:
    """Ways to put the messages, the least change first: as they are, joined, folded."""
    seen = []
    late_folded = _fold(turns, keeps_first=True)
    for way in (turns, late_folded, _fold(turns, keeps_first=False)):
        for candidate in (way, _join(way)):
            if candidate not in seen:
                seen.append(candidate)
                yield candidate


def _join(turns: Sequence[Turn]) -> list[Turn]:
    """Consecutive turns of one role become one."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].role is turn.role:
            turn = Turn(turn.role, joined.pop().messages + turn.messages)
        joined.append(turn)
    return joined


def _fold(turns: list[Turn], keeps_first: bool) -> list[Turn]:
    """System messages become the head of the next user turn, or the tail of the last one."""
    folded: list[Turn] = []
    waiting: tuple[int, ...] = ()
    is_head = keeps_first
    for turn in turns:
        is_head = is_head and turn.role is Role.SYSTEM
        if turn.role is Role.SYSTEM and not is_head:
            waiting += turn.messages
        elif turn.role is Role.USER:
            folded.append(Turn(turn.role, waiting + turn.messages))
            waiting = ()
        else:
            folded.append(turn)
    if not waiting:
        return folded
    last = max((at for at, turn in enumerate(folded) if turn.role is Role.USER), default=None)
    if last is None:
        return turns
    folded[last] = Turn(Role.USER, folded[last].messages + waiting)
    return folded
