"""A backend without a model, for timing and faults: what it writes depends on what it read.

Its tokens are bytes; 256 ends an answer. The next token is a function of the whole prefix, so
that an answer that was interrupted, put back or batched is the same only if nothing was lost.
`script` may say what a prompt is answered with instead; `clock` is moved by the work done.
With `encoder` the next token also depends on where the encoder's text ended.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from assistant.backends.base import (
    Abilities,
    Backend,
    BackendInfo,
    DecodeResult,
    Row,
    Sampler,
    SamplingOptions,
)
from assistant.engine.local import OpenBackend
from assistant.errors import UsageError

if TYPE_CHECKING:
    import numpy
    import numpy.typing

END = 256
THINKS, CHANNEL, MESSAGE, START, CHANNEL_END = 257, 258, 259, 260, 261
SPELLINGS = ("<|im_end|>", "<think>", "<|channel|>", "<|message|>", "<|start|>", "<|end|>")


class Clock:
    """Stands in for the `time` module; only the backend's work moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class ByteTokenizer:
    """A token for every byte, then control tokens."""

    vocabulary_size = 256 + len(SPELLINGS)
    special_texts: Mapping[str, str] = MappingProxyType({})
    control_tokens: Mapping[str, int] = MappingProxyType(
        {spelling: 256 + at for at, spelling in enumerate(SPELLINGS)}
    )
    hidden_tokens = frozenset(range(256, 256 + len(SPELLINGS))) - {THINKS}
    ends_answer = frozenset({END})

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        return list(text.encode("utf-8", "replace"))

    def piece(self, token_id: int) -> bytes:
        if not 0 <= token_id < self.vocabulary_size:
            raise UsageError(f"there is no token {token_id}")
        return bytes([token_id]) if token_id < 256 else SPELLINGS[token_id - 256].encode()

    frame: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    def strips_around(self, token_id: int) -> tuple[bool, bool]:
        return False, False


class ScriptedSampler:
    def __init__(self, backend: "ScriptedBackend", seed: int) -> None:
        self._backend = backend
        self.seed = seed
        self.is_closed = False
        backend.open_samplers += 1

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._backend.open_samplers -= 1


