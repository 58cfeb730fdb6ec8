"""Text to ids and back with the vocabulary of a GGUF file, through llama.cpp."""

import ctypes
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from assistant.backends.control_tokens import is_marker
from assistant.errors import PromptTooLong, UsageError

MAX_TEXT_BYTES = 8 * 2**20  # llama.cpp counts text in 32 bits; far below is safe

# enum llama_token_attr
UNKNOWN, CONTROL, USER_DEFINED, STRIPS_LEFT, STRIPS_RIGHT = 1 << 0, 1 << 3, 1 << 4, 1 << 7, 1 << 8


class LlamaCppTokenizer:
    """Immutable after it is made; every call is safe beside a running decode."""

    def __init__(self, lib: Any, model: Any) -> None:
        self._lib = lib
        self._vocab = lib.llama_model_get_vocab(model)
        self.vocabulary_size: int = lib.llama_vocab_n_tokens(self._vocab)
        self._pieces: dict[int, bytes] = {}

    @cached_property
    def control_tokens(self) -> Mapping[str, int]:
        attribute, vocab = self._lib.llama_vocab_get_attr, self._vocab
        special = UNKNOWN | CONTROL | USER_DEFINED
        spelled = {
            self.piece(token).decode("utf-8", "replace"): token
            for token in range(self.vocabulary_size)
            if attribute(vocab, token) & special
        }
        return MappingProxyType(
            {
                spelling: token
                for spelling, token in spelled.items()
                if spelling and (not attribute(vocab, token) & USER_DEFINED or is_marker(spelling))
            }
        )

    @cached_property
    def hidden_tokens(self) -> frozenset[int]:
        attribute = self._lib.llama_vocab_get_attr
        ids = self.control_tokens.values()
        return frozenset(t for t in ids if not attribute(self._vocab, t) & USER_DEFINED)

    @cached_property
    def special_texts(self) -> Mapping[str, str]:
        lib, vocab = self._lib, self._vocab
        ids = {
            "bos_token": lib.llama_vocab_bos(vocab),
            "eos_token": lib.llama_vocab_eos(vocab),
            "pad_token": lib.llama_vocab_pad(vocab),
            "sep_token": lib.llama_vocab_sep(vocab),
        }
        return {
            name: self.piece(token).decode("utf-8", "replace")
            for name, token in ids.items()
            if 0 <= token < self.vocabulary_size
        }

    @cached_property
    def ends_answer(self) -> frozenset[int]:
        is_end = self._lib.llama_vocab_is_eog
        candidates = {*self.control_tokens.values(), self._lib.llama_vocab_eos(self._vocab)}
        return frozenset(token for token in candidates if token >= 0 and is_end(self._vocab, token))

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        """Raises `PromptTooLong` over 8 MiB of UTF-8."""
        data = text.encode("utf-8", "replace")
        if len(data) > MAX_TEXT_BYTES:
            raise PromptTooLong(
                f"the text is {len(data):,} bytes; at most {MAX_TEXT_BYTES:,} can be tokenised",
                "attach less: a part of the file, or fewer files",
            )
        size = len(data) + 2  # never more tokens than bytes, and a leading blank some add
        ids = (ctypes.c_int32 * size)()
        count = self._lib.llama_tokenize(
            self._vocab, data, len(data), ids, size, False, has_control_tokens
        )
        return ids[:count]

    def piece(self, token_id: int) -> bytes:
        known = self._pieces.get(token_id)
        if known is None:
            known = self._pieces[token_id] = self._read_piece(token_id)
        return known

    def strips_around(self, token_id: int) -> tuple[bool, bool]:
        attribute = self._lib.llama_vocab_get_attr(self._vocab, token_id)
        return bool(attribute & STRIPS_LEFT), bool(attribute & STRIPS_RIGHT)

    @property
    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (), ()

    def _read_piece(self, token_id: int) -> bytes:
        if not 0 <= token_id < self.vocabulary_size:  # llama.cpp would end the process
            last = self.vocabulary_size - 1
            raise UsageError(f"there is no token {token_id}; the last is {last:,}")
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = self._lib.llama_token_to_piece(self._vocab, token_id, buffer, size, 0, True)
            if length >= 0:
                return buffer.raw[:length]
            size = -length
