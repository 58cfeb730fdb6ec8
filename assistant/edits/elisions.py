"""Finds where an answer leaves code out: "# ... rest unchanged", "{ /* as before */ }".

Written to a file, such a line would be all that is left of the code it stands for.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_DOTS = r"(?:\.{3,}|…+)"
_COMMENT = r"(?:\{?/\*+|//+|#+|<!--|--+|;+|%+|\(\*|\"{3}|'{3})"
_COMMENT_END = r"(?:\*+/\}?|-->|\*\)|\"{3}|'{3})?"
_SAID = rf"{_COMMENT}\s*(?P<said>.*?)\s*{_COMMENT_END}"

_COMMENT_LINE = re.compile(_SAID)
_DOTS_LINE = re.compile(rf"(?:{_DOTS}|[\[(<]\s*{_DOTS}\s*[\])>])[,;]?")
_SENTENCE_LINE = re.compile(rf"[\[(<]?\s*{_DOTS}\s(?P<said>.*)")  # not "...existing," of JS
_BODY_OF_DOTS = re.compile(rf"(?P<head>.*)[:{{]\s*{_DOTS}\s*\}}?[,;]?")
_WORDS = re.compile(r"\w+")
_NAME = re.compile(r"\w+(?=\s*(?:[(<]|$))")
# Behind `pass`, an opening brace or a colon, a comment stands for the body.
_BODY_COMMENT = re.compile(rf".*(?:\bpass|{_DOTS}|[{{:])\s*{_SAID}[\s}};,]*")

_THING = (
    r"(?:code|file|functions?|class(?:es)?|methods?|implementations?|imports?|module|script|logic|"
    r"body|bodies|program|contents?|lines?|definitions?|tests?|components?|everything)"
)
_STATE = (
    r"(?:unchanged|the same|same|omitted|as before|as is|as above|here|below|above|for brevity)"
)
_REST = (
    rf"(?:the )?(?:rest|remainder)(?: of (?:the |your |this |its )?(?:\w+ ){{0,2}}{_THING})?"
    rf"(?: (?:is|are|remains?|stays?|goes))?(?: {_STATE})*"
)
_OLD_CODE = (
    r"(?:(?:the|your|all|keep|of|any) )*(?:existing|previous|original|unchanged|remaining)"
    rf" (?:\w+ )?{_THING}(?: (?:is|are|remains?|stays?|goes))?(?: {_STATE})*"
)
_STAYS = rf"(?:\w+ ){{0,3}}(?:{_THING}|else|this) (?:is|are|remains?|stays?) {_STATE}"
_SAME = (
    r"(?:same|unchanged|no changes?)(?: code)?"
    r"(?: (?:as|from) (?:the |in the )?(?:before|above|original|existing|previous)(?: code)?)?"
    r"(?: here)?"
)
_OMITTED = r"(?:\w+ ){0,4}(?:omitted|truncated|snipped)(?: for brevity)?|snip"
_YOURS = r"(?:(?:add|put|insert) )?your (?:\w+ )?code(?: goes)?(?: here)?"
_PHRASE = re.compile("|".join((_REST, _OLD_CODE, _STAYS, _SAME, _OMITTED, _YOURS)))
_OTHERS = re.compile(rf"(?:(?:all|the|your|and) )*(?:other|more) (?:\w+ )?{_THING}(?: {_STATE})*")
_WORD = re.compile(
    r"\b(?:rest|remain|existing|unchanged|same|previous|other|omit|original|before|above|code|"
    r"implement|method|function|etc|continu|more|import|logic|keep|body|as is)"
)

MAX_LENGTH = 200  # characters; who leaves code out is brief
# The patterns above are only tried where they may match: they take 10 µs a line.
_MAYBE = re.compile(
    rf"{_DOTS}|rest|remain|existing|previous|original|unchanged|same|your|omit|truncat|snip|"
    r"no change|(?:is|are|stays?) (?:here|as)"
)


@dataclass(frozen=True, slots=True)
class Elision:
    """`line` counts from 1."""

    line: int
    text: str


def find_elision(new: Sequence[str], old: Sequence[str]) -> Elision | None:
    """The first line that stands for code left out and that the old lines did not have."""
    known = Counter(line.strip() for line in old)
    for number, line in enumerate(new, 1):
        text = line.strip()
        known[text] -= 1
        if known[text] < 0 and (_is_elision(text.lower()) or _has_lost_its_body(text, old)):
            return Elision(number, text)
    return None


def _is_elision(line: str) -> bool:
    if not _MAYBE.search(line) or len(line) > MAX_LENGTH:
        return False
    if _DOTS_LINE.fullmatch(line):
        return True
    if sentence := _SENTENCE_LINE.fullmatch(line):
        return _PHRASE.fullmatch(_bare(sentence["said"])) is not None
    comment = _COMMENT_LINE.fullmatch(line) or _BODY_COMMENT.fullmatch(line)
    return comment is not None and _leaves_out(comment["said"])


def _has_lost_its_body(line: str, old: Sequence[str]) -> bool:
    """`def load(self): ...` where there was a `load`; else it is a stub, which is new code."""
    body = _BODY_OF_DOTS.fullmatch(line) if len(line) <= MAX_LENGTH else None
    if body is None or _COMMENT_LINE.fullmatch(line):
        return False
    name = _NAME.search(body["head"].rstrip())
    return name is not None and any(name[0] in _WORDS.findall(text) for text in old)


def _leaves_out(said: str) -> bool:
    begins = re.match(rf"[\[(<{{]*\s*{_DOTS}", said) is not None
    ends = re.search(rf"{_DOTS}[\])>}}]*$", said) is not None
    bare = _bare(said)
    if not bare:
        return begins
    if _PHRASE.fullmatch(bare):
        return True
    if begins:
        return ends or _WORD.search(bare) is not None
    return ends and _OTHERS.fullmatch(bare) is not None


def _bare(said: str) -> str:
    return " ".join(re.split(r"[\s\[\](){}<>*=.…!:,'`]+", said)).strip(" -")