class ScriptedBackend:
    """See `Backend`. Every call is recorded as tokens by slot in `calls`."""

    chat_template = None
    state_layout = "scripted"
    max_rows = 512
    max_outputs = 32

    def __init__(
        self,
        *,
        slots: int = 8,
        window: int = 4096,
        cells: int = 10**9,
        answer: Callable[[list[int]], int] | None = None,
        script: Mapping[str, str] | None = None,
        trims: bool = True,
        encoder: bool = False,
    ) -> None:
        self.slots = slots
        self.cells = cells
        self.info = BackendInfo(
            name="scripted",
            fingerprint="scripted",
            parameters=1,
            size_bytes=1,
            window=window,
            device="none",
            quantisation="none",
            template_hash="",
            abilities=Abilities(
                trims=trims, grammar=False, candidates=not encoder, chat=False, encoder=encoder
            ),
        )
        self.tokenizer = ByteTokenizer()
        self.clock = Clock()
        self.tokens_per_second = 1000.0
        self.held: list[list[int]] = [[] for _ in range(slots)]
        self.encoded = [0] * slots  # tokens that an encoder has read; 0: it waits for the rest
        self.calls: list[dict[int, int]] = []
        self.results: list[DecodeResult] = []
        self.open_samplers = 0
        self.is_closed = False
        self.fails_after: int | None = None  # calls
        self.failure: Exception = RuntimeError("the runtime broke")
        self.before_call: Callable[[], None] | None = None
        self.gate: threading.Event | None = None  # a call waits for it, or for an interrupt
        self.in_call = threading.Event()
        self._interrupted = threading.Event()
        self._answer = answer or _next_byte
        self._script = dict(script or {})
        self._last: list[list[int]] = []  # prefix after each row of the last call

    def decode(self, rows: Sequence[Row]) -> DecodeResult:
        assert not self.is_closed
        if self.before_call is not None:
            self.before_call()
        if self.fails_after is not None and len(self.calls) >= self.fails_after:
            raise self.failure
        result = self._outcome(rows)
        self.results.append(result)
        if result is not DecodeResult.DECODED:
            return result
        self._last = []
        for row in rows:
            assert row.tokens
            assert row.start == len(self.held[row.slot])
            self.held[row.slot].extend(row.tokens)
            self._last.append(self._prefix(row.slot) if row.wants_logits else [])
        by_slot: dict[int, int] = {}
        for row in rows:
            by_slot[row.slot] = by_slot.get(row.slot, 0) + len(row.tokens)
        self.calls.append(by_slot)
        self.clock.now += sum(by_slot.values()) / self.tokens_per_second
        return result

    def _prefix(self, slot: int) -> list[int]:
        """What the next token depends on."""
        held = self.held[slot]
        if not self.info.abilities.encoder:
            return list(held)
        at = self.encoded[slot] = self.encoded[slot] or len(held)
        return [*held[:at], END, *held[at:]]

    def _outcome(self, rows: Sequence[Row]) -> DecodeResult:
        new = sum(len(row.tokens) for row in rows)
        assert new <= self.max_rows
        if sum(map(len, self.held)) + new > self.cells:
            return DecodeResult.NO_ROOM
        self.in_call.set()
        if self.gate is not None:
            while not self.gate.wait(0.002) and not self._interrupted.is_set():
                pass
        self.in_call.clear()
        if self._interrupted.is_set():
            self._interrupted.clear()
            return DecodeResult.INTERRUPTED
        return DecodeResult.DECODED

    def new_sampler(self, options: SamplingOptions, seed: int, grammar: str = "") -> Sampler:
        return ScriptedSampler(self, seed)

    def sample(self, row: int, sampler: Sampler) -> int:
        assert isinstance(sampler, ScriptedSampler)
        assert not sampler.is_closed
        prefix = self._last[row]
        text = bytes(t for t in prefix if t < 256).decode("utf-8", "replace")
        for prompt, answer in self._script.items():
            if text.startswith(prompt):
                written = len(prefix) - len(prompt.encode())
                spelled = answer.encode()
                return spelled[written] if written < len(spelled) else END
        return self._answer([*prefix, sampler.seed])

    def log_probabilities(self, row: int) -> "numpy.typing.NDArray[numpy.float32]":
        import numpy

        values = numpy.full(self.tokenizer.vocabulary_size, -100.0, numpy.float32)
        values[self._answer([*self._last[row], 0])] = 0.0
        return values

    def trim(self, slot: int, length: int) -> None:
        abilities = self.info.abilities
        cuts = abilities.trims and not abilities.encoder
        assert cuts or not length or length >= len(self.held[slot])
        del self.held[slot][length:]
        if not length:
            self.encoded[slot] = 0

    def copy(self, source: int, target: int) -> None:
        assert self.info.abilities.candidates
        self.held[target] = list(self.held[source])

    def export_state(self, slot: int) -> bytes:
        assert not self.info.abilities.encoder
        return b",".join(b"%d" % token for token in self.held[slot])

    def import_state(self, slot: int, state: bytes) -> bool:
        tokens = [int(token) for token in state.split(b",")]
        room = self.cells - sum(map(len, self.held)) + len(self.held[slot])
        self.held[slot] = tokens if len(tokens) <= room else []
        return bool(self.held[slot])

    def interrupt(self) -> None:
        self._interrupted.set()

    def progress(self) -> float:
        return 0.5 if self.in_call.is_set() else 0.0

    def close(self) -> None:
        self.is_closed = True


def opener(backend: Backend) -> OpenBackend:
    """What `LocalEngine` takes to open this very backend."""
    return lambda _spec, _on_progress: backend


def _next_byte(prefix: list[int]) -> int:
    """A letter that depends on every token before it."""
    mixed = 17
    for token in prefix:
        mixed = (mixed * 31 + token) % 1_000_003
    return 97 + mixed % 26
