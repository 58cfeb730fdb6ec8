"""Text to ids when only some of the text may hold control tokens.

A control token is true where the text is `open` (written by a template or a trusted caller).
Everywhere else its spelling stays text, whatever the tokenizer would make of it. Knows
nothing of messages or templates.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from assistant.backends.base import Tokenizer
from assistant.errors import TemplateError
from assistant.messages import Span

BLANKS = " \t\n\v\f\r"  # what llama.cpp strips around a control token
_MARKER = re.compile(r"<\S*[^\W\d_]\S*>|\[\S*[^\W\d_]\S*\]")
_HTML_TAG = re.compile(
    r"</?(?:h[1-6]|[abipu]|br|hr|em|strong|sub|sup|code|pre|blockquote|ul|ol|li|dl|dt|dd|img"
    r"|table|caption|thead|tbody|tfoot|tr|th|td|div|span|html|head|body)>"
)
_MAX_CUTS = 8  # rounds of cutting a text whose marker the tokenizer insists on


def is_marker(spelling: str) -> bool:
    """Whether a user-defined token steers the model, as `<think>` and `[INST]` do.

    Runs of blanks and HTML tags, which some vocabularies hold as well, are text.
    """
    return bool(_MARKER.fullmatch(spelling)) and not _HTML_TAG.fullmatch(spelling)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Characters `start` to `end` of a text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch and its ids: one control token, or text without any."""

    start: int
    end: int
    token_ids: tuple[int, ...]
    control_token: int | None = None


