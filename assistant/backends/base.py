"""The Backend protocol: all that an engine knows of a runtime.

One thread drives a backend. `interrupt()`, `progress()`, `new_sampler()` and the tokenizer are
the only members that another thread may touch.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from assistant.events import ModelLoading

if TYPE_CHECKING:
    import numpy
    import numpy.typing


# Told what is being done while a model is opened; returns False to give up.
OnProgress = Callable[[ModelLoading], bool]


class Runtime(StrEnum):
    LLAMACPP = "llamacpp"
    TORCH = "torch"


class ModelSpec(Struct, frozen=True):
    """Everything a process needs to open a model; it reads no settings beyond this.

    `window` in tokens (0: the model's own), `threads` (0: chosen from the machine), `kv_type`
    one of `f16`, `q8_0`, `q4_0`; `log` is a file for what the native runtime says. KV states are
    kept on disk in the folder `snapshots` (None: nowhere), `snapshot_bytes` of them at most.

    Only for PyTorch: `device` one of "" (a GPU when there is one), `cpu`, `cuda`; `dtype` one of
    "" (what the device computes fastest), `f32`, `bf16`, `f16`; `int8` computes the linear
    layers in 8 bits, on the CPU only.
    """

    path: Path
    window: int = 0
    kv_type: str = "f16"
    threads: int = 0
    log: Path | None = None
    snapshots: Path | None = None
    snapshot_bytes: int = 2 * 2**30
    runtime: Runtime = Runtime.LLAMACPP
    device: str = ""
    dtype: str = ""
    int8: bool = False


class SamplingOptions(Struct, frozen=True):
    """How the next token is drawn. Temperature 0 takes the most probable one (greedy).

    Ranges: temperature 0 to 5, top_k 0 (off) or more, top_p and min_p 0 to 1 (1 and 0 are
    off), repeat_penalty 0 to 2 (1 is off; it looks back over 64 tokens).
    """

    temperature: float = 0.2
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0


class Abilities(Struct, frozen=True):
    """What this model on this runtime can do."""

    trims: bool  # a slot can be cut back to any length
    grammar: bool  # samplers can be bound to a GBNF grammar
    candidates: bool  # a slot can be copied, so several answers share one prefill
    chat: bool  # there is a chat template
    encoder: bool = False  # an encoder reads the prompt whole: nothing of it serves another one


class BackendInfo(Struct, frozen=True):
    """`window` in tokens, `parameters` a count, `size_bytes` of the weights.

    `fingerprint` names these weights, `template_hash` the chat template ("" without one).
    `build` is what else must be the same for an answer to be written again token by token, for
    people: the runtime and its version, what it computes on, in which numbers, with how many
    threads; "" when it is not known.
    """

    name: str
    fingerprint: str
    parameters: int
    size_bytes: int
    window: int
    device: str
    quantisation: str
    template_hash: str
    abilities: Abilities
    build: str = ""


class Row(Struct, frozen=True):
    """Tokens for one slot, the first at position `start`.

    A slot may have several rows in one call, each going on where the one before ended.
    """

    slot: int
    tokens: Sequence[int]
    start: int
    wants_logits: bool  # of the last token


class DecodeResult(StrEnum):
    DECODED = "decoded"
    INTERRUPTED = "interrupted"
    NO_ROOM = "no_room"


class Tokenizer(Protocol):
    """Text to ids and back. Immutable: any thread, at any time, without waiting."""

    @property
    def vocabulary_size(self) -> int: ...

    @property
    def control_tokens(self) -> Mapping[str, int]:
        """Spelling → id of every token that steers the model and is not text."""
        ...

    @property
    def special_texts(self) -> Mapping[str, str]:
        """What templates call `bos_token`, `eos_token`, … → spelling, where the model has it."""
        ...

    @property
    def hidden_tokens(self) -> frozenset[int]:
        """Control tokens that are never part of an answer's text."""
        ...

    @property
    def ends_answer(self) -> frozenset[int]:
        """Tokens after which an answer is over."""
        ...

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        """Ids of the text alone, nothing added before or after it.

        With `has_control_tokens`, spellings of control tokens become those tokens; else the
        same characters stay text.
        """
        ...

    def piece(self, token_id: int) -> bytes:
        """The bytes that a token adds to the text; control tokens give their spelling."""
        ...

    def strips_around(self, token_id: int) -> tuple[bool, bool]:
        """Whether a control token swallows the blanks before it, and those after it."""
        ...

    @property
    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Ids that the model expects before and after a text that no template renders."""
        ...


class Sampler(Protocol):
    """Draws tokens; remembers what it drew. Belongs to the backend that made it."""

    def close(self) -> None: ...


class Backend(Protocol):
    """Weights and their KV cache, split in `slots` sequences numbered from 0."""

    @property
    def info(self) -> BackendInfo: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def chat_template(self) -> str | None:
        """The model's own Jinja template."""
        ...

    @property
    def state_layout(self) -> str:
        """All that an exported state depends on beside the weights: another process that has the
        same can import it. "" when states serve nobody."""
        ...

    @property
    def slots(self) -> int: ...

    @property
    def max_rows(self) -> int:
        """The most tokens that one `decode` may hold."""
        ...

    @property
    def max_outputs(self) -> int:
        """The most rows of one `decode` whose logits may be wanted; at least one per slot."""
        ...

    def decode(self, rows: Sequence[Row]) -> DecodeResult:
        """Run the rows through the model in one native call.

        After `INTERRUPTED` and `NO_ROOM` every slot is as it was before the call. Raises
        `EngineFailed` when the runtime breaks: then the backend can only be closed.

        A backend with `abilities.encoder` takes a slot's tokens up to the first whose logits are
        wanted as the encoder's text, and all later ones as the answer.
        """
        ...

    def new_sampler(self, options: SamplingOptions, seed: int, grammar: str = "") -> Sampler:
        """A sampler for one answer; `seed` is 32 bits.

        Raises `UsageError` on a bad grammar, and on any without `abilities.grammar`.
        """
        ...

    def sample(self, row: int, sampler: Sampler) -> int:
        """Draw a token from the logits of `rows[row]` of the last `decode`."""
        ...

    def log_probabilities(self, row: int) -> "numpy.typing.NDArray[numpy.float32]":
        """Natural log-probabilities after `rows[row]` of the last `decode`, (vocabulary,)."""
        ...

    def trim(self, slot: int, length: int) -> None:
        """Forget all of a slot but its first `length` positions."""
        ...

    def copy(self, source: int, target: int) -> None:
        """Make `target` hold what `source` holds; what it held is forgotten."""
        ...

    def export_state(self, slot: int) -> bytes:
        """The slot's KV state, for `import_state` of the same model and layout."""
        ...

    def import_state(self, slot: int, state: bytes) -> bool:
        """Replace what the slot holds. False, and an empty slot, when the state does not fit."""
        ...

    def interrupt(self) -> None:
        """Make a running `decode` return `INTERRUPTED` soon. No effect when none runs."""
        ...

    def progress(self) -> float:
        """Share of the running `decode` that is done, 0 to 1; 0 where the runtime cannot tell."""
        ...

    def close(self) -> None:
        """Free everything. Safe to call twice."""
        ...
