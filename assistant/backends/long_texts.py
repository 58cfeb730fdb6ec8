"""Long texts are tokenized in pieces, on as many cores as there are, with the same result.

Knows nothing of templates: it is a tokenizer around a tokenizer.
"""

import os
import re
from collections.abc import Mapping
from itertools import chain, pairwise

from assistant.backends.base import Tokenizer

PIECE = 64 << 10  # characters, at least; they take some 40 ms
WINDOW = 200  # characters on either side of a cut that must give the same tokens without it
# Between a line end and a letter. No vocabulary has a token across it, and all rules that cut a
# text into words before it is tokenized cut there as well.
_CUT = re.compile(r"(?<=\S\n)(?=[^\W\d_])")


class LongTexts:
    """See `Tokenizer`; only `tokenize` is its own. Immutable."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        cuts = self._cuts(text, has_control_tokens) if len(text) >= 2 * PIECE else []
        if not cuts:
            return self._tokenizer.tokenize(text, has_control_tokens=has_control_tokens)
        from concurrent.futures import ThreadPoolExecutor  # takes 10 ms, and few texts are long

        def work(piece: str) -> list[int]:
            return self._tokenizer.tokenize(piece, has_control_tokens=has_control_tokens)

        pieces = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
        with ThreadPoolExecutor(min(_cores(), len(pieces))) as pool:
            return list(chain.from_iterable(pool.map(work, pieces)))

    def _cuts(self, text: str, has_control_tokens: bool) -> list[int]:
        """Where the text can be cut, at least PIECE apart. None where a text gets a blank before
        it, as with SentencePiece: the windows show that."""
        cuts = [0]
        while found := _CUT.search(text, cuts[-1] + PIECE, len(text) - PIECE // 2):
            cut = found.start()
            around = (text[cut - WINDOW : cut], text[cut : cut + WINDOW])
            whole, left, right = (
                self._tokenizer.tokenize(piece, has_control_tokens=has_control_tokens)
                for piece in ("".join(around), *around)
            )
            if whole != left + right:
                return []
            cuts.append(cut)
        return cuts[1:]

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
