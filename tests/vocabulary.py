"""Tokenizers for tests without weights: a GGUF file's real one, and one that reads bytes."""

import ctypes
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import llama_cpp

from assistant.backends.control_tokens import is_marker

_UNKNOWN, _CONTROL, _USER_DEFINED = 1 << 0, 1 << 3, 1 << 4
_LSTRIP, _RSTRIP = 1 << 7, 1 << 8


class Vocabulary:
    """llama.cpp's tokenizer over a vocabulary-only GGUF file; implements `Tokenizer`."""

    def __init__(self, path: Path, bos: str = "", eos: str = "") -> None:
        llama_cpp.llama_backend_init()
        options = llama_cpp.llama_model_default_params()
        options.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), options)
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.special_texts: Mapping[str, str] = {
            name: text for name, text in (("bos_token", bos), ("eos_token", eos)) if text
        }

    @cached_property
    def vocabulary_size(self) -> int:
        return int(llama_cpp.llama_vocab_n_tokens(self._vocab))

    @cached_property
    def _attributes(self) -> list[int]:
        get = llama_cpp.llama_vocab_get_attr
        return [int(get(self._vocab, token)) for token in range(self.vocabulary_size)]

    @cached_property
    def control_tokens(self) -> Mapping[str, int]:
        found = {}
        for token, attributes in enumerate(self._attributes):
            if attributes & (_CONTROL | _UNKNOWN | _USER_DEFINED):
                spelling = self.piece(token).decode(errors="replace")
                if not attributes & _USER_DEFINED or is_marker(spelling):
                    found[spelling] = token
        return found

    hidden_tokens: frozenset[int] = frozenset()

    @property
    def ends_answer(self) -> frozenset[int]:
        is_end = llama_cpp.llama_vocab_is_eog
        return frozenset(t for t in self.control_tokens.values() if is_end(self._vocab, t))

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        data = text.encode(errors="replace")
        room = len(data) + 16
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(
            self._vocab, data, len(data), ids, room, False, has_control_tokens
        )
        assert count >= 0
        return list(ids[:count])

    def piece(self, token_id: int) -> bytes:
        buffer = ctypes.create_string_buffer(512)
        size = llama_cpp.llama_token_to_piece(self._vocab, token_id, buffer, 512, 0, True)
        assert size >= 0
        return buffer.raw[:size]

    frame: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    def strips_around(self, token_id: int) -> tuple[bool, bool]:
        attributes = self._attributes[token_id]
        return bool(attributes & _LSTRIP), bool(attributes & _RSTRIP)


class ByteTokenizer:
    """A token for every byte, and control tokens from 256 on. Fast, exact, of no family."""

    def __init__(self, spellings: Sequence[str], bos: str = "<s>", eos: str = "</s>") -> None:
        self.control_tokens = {spelling: 256 + at for at, spelling in enumerate(spellings)}
        self.special_texts: Mapping[str, str] = {"bos_token": bos, "eos_token": eos}
        self.vocabulary_size = 256 + len(spellings)
        self.hidden_tokens: frozenset[int] = frozenset()
        self.ends_answer = frozenset({self.control_tokens.get(eos, 256)})
        self._spellings = list(spellings)
        longest_first = sorted(spellings, key=len, reverse=True)
        self._pattern = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        if not has_control_tokens:
            return list(text.encode(errors="replace"))
        return [
            token
            for at, piece in enumerate(self._pattern.split(text))
            for token in ([self.control_tokens[piece]] if at % 2 else piece.encode())
        ]

    def piece(self, token_id: int) -> bytes:
        if token_id < 256:
            return bytes([token_id])
        return self._spellings[token_id - 256].encode()

    frame: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    def strips_around(self, token_id: int) -> tuple[bool, bool]:
        return False, False