class ControlTokens:
    """Finds the control tokens of one vocabulary and tokenizes around them. Immutable."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._id_of = {text: token for text, token in tokenizer.control_tokens.items() if text}
        self._spelling_of = {token: text for text, token in self._id_of.items()}
        self.ids = frozenset(self._id_of.values())
        spellings = sorted(self._id_of, key=len, reverse=True)
        firsts = "".join(sorted({re.escape(text[0]) for text in spellings}))
        any_of = "|".join(map(re.escape, spellings))
        # The first characters are tested at once: a vocabulary may have thousands of markers.
        pattern = f"(?=[{firsts}])(?:{any_of})" if spellings else r"(?!)"
        self._pattern = re.compile(pattern)
        self._starts = re.compile(f"(?=({pattern}))")

    def find(self, text: str, open_stretches: Iterable[Stretch]) -> list[Run]:
        """The control tokens in the open stretches, the longest at each place."""
        return [
            Run(found.start(), found.end(), (token,), token)
            for stretch in open_stretches
            for found in self._pattern.finditer(text, stretch.start, stretch.end)
            for token in (self._id_of[found.group()],)
        ]

    def break_up(self, text: str, separator: str) -> str:
        """The text with separators inside every control token, so that none is spelt in it."""
        if not self._pattern.search(text):  # half of the time that finding every start takes
            return text
        cuts: set[int] = set()
        for found in self._starts.finditer(text):
            cuts |= {found.start() + 1, found.start() + _head(found.group(1)) + 1}
        places = [0, *sorted(cuts), len(text)]
        return separator.join(text[start:end] for start, end in pairwise(places))

    def tokenize(self, text: str, true_tokens: Sequence[Run], fixed: Sequence[Run]) -> list[Run]:
        """Runs that cover the text, in order, but for blanks that a control token swallows.

        `true_tokens` as from `find`; `fixed` runs of text keep the ids they come with. One
        call of the tokenizer where nothing but the true tokens spells one, else one call for
        each run between them. Raises `TemplateError` when the tokenizer cannot keep a spelling
        apart from its control token.
        """
        gaps = self._gaps(text, true_tokens, fixed)
        if not fixed and self.find(text, [Stretch(0, len(text))]) == list(true_tokens):
            ids = self._tokenizer.tokenize(text, has_control_tokens=True)
            runs = self._split(ids, gaps, true_tokens)
            if runs is not None:
                return runs
        written = {run.end for run in fixed}
        plain = []
        for gap in gaps:
            ids = self._plain(text[gap.start : gap.end], goes_on=gap.start in written)
            plain.append(Run(gap.start, gap.end, tuple(ids)))
        return sorted([*plain, *true_tokens, *fixed], key=lambda run: (run.start, run.end))

    def _gaps(self, text: str, true_tokens: Sequence[Run], fixed: Sequence[Run]) -> list[Stretch]:
        """What lies before, between and behind the given runs, less swallowed blanks."""
        gaps, start, strips = [], 0, False
        for run in sorted([*true_tokens, *fixed], key=lambda run: run.start):
            before, after = False, False
            if run.control_token is not None:
                before, after = self._tokenizer.strips_around(run.control_token)
            gaps.append(_strip(text, start, run.start, strips, before))
            start, strips = run.end, after
        return [*gaps, _strip(text, start, len(text), strips, False)]

    def _split(
        self, ids: list[int], gaps: list[Stretch], true_tokens: Sequence[Run]
    ) -> list[Run] | None:
        """Cut the ids at their control tokens; None when these are not the expected ones."""
        found = list(filter(self.ids.__contains__, ids))
        if found != [run.control_token for run in true_tokens]:
            return None
        runs, start = [], 0
        for gap, token, after in zip(gaps, [*found, None], [*true_tokens, None], strict=True):
            place = len(ids) if token is None else ids.index(token, start)
            runs.append(Run(gap.start, gap.end, tuple(ids[start:place])))
            if after:
                runs.append(after)
            start = place + 1
        return runs

    def _plain(self, text: str, goes_on: bool) -> list[int]:
        """Ids of text that must not become a control token; `goes_on` after text without one."""
        pieces = [text]
        for _ in range(_MAX_CUTS):
            rest = [self._tokenize_inside(piece) for piece in pieces[1:]]
            first = self._tokenize_inside if goes_on else self._tokenizer.tokenize
            all_ids = [first(pieces[0]), *rest]
            spelt = [self._unwanted(ids, piece) for ids, piece in zip(all_ids, pieces, strict=True)]
            if not any(spelt):
                return [token for ids in all_ids for token in ids]
            pieces = [
                part
                for piece, unwanted in zip(pieces, spelt, strict=True)
                for part in (self._cut(piece, unwanted) if unwanted else [piece])
            ]
        raise TemplateError(
            "this model's tokenizer cannot keep a control token in a message apart from its own",
            "take the control token out of the message",
        )

    def _unwanted(self, ids: list[int], text: str) -> set[int]:
        """Control tokens among the ids that the text spells; an unknown character is none."""
        found = self.ids.intersection(ids)
        return {token for token in found if self._spelling_of[token] in text}

    def _cut(self, text: str, unwanted: set[int]) -> list[str]:
        """Cut behind the brackets of each unwanted marker, where most vocabularies cut anyway."""
        pieces, start = [], 0
        for found in self._pattern.finditer(text):
            spelling = found.group()
            if self._id_of[spelling] in unwanted:
                cut = found.start() + max(_head(spelling), 1)
                pieces.append(text[start:cut])
                start = cut
        return [*pieces, text[start:]]

    def _tokenize_inside(self, text: str) -> list[int]:
        """Ids of text that goes on another; SentencePiece would put a blank before it."""
        if not text:
            return []
        ids = self._tokenizer.tokenize(text)
        wanted = encode(text)
        if self.spelt(ids) == wanted:
            return ids
        anchor = self._tokenizer.tokenize("\n")
        anchored = self._tokenizer.tokenize("\n" + text)
        rest = anchored[len(anchor) :]
        is_exact = anchored[: len(anchor)] == anchor and self.spelt(rest) == wanted
        return rest if is_exact else ids

    def spelt(self, ids: Iterable[int]) -> bytes:
        return b"".join(map(self._tokenizer.piece, ids))


def mark_spans(text: str, true_tokens: Iterable[Run]) -> tuple[Span, ...]:
    """The text in pieces: every true control token alone, all between them merged."""
    spans, start = [], 0
    for run in true_tokens:
        spans += [Span(text[start : run.start]), Span(text[run.start : run.end], run.control_token)]
        start = run.end
    return tuple(span for span in [*spans, Span(text[start:])] if span.text)


def _head(spelling: str) -> int:
    """Length of the brackets and bars before the name of a marker."""
    return next((at for at, c in enumerate(spelling[:-1]) if c.isalnum()), 0)


def encode(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which no tokenizer reads, becomes a question mark."""
    return text.encode(errors="replace")


def _strip(text: str, start: int, end: int, left: bool, right: bool) -> Stretch:
    if right:
        end = start + len(text[start:end].rstrip(BLANKS))
    if left:
        start = end - len(text[start:end].lstrip(BLANKS))
    return Stretch(start, end)
