"""Reads the header of a .safetensors file within fixed bounds; its folder: safetensors_folder.py.

Format: https://github.com/huggingface/safetensors#format. Nothing here trusts a length before it
was compared with the size of the file.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from pathlib import Path

from assistant.model_store.model_files import (
    CutShortError,
    HeaderError,
    add_samples,
    open_regular,
    parse_json_object,
)

MAX_HEADER_BYTES = 100 << 20
MAX_DIMENSIONS = 8
MAX_TENSOR_ELEMENTS = 1 << 62
LENGTH_BYTES = 8

# Bits of one number, by the name of its type; of a type that is not here only the place is checked.
BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    "F4": 4,
}
TYPE_NAME = re.compile(r"\w{1,24}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WeightFile:
    """`elements` counts the numbers of each type; `tensors` are the names."""

    size_bytes: int
    elements: Counter[str]
    tensors: frozenset[str]


def read_weight_file(path: Path, digest: blake2b) -> WeightFile:
    """Also adds name, size, header and samples of the weights to the digest.

    Raises `HeaderError` when it is not a whole .safetensors file.
    """
    with open_regular(path) as (descriptor, size_bytes):
        header = _header_bytes(descriptor, size_bytes)
        data_offset = LENGTH_BYTES + len(header)
        found = _describe(header, size_bytes, data_offset)
        digest.update(os.fsencode(path.name) + b"\0" + size_bytes.to_bytes(8, "little"))
        digest.update(header)
        add_samples(digest, descriptor, data_offset, size_bytes)
    return found


def _header_bytes(descriptor: int, size_bytes: int) -> bytes:
    start = os.pread(descriptor, LENGTH_BYTES, 0)
    if len(start) < LENGTH_BYTES:
        raise CutShortError(f"it is only {len(start)} bytes long")
    if start == b"version ":
        raise HeaderError("it is a Git LFS pointer")
    length = int.from_bytes(start, "little")
    if length > MAX_HEADER_BYTES:
        raise HeaderError(f"it is not a safetensors file: its header claims {length:,} bytes")
    if LENGTH_BYTES + length > size_bytes:
        raise CutShortError("the file is cut short inside its header")
    return os.pread(descriptor, length, LENGTH_BYTES)


def _describe(header: bytes, size_bytes: int, data_offset: int) -> WeightFile:
    tensors = parse_json_object(header, "its header")
    tensors.pop("__metadata__", None)
    elements = Counter[str]()
    places = list[tuple[int, int]]()
    for name, tensor in tensors.items():
        kind, count, begin, end = _parse_tensor(name, tensor)
        elements[kind] += count
        places.append((begin, end))
    needed = data_offset + _end_of(places)
    if needed > size_bytes:
        raise CutShortError(f"the file is cut short: {size_bytes:,} of {needed:,} bytes")
    if needed < size_bytes:
        raise HeaderError(f"{size_bytes - needed:,} bytes at its end belong to no tensor")
    return WeightFile(size_bytes, elements, frozenset(tensors))


def _parse_tensor(name: str, tensor: object) -> tuple[str, int, int, int]:
    """Type, elements, and the first byte and the one after the last, counted in the data."""
    match tensor:
        case {"dtype": str(kind), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise HeaderError(f"{_named(name)} lacks a type, a shape or a place")
    if TYPE_NAME.fullmatch(kind) is None:
        raise HeaderError(f"{_named(name)} has the type {kind[:40]!r}")
    if len(shape) > MAX_DIMENSIONS:
        raise HeaderError(f"{_named(name)} has {len(shape):,} dimensions")
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise HeaderError(f"{_named(name)} has an impossible shape")
    count, bits = prod(shape), BITS.get(kind)
    if count > MAX_TENSOR_ELEMENTS:
        raise HeaderError(f"{_named(name)} has an impossible shape")
    if bits is not None and count * bits != (end - begin) * 8:
        raise HeaderError(f"the place of {_named(name)} does not have the size of its shape")
    return kind, count, begin, end


def _end_of(places: list[tuple[int, int]]) -> int:
    """Where the last tensor ends; the format allows no gaps, and none to be used twice."""
    at = 0
    for begin, end in sorted(places):
        if begin != at or end < begin:
            raise HeaderError("its tensors overlap or leave gaps")
        at = end
    return at


def _named(tensor: str) -> str:
    return f"the tensor {tensor[:80]!r}"
