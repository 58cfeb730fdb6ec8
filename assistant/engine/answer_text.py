"""Token ids of one answer → text as it may be shown: UTF-8, reasoning, stop strings, repetition.

Every step is correct for any split of the answer into tokens.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from assistant.backends.base import Tokenizer

# How families mark reasoning: opening → closing. An opening without a closing starts the text.
REASONING_MARKERS: dict[str, str | None] = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|channel|>analysis<|message|>": "<|end|>",
    "<|channel|>commentary<|message|>": "<|end|>",
    "<|start|>assistant<|channel|>analysis<|message|>": "<|end|>",
    "<|start|>assistant<|channel|>commentary<|message|>": "<|end|>",
    "<|channel|>final<|message|>": None,
    "<|start|>assistant<|channel|>final<|message|>": None,
}
REPEATED_TOKENS = 64  # a cycle over this many tokens is a loop …
REPEATED_CYCLES = 4  # … when it went round this often
LONGEST_CYCLE = 128  # tokens


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    is_reasoning: bool


class AnswerText:
    """Feed it tokens with `push`, then `finish` once; `text` and `reasoning` gather the whole."""

    def __init__(
        self, tokenizer: Tokenizer, stop: Sequence[str] = (), *, prompt_text: str = ""
    ) -> None:
        self._piece = tokenizer.piece
        self._hidden = tokenizer.hidden_tokens
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._splitter = ReasoningSplitter(closing=open_reasoning(prompt_text))
        self._stop = _StopMatcher(stop) if stop else None
        self._text: list[str] = []
        self._reasoning: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning).strip()

    @property
    def is_stopped(self) -> bool:
        """A stop string came; nothing after it is part of the answer."""
        return self._stop is not None and self._stop.found

    def push(self, token_id: int) -> list[Piece]:
        data = self._piece(token_id)
        if token_id in self._hidden and not self._splitter.expects(data.decode("utf-8", "replace")):
            return []
        return self._advance(self._decoder.decode(data))

    def finish(self) -> list[Piece]:
        """What was held back because more could have followed."""
        pieces = self._advance(self._decoder.decode(b"", final=True))
        pieces += self._gather(self._splitter.finish())
        if self._stop is not None and not self._stop.found:
            pieces += self._keep([Piece(self._stop.rest(), False)])
        return pieces

    def _advance(self, text: str) -> list[Piece]:
        if not text or self.is_stopped:
            return []
        return self._gather(self._splitter.push(text))

    def _gather(self, pieces: list[Piece]) -> list[Piece]:
        if self._stop is not None:
            pieces = [
                piece if piece.is_reasoning else Piece(self._stop.push(piece.text), False)
                for piece in pieces
            ]
        return self._keep(pieces)

    def _keep(self, pieces: list[Piece]) -> list[Piece]:
        kept = [piece for piece in pieces if piece.text]
        for piece in kept:
            (self._reasoning if piece.is_reasoning else self._text).append(piece.text)
        return kept


class _State(Enum):
    START = auto()  # only blanks so far: reasoning or text may begin
    REASONING = auto()
    TEXT = auto()


class ReasoningSplitter:
    """Reasoning stands before the text, never in it: a `<think>` in the text is text."""

    def __init__(self, closing: str | None) -> None:
        self._closing = closing or ""
        self._state = _State.REASONING if closing else _State.START
        self._held = ""
        self._is_first_chunk = True
        self._drops_blanks = False

    def expects(self, control_token: str) -> bool:
        """Whether a token that is otherwise hidden may be part of a marker here."""
        if self._state is _State.TEXT:
            return False
        markers = [self._closing] if self._state is _State.REASONING else REASONING_MARKERS
        return any(control_token in marker for marker in markers)

    def push(self, text: str) -> list[Piece]:
        if self._state is _State.TEXT:
            return [Piece(text, False)]
        self._held += text
        pieces: list[Piece] = []
        while self._held and self._step(pieces):
            pass
        return pieces

    def finish(self) -> list[Piece]:
        held, self._held = self._held, ""
        is_reasoning = self._state is _State.REASONING
        if self._drops_blanks and not is_reasoning:
            held = held.lstrip()
        return [Piece(held, is_reasoning)]

    def _step(self, pieces: list[Piece]) -> bool:
        """Take what can be decided from the held text; False when more has to come."""
        if self._state is _State.START:
            return self._begin()
        if self._state is _State.TEXT:
            pieces.append(Piece(self._held, False))
            self._held = ""
            return False
        return self._reason(pieces)

    def _begin(self) -> bool:
        body = self._held.lstrip()
        complete = [marker for marker in REASONING_MARKERS if body.startswith(marker)]
        if not complete:
            if any(marker.startswith(body) for marker in REASONING_MARKERS):
                return False  # blanks, or the beginning of a marker
            self._state = _State.TEXT
            if self._drops_blanks:
                self._held = body
            return True
        marker = max(complete, key=len)
        closing = REASONING_MARKERS[marker]
        self._held = body[len(marker) :]
        self._state = _State.TEXT if closing is None else _State.REASONING
        self._closing = closing or ""
        self._is_first_chunk = True
        return bool(self._held)

    def _reason(self, pieces: list[Piece]) -> bool:
        if self._is_first_chunk:
            self._held = self._held.lstrip()
            self._is_first_chunk = not self._held
        before, marker, after = self._held.partition(self._closing)
        if marker:
            pieces.append(Piece(before, True))
            self._held, self._state, self._drops_blanks = after, _State.START, True
            return True
        keep = _overlap(self._held, self._closing)
        pieces.append(Piece(self._held[: len(self._held) - keep], True))
        self._held = self._held[len(self._held) - keep :]
        return False


class _StopMatcher:
    """Cuts the text before the stop string that ends first; holds back what may become one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.found = False

    def push(self, text: str) -> str:
        if self.found:
            return ""
        text = self._held + text
        found = [(text.find(stop), stop) for stop in self._stop if stop in text]
        if found:  # the one that is complete first, whatever the split into tokens
            self.found, self._held = True, ""
            return text[: min(found, key=lambda at: (at[0] + len(at[1]), at[0]))[0]]
        keep = max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        held, self._held = self._held, ""
        return held


def _overlap(text: str, marker: str) -> int:
    """Length of the longest end of `text` that is a proper beginning of `marker`."""
    for size in range(min(len(marker) - 1, len(text)), 0, -1):
        if marker.startswith(text[-size:]):
            return size
    return 0


def open_reasoning(prompt_text: str) -> str | None:
    """The closing marker when the prompt's end has already opened the reasoning."""
    tail = prompt_text.rstrip()
    for opening, closing in REASONING_MARKERS.items():
        if closing is not None and tail.endswith(opening):
            return closing
    return None


def is_repeating(token_ids: Sequence[int]) -> bool:
    """Whether the tail is one n-gram over and over: 64 tokens or more, four rounds or more.

    Rows of a table that differ in a number are not: the tokens must be the same.
    """
    ids = list(token_ids[-max(REPEATED_TOKENS, LONGEST_CYCLE * REPEATED_CYCLES) :])
    for cycle in range(1, min(LONGEST_CYCLE, len(ids) // REPEATED_CYCLES) + 1):
        span = max(REPEATED_TOKENS, cycle * REPEATED_CYCLES)
        if len(ids) >= span and ids[-span:-cycle] == ids[-span + cycle :]:
            return True
    return False
