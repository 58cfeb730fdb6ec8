"""Walks the header of a GGUF file within fixed bounds; what its keys mean is in gguf_file.py.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little
endian. Nothing here trusts a length before it was compared with the size of the file.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat
from math import prod
from mmap import mmap

from assistant.model_store.model_files import CutShortError, HeaderError

Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...]

MAX_KEYS = 10_000
MAX_TENSORS = 10_000  # the largest models have about 2,000
MAX_NAME_BYTES = 64 << 10
MAX_STRING_BYTES = 1 << 20
MAX_TEMPLATE_BYTES = 4 << 20
MAX_ARRAY_STRINGS = 4_000_000  # in the whole file; the largest vocabularies have 600,000
MAX_KEPT_ARRAY = 4_096  # longer arrays, and arrays of strings, are skipped
MAX_DIMENSIONS = 4
MAX_TENSOR_ELEMENTS = 1 << 62

STRING, ARRAY = 8, 9
SCALARS = {
    number: struct.Struct("<" + letter)
    for number, letter in zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True)
}

# ggml_type → its name, the elements of a block, the bytes of a block
TENSOR_TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}
UNKNOWN_TYPE = ("unknown", 1, 0)  # a newer one: of its tensors only the offset is checked

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_START = struct.Struct("<4sIQQ")
_TENSORS = [struct.Struct(f"<{dimensions}QIQ") for dimensions in range(MAX_DIMENSIONS + 1)]


@dataclass(frozen=True, slots=True)
class Header:
    """`data_end` is the size in bytes that the file must at least have.

    `elements` counts the numbers in tensors of each ggml type; `lengths` the items of every
    array, also of those that `metadata` leaves out.
    """

    metadata: Mapping[str, Value]
    lengths: Mapping[str, int]
    elements: Mapping[int, int]
    data_offset: int
    data_end: int


def read_header(data: mmap | bytes) -> Header:
    """Raises `HeaderError`; never reads outside `data`, and takes time in proportion to it."""
    if len(data) < _START.size:
        raise CutShortError(f"it is only {len(data)} bytes long")
    magic, version, tensors, keys = _START.unpack_from(data, 0)
    if magic != b"GGUF":
        is_pointer = data[:8] == b"version "
        raise HeaderError("it is a Git LFS pointer" if is_pointer else "it is not a GGUF file")
    if version not in (2, 3):
        swapped = version == int.from_bytes(_U32.pack(3), "big")
        raise HeaderError("it is big-endian" if swapped else f"GGUF version {version} is unknown")
    if keys > MAX_KEYS or tensors > MAX_TENSORS:
        raise HeaderError(f"its header claims {keys:,} keys and {tensors:,} tensors")
    walk = _Walk(data, _START.size)
    try:
        walk.read_metadata(keys)
        walk.read_tensors(tensors)
    except (struct.error, OverflowError):
        raise CutShortError("the file is cut short inside its header") from None
    return walk.finish()


class _Walk:
    """A position in the file and what was found before it."""

    def __init__(self, data: mmap | bytes, position: int) -> None:
        self._data = data
        self._at = position
        self._strings_left = MAX_ARRAY_STRINGS
        self._metadata: dict[str, Value] = {}
        self._lengths: dict[str, int] = {}
        self._elements: dict[int, int] = {}
        self._alignment = 32
        self._data_size = 0

    def read_metadata(self, count: int) -> None:
        seen = set()
        for _ in repeat(None, count):
            key = self._text(MAX_NAME_BYTES, "a key")
            if key in seen:
                raise HeaderError(f"the key {key[:80]!r} is there twice")
            seen.add(key)
            kind = self._number(_U32)
            if kind == ARRAY:
                self._read_array(key)
            elif kind == STRING:
                is_template = key.startswith("tokenizer.chat_template")
                limit = MAX_TEMPLATE_BYTES if is_template else MAX_STRING_BYTES
                self._metadata[key] = self._text(limit, f"the value of {key[:80]!r}")
            else:
                self._metadata[key] = self._number(self._scalar(kind, key))
        self._alignment = self._read_alignment()

    def _read_array(self, key: str) -> None:
        kind, count = self._number(_U32), self._number(_U64)
        self._lengths[key] = count
        if kind == STRING:
            self._skip_strings(key, count)
            return
        scalar = self._scalar(kind, key)
        end = self._at + count * scalar.size
        if end > len(self._data):
            raise CutShortError(f"the file is cut short inside the array {key[:80]!r}")
        if count <= MAX_KEPT_ARRAY:
            kept = self._data[self._at : end]
            self._metadata[key] = tuple(value for (value,) in scalar.iter_unpack(kept))
        self._at = end

    def _skip_strings(self, key: str, count: int) -> None:
        if count > self._strings_left:
            raise HeaderError(f"the array {key[:80]!r} claims {count:,} strings")
        self._strings_left -= count
        data, at, length = self._data, self._at, _U64.unpack_from
        for _ in repeat(None, count):  # the hot loop: a vocabulary has up to 600,000 strings
            at += 8 + length(data, at)[0]
        self._at = at

    def _read_alignment(self) -> int:
        alignment = self._metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise HeaderError(f"its alignment {str(alignment)[:40]!r} is not a power of two")
        return alignment

    def read_tensors(self, count: int) -> None:
        """Adds up the elements of each type and finds where the last tensor ends."""
        data, at, alignment, data_size = self._data, self._at, self._alignment, 0
        names, elements = set[bytes](), dict[int, int]()
        for _ in repeat(None, count):
            start = at + 8
            at = start + _U64.unpack_from(data, at)[0]
            name = data[start : min(at, start + MAX_NAME_BYTES)]
            names.add(name)
            dimensions = _U32.unpack_from(data, at)[0]
            if dimensions > MAX_DIMENSIONS:
                raise HeaderError(f"{_named(name)} has {dimensions:,} dimensions")
            layout = _TENSORS[dimensions]
            *shape, kind, offset = layout.unpack_from(data, at + 4)
            at += 4 + layout.size
            _, block_elements, block_bytes = TENSOR_TYPES.get(kind, UNKNOWN_TYPE)
            numbers = prod(shape)
            if numbers > MAX_TENSOR_ELEMENTS or offset % alignment:
                raise HeaderError(f"{_named(name)} has an impossible shape or place")
            if shape and shape[0] % block_elements:
                raise HeaderError(f"{_named(name)} has rows of broken blocks")
            elements[kind] = elements.get(kind, 0) + numbers
            end = offset + numbers // block_elements * block_bytes
            if end > data_size:
                data_size = end
        if len(names) != count:
            raise HeaderError("two of its tensors have the same name")
        self._at, self._elements, self._data_size = at, elements, data_size

    def finish(self) -> Header:
        if self._at > len(self._data):
            raise CutShortError("the file is cut short inside its header")
        data_offset = -(-self._at // self._alignment) * self._alignment
        data_end = data_offset + self._data_size if self._elements else self._at
        if data_end > len(self._data):
            raise CutShortError(f"the file is cut short: {len(self._data):,} of {data_end:,} bytes")
        return Header(self._metadata, self._lengths, self._elements, data_offset, data_end)

    def _number(self, layout: struct.Struct) -> int:
        (value,) = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return value  # type: ignore[no-any-return] # float or bool for other layouts

    def _scalar(self, kind: int, key: str) -> struct.Struct:
        layout = SCALARS.get(kind)
        if layout is None:
            raise HeaderError(f"the key {key[:80]!r} has a value of type {kind}")
        return layout

    def _text(self, limit: int, what: str) -> str:
        length = self._number(_U64)
        end = self._at + length
        if end > len(self._data):
            raise CutShortError(f"the file is cut short inside {what}")
        if length > limit:
            raise HeaderError(f"{what} is {length:,} bytes long")
        text = _decode(self._data[self._at : end])
        self._at = end
        return text


def _named(tensor: bytes) -> str:
    return f"the tensor {_decode(tensor[:80])!r}"


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")
