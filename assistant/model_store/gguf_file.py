"""What a GGUF file says about its model, read in milliseconds and without trusting it.

The walk over the bytes is in gguf_header.py. Keys:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#standardized-key-value-pairs
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from mmap import ACCESS_READ, mmap
from pathlib import Path

from assistant.errors import ModelError
from assistant.model_store.gguf_header import (
    TENSOR_TYPES,
    UNKNOWN_TYPE,
    Header,
    Value,
    read_header,
)
from assistant.model_store.model_files import (
    CutShortError,
    HeaderError,
    add_samples,
    open_regular,
)

MAX_LAYERS = 4_096
MAX_COUNT = (1 << 31) - 1  # of tokens, heads and the like: llama.cpp keeps them in 32 bits

# general.file_type (llama_ftype in llama.h) → the name people know it by
FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
    39: "NVFP4",
    40: "Q1_0",
}
GUESSED = 1024  # a flag added to general.file_type


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A model file as its header describes it.

    `window` in tokens, lengths in elements; 0 where the file does not say. `head_count_kv`
    has one number per layer (0: the layer keeps no KV). `metadata` leaves out arrays of
    strings and arrays of more than 4,096 numbers. `fingerprint`: see `fingerprint_of`.
    """

    path: Path
    size_bytes: int
    metadata: Mapping[str, Value]
    architecture: str
    name: str
    parameters: int
    quantisation: str
    window: int
    vocabulary_size: int
    block_count: int
    embedding_length: int
    head_count: int
    head_count_kv: tuple[int, ...]
    key_length: int
    value_length: int
    sliding_window: int
    chat_template: str | None
    data_offset: int
    fingerprint: str

    @property
    def short_name(self) -> str:
        """The file's name says what people call the model; the quantisation is told apart."""
        stem = self.path.stem
        return stem.removesuffix(self.quantisation).rstrip("-._") or stem


def read_gguf(path: Path) -> GgufFile:
    """Raises `ModelError` when the file is not a whole GGUF file of version 2 or 3."""
    try:
        with open_regular(path) as (descriptor, size_bytes):
            if size_bytes == 0:
                raise CutShortError("it is empty")
            with mmap(descriptor, size_bytes, access=ACCESS_READ) as data:
                header = read_header(data)
                fingerprint = fingerprint_of(data, descriptor, header.data_offset)
        return _describe(path, header, size_bytes, fingerprint)
    except CutShortError as err:
        raise _unusable(path, str(err), "download it again") from err
    except (HeaderError, OSError) as err:
        raise _unusable(path, str(err)) from err


def fingerprint_of(data: mmap, descriptor: int, data_offset: int) -> str:
    """32 hex characters that name these weights, without reading all of them.

    BLAKE2b over the whole header, the size of the file and 256 evenly spaced blocks of 4 KiB
    of tensor data. Two models, quantisations or fine-tunes differ in it. It is no checksum: a
    few flipped bytes between the blocks go unseen, and it proves nothing about who made the
    file.
    """
    digest = blake2b(digest_size=16)
    digest.update(len(data).to_bytes(8, "little"))
    with memoryview(data) as view:
        digest.update(view[:data_offset])
    add_samples(digest, descriptor, data_offset, len(data))
    return digest.hexdigest()


def _unusable(path: Path, reason: str, remedy: str = "take another file") -> ModelError:
    return ModelError(
        f"{path} cannot be used: {reason}", f"{remedy}, or ask the starter model: -m starter"
    )


def _describe(path: Path, header: Header, size_bytes: int, fingerprint: str) -> GgufFile:
    keys = _Keys(header.metadata)
    heads = keys.per_layer("attention.head_count")
    kv_heads = keys.per_layer("attention.head_count_kv") or heads
    layers = keys.count("block_count")
    if layers > MAX_LAYERS:
        raise HeaderError(f"it claims {layers:,} layers")
    embedding, head_count = keys.count("embedding_length"), max(heads, default=0)
    head_length = embedding // head_count if head_count else 0
    return GgufFile(
        path=path,
        size_bytes=size_bytes,
        metadata=header.metadata,
        architecture=keys.architecture,
        name=keys.text("general.name") or path.stem,
        parameters=sum(header.elements.values()),
        quantisation=_quantisation(header),
        window=keys.count("context_length"),
        vocabulary_size=header.lengths.get("tokenizer.ggml.tokens", 0),
        block_count=layers,
        embedding_length=embedding,
        head_count=head_count,
        head_count_kv=_for_each_layer(kv_heads, layers),
        key_length=keys.count("attention.key_length") or head_length,
        value_length=keys.count("attention.value_length") or head_length,
        sliding_window=keys.count("attention.sliding_window"),
        chat_template=keys.text("tokenizer.chat_template") or None,
        data_offset=header.data_offset,
        fingerprint=fingerprint,
    )


class _Keys:
    """Metadata with the types that the format promises."""

    def __init__(self, metadata: Mapping[str, Value]) -> None:
        self._metadata = metadata
        self.architecture = self.text("general.architecture")
        if not self.architecture:
            raise HeaderError("it does not name its architecture")

    def text(self, key: str) -> str:
        value = self._metadata.get(key, "")
        if not isinstance(value, str):
            raise HeaderError(f"{key} is not text")
        return value

    def count(self, key: str) -> int:
        """A key of the architecture; 0 when absent, the largest when it differs by layer."""
        return max(self.per_layer(key), default=0)

    def per_layer(self, key: str) -> tuple[int, ...]:
        value = self._metadata.get(f"{self.architecture}.{key}", ())
        numbers = value if isinstance(value, tuple) else (value,)
        return tuple(_checked_count(key, number) for number in numbers)


def _checked_count(key: str, number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_COUNT:
        raise HeaderError(f"{key} is {str(number)[:40]!r}")
    return number


def _for_each_layer(numbers: tuple[int, ...], layers: int) -> tuple[int, ...]:
    if len(numbers) == 1:
        return numbers * layers
    if numbers and len(numbers) != layers:
        raise HeaderError(f"it counts heads for {len(numbers):,} of {layers:,} layers")
    return numbers


def _quantisation(header: Header) -> str:
    """By general.file_type; else the type that holds most of the numbers."""
    number = header.metadata.get("general.file_type")
    if isinstance(number, int) and number & ~GUESSED in FILE_TYPES:
        return FILE_TYPES[number & ~GUESSED]
    if not header.elements:
        return "unknown"
    most = max(header.elements, key=lambda kind: header.elements[kind])
    return TENSOR_TYPES.get(most, UNKNOWN_TYPE)[0]
