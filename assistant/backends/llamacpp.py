"""GGUF through llama.cpp's low-level API: model, context, batch and memory.

The context starts small and grows with what the slots hold, up to a window for every slot as
long as the memory lasts. Several slots share one unified KV cache.
"""

import ctypes
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.backends.base import (
    Abilities,
    BackendInfo,
    DecodeResult,
    ModelSpec,
    OnProgress,
    Row,
    Sampler,
    SamplingOptions,
)
from assistant.backends.llamacpp_bindings import (
    AbortFlag,
    load_bindings,
    load_ggml,
    native_log,
)
from assistant.backends.llamacpp_build import describe_build
from assistant.backends.llamacpp_gpu import free_gpu_bytes, layers_that_fit
from assistant.backends.llamacpp_sampler import LlamaCppSampler
from assistant.backends.llamacpp_tokenizer import LlamaCppTokenizer
from assistant.backends.rows import lengths_after
from assistant.errors import EngineFailed, ModelError
from assistant.events import ModelLoading
from assistant.model_store.gguf_file import read_gguf
from assistant.model_store.machine import available_bytes, cpu_threads
from assistant.model_store.memory import check_fits, context_bytes

if TYPE_CHECKING:
    import numpy
    import numpy.typing

SLOTS = 8
BATCH_TOKENS = 512  # rows of one native call; larger ones were not faster
OUTPUTS = 32  # logits of one call; space for 512 of them slows every step by 2 %
SMALLEST_CONTEXT = 512  # tokens
CELLS_STEP = 256  # llama.cpp rounds a context up to this
STATE_MARK = b"llmchat1"
STATE_HEAD = struct.Struct("<8sI")  # mark, positions
BYTES = ctypes.POINTER(ctypes.c_uint8)
FLASH_ATTENTION_AUTO, FLASH_ATTENTION_OFF = -1, 0  # enum llama_flash_attn_type
SMALL_ATTENTION = 256 * 2**20  # bytes of the attention matrix that flash attention avoids
GGML_TYPES = {"f16": 1, "q8_0": 8, "q4_0": 2}  # enum ggml_type


