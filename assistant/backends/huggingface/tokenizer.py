"""Text to ids and back with the tokenizer of a model folder, through Rust's `tokenizers`.

How the files of the folder are read is in tokenizer_files.py.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tokenizers

from assistant.backends.control_tokens import is_marker
from assistant.backends.huggingface.special_tokens import (
    added_tokens,
    as_special,
    ends_by_spelling,
    model_without,
)
from assistant.backends.huggingface.token_pieces import spelling_of
from assistant.backends.huggingface.tokenizer_files import broken, errors_as, read_tokenizer_files
from assistant.errors import ModelError, PromptTooLong, UsageError

MAX_TEXT_BYTES = 8 * 2**20  # takes 3 to 15 seconds and half a GB


def load_tokenizer(folder: Path, *, framed: bool = False) -> "HuggingFaceTokenizer":
    """The tokenizer of a model in Hugging Face's layout; `framed` as in HuggingFaceTokenizer.

    Ends of an answer are what generation_config.json and config.json call eos, and what is
    spelt like one. Raises `ModelError` when no fast tokenizer can be made from the folder.
    """
    # Else the library warns on stderr about every child process that is started.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    files = read_tokenizer_files(folder)
    with errors_as(lambda err: broken(folder, err)):
        return HuggingFaceTokenizer(
            files.source,
            special_texts=files.special_texts,
            ends=files.ends,
            model_vocabulary=files.model_vocabulary,
            framed=framed,
        )


class HuggingFaceTokenizer:
    """Immutable after it is made; every call is safe beside any other.

    `special_texts` are what the model's files call `bos_token` and the like, `ends` the ids that
    they name as an answer's end; one that is an ordinary word is none. `model_vocabulary` is the
    model's number of tokens (0: unknown): added tokens beyond it are left out. Ids that only the
    model has are not counted in `vocabulary_size`; they mean nothing and must not be drawn.
    `framed` is for a model that wants what the tokenizer puts around a text: see `frame`.

    Raises `ModelError` when the tokenizer is of an unknown kind, or not the model's.
    """

    def __init__(
        self,
        source: tokenizers.Tokenizer,
        *,
        special_texts: Mapping[str, str],
        ends: Collection[int] = (),
        model_vocabulary: int = 0,
        framed: bool = False,
    ) -> None:
        source.no_truncation()
        source.no_padding()
        self._source = source
        self._spelling = spelling_of(source.decoder)
        self._pieces: dict[int, bytes] = {}
        named = {*special_texts.values(), *(source.id_to_token(end) or "" for end in ends)}
        self._added = {
            token_id: token
            for token_id, token in added_tokens(source, named).items()
            if not model_vocabulary or token_id < model_vocabulary
        }
        self.vocabulary_size = self._count_tokens(model_vocabulary)
        self.special_texts: Mapping[str, str] = MappingProxyType(
            {name: text for name, text in special_texts.items() if self._has(text)}
        )
        self._sort_out({*ends, source.token_to_id(special_texts.get("eos_token", ""))})
        self._frame = _frame_of(source) if framed else ((), ())
        self._with_control = self._assemble(source.model, self._added)
        self._as_text = self._assemble(source.model, self._all_special(), special_is_text=True)

    def _sort_out(self, ends: Collection[int | None]) -> None:
        """Which of the added tokens steer the model, never show, and end an answer."""
        special = {token_id for token_id, token in self._added.items() if token.special}
        control = {
            token.content: token_id
            for token_id, token in self._added.items()
            if token_id in special or is_marker(token.content)
        }
        by_spelling = {control[spelling] for spelling in ends_by_spelling(control.keys())}
        self.control_tokens: Mapping[str, int] = MappingProxyType(control)
        self.ends_answer = frozenset(special.intersection(ends) | by_spelling)
        self.hidden_tokens = frozenset(special | by_spelling)

    def _count_tokens(self, model_vocabulary: int) -> int:
        words = self._source.get_vocab(with_added_tokens=False).values()
        count = max((0, *words)) + 1
        if not words or (model_vocabulary and count > model_vocabulary):
            raise ModelError(
                f"the tokenizer knows {len(words):,} words and the model {model_vocabulary:,}",
                "its files do not belong together: download the model again, or take another",
            )
        return max([count, *(token_id + 1 for token_id in self._added)])

    def _has(self, text: str) -> bool:
        token_id = self._source.token_to_id(text)
        return token_id is not None and token_id < self.vocabulary_size

    # ── text to ids ─────────────────────────────────────────────────────────────────────────

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        """Raises `PromptTooLong` over 8 MiB of UTF-8."""
        data = text.encode("utf-8", "replace")
        if len(data) > MAX_TEXT_BYTES:
            raise PromptTooLong(
                f"the text is {len(data):,} bytes; at most {MAX_TEXT_BYTES:,} can be tokenised",
                "attach less: a part of the file, or fewer files",
            )
        text = data.decode()
        if has_control_tokens:
            return _encode(self._with_control, text)
        ids = _encode(self._as_text, text)
        if self._became_control(text, ids):
            return _encode(self._without_control, text)
        return ids

    def _became_control(self, text: str, ids: Sequence[int]) -> bool:
        """Whether text turned into a control token. An unknown character may turn into one."""
        unknown = self._source.token_to_id(self.special_texts.get("unk_token", ""))
        return any(
            token_id != unknown or self._added[token_id].content in text
            for token_id in self._control_ids.intersection(ids)
        )

    @cached_property
    def _control_ids(self) -> frozenset[int]:
        return frozenset(self.control_tokens.values())

    def _assemble(
        self, model: Any, added: Mapping[int, Any], *, special_is_text: bool = False
    ) -> tokenizers.Tokenizer:
        """One that shares `model` but nothing that could be set while others tokenize."""
        made = tokenizers.Tokenizer(model)
        made.encode_special_tokens = special_is_text
        made.normalizer = self._source.normalizer
        made.pre_tokenizer = self._source.pre_tokenizer
        made.add_tokens(list(added.values()))
        if any(made.token_to_id(token.content) != token_id for token_id, token in added.items()):
            raise ModelError(
                "the tokenizer's added tokens contradict its vocabulary",
                "download the model again, or choose another one",
            )
        return made

    def _all_special(self) -> dict[int, Any]:
        """The added tokens, with every control token among them made special."""
        return {
            token_id: as_special(token) if token_id in self._control_ids else token
            for token_id, token in self._added.items()
        }

    @cached_property
    def _without_control(self) -> tokenizers.Tokenizer:
        """For vocabularies that hold control tokens as words."""
        model = model_without(self._source, self.control_tokens)
        words = self._source.get_vocab(with_added_tokens=False)
        added = {
            token_id: token
            for token_id, token in self._all_special().items()
            if token_id not in self._control_ids or token.content not in words
        }
        return self._assemble(model, added, special_is_text=True)

    # ── ids to text ─────────────────────────────────────────────────────────────────────────

    def piece(self, token_id: int) -> bytes:
        known = self._pieces.get(token_id)
        if known is None:
            known = self._pieces[token_id] = self._read_piece(token_id)
        return known

    def _read_piece(self, token_id: int) -> bytes:
        if not 0 <= token_id < self.vocabulary_size:
            last = self.vocabulary_size - 1
            raise UsageError(f"there is no token {token_id}; the last is {last:,}")
        if token_id in self._added:
            return str(self._added[token_id].content).encode()
        word = self._source.id_to_token(token_id)
        return b"" if word is None else self._spelling(word)  # some vocabularies have holes

    def strips_around(self, token_id: int) -> tuple[bool, bool]:
        token = self._added.get(token_id)
        return (False, False) if token is None else (token.lstrip, token.rstrip)

    @property
    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the tokenizer's post-processor puts around a text; nothing unless `framed`."""
        return self._frame


def _frame_of(source: tokenizers.Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Read off a text of one letter, which stands between what is put around it."""
    encoding = source.encode("a", add_special_tokens=True)
    text = [place for place, is_frame in enumerate(encoding.special_tokens_mask) if not is_frame]
    first, last = (text[0], text[-1]) if text else (0, -1)
    return tuple(encoding.ids[:first]), tuple(encoding.ids[last + 1 :])


def _encode(tokenizer: tokenizers.Tokenizer, text: str) -> list[int]:
    with errors_as(_unreadable):  # a batch, because `encode` stops all threads while it works
        (encoding,) = tokenizer.encode_batch_fast([text], add_special_tokens=False)
    ids: list[int] = encoding.ids
    return ids


def _unreadable(err: BaseException) -> ModelError:
    """No word fits a character, and no token stands for such ones."""
    return ModelError(f"the model's tokenizer cannot read this text: {err}", "choose another model")
