"""Long texts are tokenized in pieces, with the same result: on all cores, and each piece once.

Whoever measures a prompt after each key gets the pieces that have not changed from memory.
Knows nothing of templates: it is a tokenizer around a tokenizer.
"""

import os
import re
from array import array
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain, pairwise

from assistant.backends.base import Tokenizer
from assistant.backends.recent import Recent

PIECE = 4 << 10  # characters, at least; they take 1 to 2 ms
MOST_PIECES = 64  # about; longer texts have longer pieces
WORTH_SHARING = 128 << 10  # characters; they take some 40 ms on one core
REMEMBERED = 1 << 20  # characters; their tokens are 4 bytes each
WINDOW = 200  # characters on either side of a cut that must give the same tokens without it
CUTS_REMEMBERED = 1024
# No vocabulary has a token across these places, and all rules that cut a text into words before
# it is tokenized cut there as well: the end of a line that ends in a word, and between a line
# end and a letter. SentencePiece puts a blank before a text; with a letter it becomes one token.
_AFTER_WORD = re.compile(r"(?<=[^\W_])(?=\n)")
_CUT = re.compile(rf"{_AFTER_WORD.pattern}|(?<=\S\n)(?=[^\W\d_])")

_Ids = Sequence[int]


class LongTexts:
    """See `Tokenizer`; only `tokenize` is its own. Any thread, at any time."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._pieces: Recent[tuple[str, bool, bool], _Ids] = Recent(REMEMBERED)
        self._cuts_tried: Recent[tuple[str, str, bool], bool] = Recent(CUTS_REMEMBERED)

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        cuts = self._cuts(text, has_control_tokens) if len(text) >= 2 * PIECE else []
        if not cuts:
            return self._tokenizer.tokenize(text, has_control_tokens=has_control_tokens)
        keys = [
            (text[start:end], has_control_tokens, start > 0)
            for start, end in pairwise([0, *cuts, len(text)])
        ]
        known = {key: self._pieces.get(key) for key in keys}
        missing = [key for key, ids in known.items() if ids is None]
        for key, ids in zip(missing, self._tokenize_all(missing), strict=True):
            known[key] = ids
            self._pieces.put(key, ids, len(key[0]))
        return list(chain.from_iterable(known[key] or () for key in keys))

    def _tokenize_all(self, keys: Sequence[tuple[str, bool, bool]]) -> list[_Ids]:
        if sum(len(text) for text, _, _ in keys) < WORTH_SHARING:
            return [self._tokenize_piece(key) for key in keys]
        from concurrent.futures import ThreadPoolExecutor  # takes 10 ms, and few texts are long

        with ThreadPoolExecutor(min(_cores(), len(keys))) as pool:
            return list(pool.map(self._tokenize_piece, keys))

    def _tokenize_piece(self, key: tuple[str, bool, bool]) -> _Ids:
        text, has_control_tokens, is_inside = key
        ids = self._tokenizer.tokenize(text, has_control_tokens=has_control_tokens)
        if is_inside and self._is_padded and ids[:1] and self._tokenizer.piece(ids[0]) == b" ":
            del ids[0]  # the blank that is put before a text
        return array("i", ids)

    @cached_property
    def _is_padded(self) -> bool:
        ids = self._tokenizer.tokenize("a")
        return bool(ids) and self._tokenizer.piece(ids[0]).startswith(b" ")

    def _cuts(self, text: str, has_control_tokens: bool) -> list[int]:
        """Where the text can be cut, so that a change in one place leaves the cuts before it.

        None where one would change tokens: the windows show that.
        """
        piece = max(PIECE, 1 << (len(text) // MOST_PIECES).bit_length())
        pattern = _AFTER_WORD if self._is_padded else _CUT
        cuts = [0]
        while found := pattern.search(text, cuts[-1] + piece, len(text) - piece // 2):
            cut = found.start()
            left, right = text[max(0, cut - WINDOW) : cut], text[cut : cut + WINDOW]
            if not self._is_cut(left, right, has_control_tokens):
                return []
            cuts.append(cut)
        return cuts[1:]

    def _is_cut(self, left: str, right: str, has_control_tokens: bool) -> bool:
        """Whether these have the same tokens apart as together."""
        key = left, right, has_control_tokens
        known = self._cuts_tried.get(key)
        if known is None:
            whole, first, second = (
                [*self._tokenize_piece((text, has_control_tokens, is_inside))]
                for text, is_inside in ((left + right, False), (left, False), (right, True))
            )
            known = whole == first + second
            self._cuts_tried.put(key, known, 1)
        return known

    @property
    def vocabulary_size(self) -> int:
        return self._tokenizer.vocabulary_size

    @property
    def control_tokens(self) -> Mapping[str, int]:
        return self._tokenizer.control_tokens

    @property
    def special_texts(self) -> Mapping[str, str]:
        return self._tokenizer.special_texts

    @property
    def hidden_tokens(self) -> frozenset[int]:
        return self._tokenizer.hidden_tokens

    @property
    def ends_answer(self) -> frozenset[int]:
        return self._tokenizer.ends_answer

    def piece(self, token_id: int) -> bytes:
        return self._tokenizer.piece(token_id)

    def strips_around(self, token_id: int) -> tuple[bool, bool]:
        return self._tokenizer.strips_around(token_id)

    @property
    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self._tokenizer.frame


def _cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