class LlamaCppBackend:
    """See `Backend`. Raises `ModelError` or `NotEnoughMemory` when the model cannot be opened."""

    def __init__(self, spec: ModelSpec, on_progress: OnProgress) -> None:
        self._spec = spec
        self._file = read_gguf(spec.path)
        self._window = min(spec.window or self._file.window, self._file.window)
        self._threads = spec.threads or cpu_threads()
        self._context: Any = None
        self._model: Any = None
        self._batch: Any = None
        self._lengths = [0] * SLOTS
        self._row_ends: list[int] = []
        check_fits(self._file, SMALLEST_CONTEXT, spec.kv_type, available_bytes())
        self._lib = load_bindings()
        self._layers_on_gpu = self._gpu_layers()
        self._flag = AbortFlag()
        self._nodes_per_call = 0
        self._model = self._load_model(on_progress)
        try:
            self._refuse_what_cannot_chat()
            self._can_trim = not (
                self._lib.llama_model_is_recurrent(self._model)
                or self._lib.llama_model_is_hybrid(self._model)
            )
            self.tokenizer = LlamaCppTokenizer(self._lib, self._model)
            self._batch = self._lib.llama_batch_init(BATCH_TOKENS, 0, 1)
            self._capacity = 0
            self._open_context(SMALLEST_CONTEXT)
        except BaseException:
            self.close()
            raise
        self.info = self._describe()

    @property
    def chat_template(self) -> str | None:
        return self._file.chat_template

    @property
    def state_layout(self) -> str:
        """With the library's size and time in place of a build number, which it does not tell."""
        library = Path(self._lib._lib._name).stat()
        build = f"llama.cpp {library.st_size} {library.st_mtime_ns}"
        flash = f"flash attention {self._flash_attention()}"
        return f"{STATE_MARK.decode()} {build} {self._spec.kv_type} {flash} unified"

    @property
    def slots(self) -> int:
        return SLOTS

    @property
    def max_rows(self) -> int:
        return BATCH_TOKENS

    @property
    def max_outputs(self) -> int:
        return OUTPUTS

    # ── decoding ────────────────────────────────────────────────────────────────────────────

    def decode(self, rows: Sequence[Row]) -> DecodeResult:
        # The batch is a C array without borders.
        lengths_after(rows, self._lengths, max_rows=BATCH_TOKENS, max_outputs=OUTPUTS)
        if not self._make_room(sum(len(row.tokens) for row in rows)):
            return DecodeResult.NO_ROOM
        if not self._can_trim and self._flag.is_raised():  # only between calls: see _open_context
            self._flag.lower()
            return DecodeResult.INTERRUPTED
        before = list(self._lengths)
        self._fill_batch(rows)
        status = self._lib.llama_decode(self._context, self._batch)
        if status == 0:
            self._count_nodes()
            return DecodeResult.DECODED
        self._go_back_to(before, {row.slot for row in rows})
        if status == 2:
            self._flag.lower()
            return DecodeResult.INTERRUPTED
        if status == 1:
            return DecodeResult.NO_ROOM
        reason = "; ".join(native_log.last_errors()[-2:]) or "no reason given"
        raise EngineFailed(f"llama_decode returned {status}: {reason}")

    def _count_nodes(self) -> None:
        # An interrupt that comes while no call runs stays up and stops the next one.
        if not self._flag.is_raised():
            self._nodes_per_call = self._flag.nodes()
            self._flag.lower()

    def _fill_batch(self, rows: Sequence[Row]) -> None:
        batch, at = self._batch, 0
        self._row_ends = []
        token, pos, seq, logits = batch.token, batch.pos, batch.seq_id, batch.logits
        for row in rows:
            for offset, token_id in enumerate(row.tokens):
                token[at] = token_id
                pos[at] = row.start + offset
                batch.n_seq_id[at] = 1
                seq[at][0] = row.slot
                logits[at] = 0
                at += 1
            logits[at - 1] = row.wants_logits
            self._row_ends.append(at - 1)
            self._lengths[row.slot] += len(row.tokens)
        batch.n_tokens = at

    def _go_back_to(self, lengths: list[int], slots: set[int]) -> None:
        self._lengths = lengths
        for slot in slots:
            self._lib.llama_memory_seq_rm(self._memory, slot, lengths[slot], -1)

    def interrupt(self) -> None:
        self._flag.raise_()

    def progress(self) -> float:
        if not self._nodes_per_call or self._flag.is_raised():
            return 0.0
        return min(1.0, self._flag.nodes() / self._nodes_per_call)

    # ── sampling ────────────────────────────────────────────────────────────────────────────

    def new_sampler(self, options: SamplingOptions, seed: int, grammar: str = "") -> Sampler:
        vocab = self._lib.llama_model_get_vocab(self._model)
        return LlamaCppSampler(self._lib, vocab, options, seed, grammar)

    def sample(self, row: int, sampler: Sampler) -> int:
        assert isinstance(sampler, LlamaCppSampler)
        end = self._row_ends[row]
        return int(self._lib.llama_sampler_sample(sampler.chain, self._context, end))

    def log_probabilities(self, row: int) -> "numpy.typing.NDArray[numpy.float32]":
        import numpy  # 80 ms, and only those who ask for probabilities pay for it

        pointer = self._lib.llama_get_logits_ith(self._context, self._row_ends[row])
        logits = numpy.ctypeslib.as_array(pointer, (self.tokenizer.vocabulary_size,))
        shifted = logits - logits.max()  # (vocabulary,)
        result: numpy.typing.NDArray[numpy.float32] = shifted - numpy.log(numpy.exp(shifted).sum())
        return result

    # ── the KV cache of a slot ──────────────────────────────────────────────────────────────

    def trim(self, slot: int, length: int) -> None:
        if length < self._lengths[slot]:
            if length and not self._can_trim:
                raise ValueError("this model cannot forget a part of a slot")
            self._lib.llama_memory_seq_rm(self._memory, slot, length, -1)
            self._lengths[slot] = length

    def copy(self, source: int, target: int) -> None:
        self.trim(target, 0)
        self._lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self._lengths[target] = self._lengths[source]

    def export_state(self, slot: int) -> bytes:
        """llama.cpp's own state after a head that says how many positions it needs."""
        size = self._lib.llama_state_seq_get_size(self._context, slot)
        head = STATE_HEAD.pack(STATE_MARK, self._lengths[slot])
        state = bytes(len(head) + size)  # nobody else knows it yet: filled in place, not copied
        buffer = ctypes.cast(ctypes.c_char_p(state), ctypes.c_void_p).value or 0
        ctypes.memmove(buffer, head, len(head))
        native = ctypes.cast(buffer + len(head), BYTES)
        written = self._lib.llama_state_seq_get_data(self._context, native, size, slot)
        return state if written == size else state[: len(head) + written]

    def import_state(self, slot: int, state: bytes) -> bool:
        self.trim(slot, 0)
        if len(state) < STATE_HEAD.size:
            return False
        mark, length = STATE_HEAD.unpack_from(state)
        if mark != STATE_MARK or length > self._window or not self._make_room(length):
            return False
        buffer = ctypes.cast(ctypes.c_char_p(state), ctypes.c_void_p).value or 0
        native = ctypes.cast(buffer + STATE_HEAD.size, BYTES)
        size = len(state) - STATE_HEAD.size
        read = self._lib.llama_state_seq_set_data(self._context, native, size, slot)
        held = self._lib.llama_memory_seq_pos_max(self._memory, slot) + 1
        if read == 0 or held != length:
            self._lib.llama_memory_seq_rm(self._memory, slot, -1, -1)
            return False
        self._lengths[slot] = length
        return True

    @property
    def _memory(self) -> Any:
        return self._lib.llama_get_memory(self._context)

    # ── the context: as large as what the slots hold ────────────────────────────────────────

    def _make_room(self, new_tokens: int) -> bool:
        needed = sum(self._lengths) + new_tokens
        if needed <= self._capacity:
            return True
        most = self._window * SLOTS
        for wanted in (needed * 3 // 2, needed):
            tokens = min(_round_up(wanted), _round_up(most))
            if tokens >= needed and self._memory_allows(tokens) and self._grow(tokens):
                return True
        return False

    def _memory_allows(self, tokens: int) -> bool:
        extra = tokens - self._capacity + sum(self._lengths)  # what is held is copied meanwhile
        return context_bytes(self._file, extra, self._spec.kv_type) <= available_bytes()

    def _grow(self, tokens: int) -> bool:
        """Move to a larger context; False when llama.cpp cannot open it, and nothing changed."""
        before = self._capacity
        states = {slot: self.export_state(slot) for slot, n in enumerate(self._lengths) if n}
        self._lib.llama_free(self._context)
        self._context = None
        try:
            self._open_context(tokens)
        except ModelError:
            self._open_again(before)
        for slot, state in states.items():
            if not self.import_state(slot, state):
                raise EngineFailed("the KV state did not survive a larger context")
        return self._capacity > before

    def _open_again(self, tokens: int) -> None:
        try:
            self._open_context(tokens)
        except ModelError as err:
            raise EngineFailed(err.message, "close other programs, then ask again") from err

    def _open_context(self, tokens: int) -> None:
        lib, params = self._lib, self._lib.llama_context_default_params()
        params.n_ctx = tokens
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_outputs_max = OUTPUTS
        params.n_seq_max = SLOTS
        params.n_threads = params.n_threads_batch = self._threads
        params.type_k = params.type_v = GGML_TYPES[self._spec.kv_type]
        params.flash_attn_type = self._flash_attention()
        params.kv_unified = True
        params.no_perf = True
        if self._can_trim:  # else an interrupted call could not be taken back
            params.abort_callback = lib.ggml_abort_callback(self._flag.function)
            params.abort_callback_data = self._flag.address
        self._context = lib.llama_init_from_model(self._model, params)
        if not self._context:
            raise ModelError(f"llama.cpp cannot open a context of {tokens:,} tokens: {_reason()}")
        self._capacity = lib.llama_n_ctx(self._context)
        self._lengths = [0] * SLOTS

    def _flash_attention(self) -> int:
        """Off for small models on the CPU: decoding at depth 1,024 is a quarter faster without.

        What it saves is a float32 matrix of rows × window × heads, which only small models can
        afford; quantised values need it, and GPUs are left to llama.cpp.
        """
        matrix = BATCH_TOKENS * self._window * self._file.head_count * 4
        is_needed = self._spec.kv_type != "f16" or self._lib.llama_supports_gpu_offload()
        return (
            FLASH_ATTENTION_AUTO if is_needed or matrix > SMALL_ATTENTION else FLASH_ATTENTION_OFF
        )

    # ── opening and closing ─────────────────────────────────────────────────────────────────

    def _load_model(self, on_progress: OnProgress) -> Any:
        lib, params = self._lib, self._lib.llama_model_default_params()
        lib.llama_backend_init()
        native_log.clear()
        if self._spec.log is not None:
            native_log.write_to(self._spec.log)
        callback = lib.llama_progress_callback(
            lambda share, _data: on_progress(ModelLoading("loading the model", share))
        )
        params.progress_callback = callback
        params.n_gpu_layers = self._layers_on_gpu
        model = lib.llama_model_load_from_file(bytes(self._spec.path), params)
        if not model:
            raise ModelError(
                f"llama.cpp cannot load {self._spec.path.name}: {_reason()}",
                "the file may be damaged or too new: download it again, or update llama-cpp-python",
            )
        return model

    def _gpu_layers(self) -> int:
        """All layers that fit the GPU's free memory; 0 without a GPU."""
        if not self._lib.llama_supports_gpu_offload():
            return 0
        free = free_gpu_bytes(load_ggml())
        return layers_that_fit(self._file, self._spec.kv_type, free)

    def _refuse_what_cannot_chat(self) -> None:
        if self._lib.llama_model_has_encoder(self._model):
            raise ModelError(
                f"{self._spec.path.name} is an encoder–decoder model, which is not supported",
                "choose a decoder-only model, or -m starter",
            )

    def _describe(self) -> BackendInfo:
        file = self._file
        return BackendInfo(
            name=file.short_name,
            fingerprint=file.fingerprint,
            parameters=file.parameters,
            size_bytes=file.size_bytes,
            window=self._window,
            device="GPU" if self._lib.llama_supports_gpu_offload() else "CPU",
            quantisation=file.quantisation,
            template_hash=_text_hash(file.chat_template),
            abilities=Abilities(
                trims=self._can_trim,
                grammar=True,
                candidates=True,
                chat=file.chat_template is not None,
            ),
            build=describe_build(
                self._lib,
                kv_type=self._spec.kv_type,
                has_flash=self._flash_attention() != FLASH_ATTENTION_OFF,
                threads=self._threads,
                gpu_layers=self._layers_on_gpu,
            ),
        )

    def close(self) -> None:
        if self._context is not None:
            self._lib.llama_free(self._context)
            self._context = None
        if self._model is not None:
            if self._batch is not None:
                self._lib.llama_batch_free(self._batch)
            self._lib.llama_model_free(self._model)
            self._model = None


def _reason() -> str:
    return "; ".join(line.strip() for line in native_log.last_errors()[-3:]) or "no reason given"


def _round_up(tokens: int) -> int:
    return -(-tokens // CELLS_STEP) * CELLS_STEP


def _text_hash(text: str | None) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""
