"""Which old encoding a text without any mark is in: the one in which it reads like a language.

Detectors that count byte statistics need long texts; the few accented letters in the comments
of a source file are too little for them. So the letters are compared with the alphabets of the
languages that an encoding was made for, and charset-normalizer is asked only about the rest.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

SAMPLE_BYTES = 8 << 10
MIN_SCORE = 0.5  # of 1.0: every character belongs to one language

WESTERN = (
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüß",  # German
    "áéíñóúü",  # Spanish
    "àáâãçéêíóôõúü",  # Portuguese
    "àèéìíòóùú",  # Italian
    "åäæéöø",  # Nordic
    "ëïéèêü",  # Dutch
    "áæéíðóöúýþ",  # Icelandic
)
CENTRAL = (
    "ąćęłńóśźż",  # Polish
    "áäčďéěíĺľňóôŕřšťúůýž",  # Czech, Slovak
    "áéíóöőúüű",  # Hungarian
    "čćđšž",  # Croatian, Slovenian
    "ăâîşţ",  # Romanian
)
TURKISH = "âçğıîöşüû"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяёєіїґў"
GREEK = "αβγδεζηθικλμνξοπρςστυφχψωάέήίΰαόύώϊϋ"
COMMON = frozenset("оеаинтсрвлкмдпуαεηιοτνσυρκπ")  # most of what is written with these letters
COMMON_HANGUL = frozenset(
    "이다는의에을를가고하지로한도사기서자인리스시어나아제대정일전수라해부그은만있으성상보과여주"
    "장원동경구조용게계드들마면모문미방비상선세소실안업연오와요우위유음입작재저적중진차체출치크"
    "터트파표할합행호화확환회결과반값오류메파목록변함"
)
SYMBOLS = frozenset("\xa0“”‘’„‚–—…•€£¥§©®°±²³µ·¹º»¼½¾×÷«¿¡ª™¶¢¬")
IN_WORDS = frozenset("’·ªº")

Score = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class _Candidate:
    encoding: str
    shown: str
    score: Score


@dataclass(frozen=True, slots=True)
class Guess:
    """`encoding` is Python's name, `shown` the one people know."""

    encoding: str
    shown: str
    text: str


def guess(data: bytes) -> Guess | None:
    """The text of bytes that are no UTF-8; None when they read like nothing in any encoding.

    Encoding the text again gives exactly `data`.
    """
    sample = _lines_to_judge(data)
    scores = []
    for rank, candidate in enumerate(CANDIDATES):
        try:
            scores.append((candidate.score(sample.decode(candidate.encoding)), -rank))
        except UnicodeDecodeError:
            continue
    for score, rank in sorted(scores, reverse=True):
        found = CANDIDATES[-rank]
        if score >= MIN_SCORE and (text := _decode_exactly(data, found.encoding)) is not None:
            return Guess(found.encoding, found.shown, text)
    return _ask_charset_normalizer(data, sample)


def _lines_to_judge(data: bytes) -> bytes:
    """Lines that are not ASCII; no encoding here uses the byte of a line feed for anything else."""
    lines, size = [], 0
    for line in data.split(b"\n"):
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size > SAMPLE_BYTES:
                break
    return b"\n".join(lines)


def _decode_exactly(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
        return text if text.encode(encoding) == data else None
    except UnicodeError:
        return None


def _ask_charset_normalizer(data: bytes, sample: bytes) -> Guess | None:
    from charset_normalizer import from_bytes  # takes 25 ms, and few files need it

    best = from_bytes(sample, enable_fallback=False).best()
    if best is None:
        return None
    text = _decode_exactly(data, best.encoding)
    return Guess(best.encoding, best.encoding.replace("_", "-"), text) if text else None


# ── how much a decoded sample looks like a language, at most 1.0 ────────────────────────────


def _western(text: str) -> float:
    mixed = "".join(WESTERN[:-1])  # names of many countries; Icelandic is too odd for that
    return max(*(_letters(text, alphabet) for alphabet in WESTERN), 0.9 * _letters(text, mixed))


def _old_western(text: str) -> float:
    return 0.95 * max(_letters(text, alphabet) for alphabet in WESTERN[:-1])


def _central(text: str) -> float:
    return max(_letters(text, alphabet) for alphabet in CENTRAL)


def _turkish(text: str) -> float:
    return _letters(text, TURKISH)


def _by_frequency(alphabet: str) -> Score:
    """Two encodings of one script differ in which letters they give, not in whether they do."""
    common = "".join(COMMON.intersection(alphabet))
    return lambda text: (
        (_letters(text, alphabet, is_latin=False) + _letters(text, common, is_latin=False)) / 2
    )


def _letters(text: str, alphabet: str, *, is_latin: bool = True) -> float:
    scores = []
    for at, character in enumerate(text):
        if character.isascii():
            continue
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        # Latin words mix plain and accented letters; those of other scripts have no plain ones.
        is_foreign = (
            _is_accented(before) and _is_accented(after)
            if is_latin
            else _is_plain(before) or _is_plain(after)
        )
        if character in SYMBOLS:
            is_odd = before.isalpha() and after.isalpha() and character not in IN_WORDS
            scores.append(-1.0 if is_odd else 1.0)
        elif is_foreign:
            scores.append(-1.0)
        elif character in alphabet:
            scores.append(1.0)
        else:
            is_capital = character.lower() in alphabet and not before.islower()
            scores.append(0.9 if is_capital else -1.0)
    return _mean(scores)


def _is_plain(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _is_accented(character: str) -> bool:
    return not character.isascii() and character.isalpha()


def _japanese(text: str) -> float:
    characters = _not_ascii(text)
    kana = sum("\u3041" <= character <= "\u30fe" for character in characters)
    of_kanji = 1.0 if kana else 0.7  # Chinese has no kana
    return _mean(
        1.0 if "\u3041" <= c <= "\u30fe" or _is_wide_mark(c) else of_kanji if _is_han(c) else -1.0
        for c in characters
    )


def _korean(text: str) -> float:
    return _mean(
        1.0
        if c in COMMON_HANGUL
        else 0.8
        if "\uac00" <= c <= "\ud7a3" or _is_wide_mark(c)
        else -1.0
        for c in _not_ascii(text)
    )


def _chinese(encoding: str, first: int, last: int) -> Score:
    """`first` to `last` lead the characters that are in daily use."""

    def score(text: str) -> float:
        return _mean(
            0.85
            if _is_wide_mark(c) or first <= c.encode(encoding, "replace")[0] <= last
            else 0.3
            if _is_han(c)
            else -1.0
            for c in _not_ascii(text)
        )

    return score


def _is_han(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"


def _is_wide_mark(character: str) -> bool:
    return "\u3000" <= character <= "\u303f" or "\uff01" <= character <= "\uff5e"


def _not_ascii(text: str) -> list[str]:
    return [character for character in text if not character.isascii()]


def _mean(scores: Iterable[float]) -> float:
    listed = list(scores)
    return sum(listed) / len(listed) if listed else 0.0


# Of two that score the same the first is meant.
CANDIDATES = (
    _Candidate("cp1252", "Windows-1252", _western),
    _Candidate("cp1250", "Windows-1250", _central),
    _Candidate("iso8859_2", "ISO-8859-2", _central),
    _Candidate("cp1254", "Windows-1254", _turkish),
    _Candidate("cp1251", "Windows-1251", _by_frequency(CYRILLIC)),
    _Candidate("koi8_r", "KOI8-R", _by_frequency(CYRILLIC)),
    _Candidate("koi8_u", "KOI8-U", _by_frequency(CYRILLIC)),
    _Candidate("cp866", "CP866", _by_frequency(CYRILLIC)),
    _Candidate("cp1253", "Windows-1253", _by_frequency(GREEK)),
    _Candidate("cp850", "CP850", _old_western),
    _Candidate("cp932", "Shift JIS", _japanese),
    _Candidate("euc_jp", "EUC-JP", _japanese),
    _Candidate("euc_kr", "EUC-KR", _korean),
    _Candidate("gb18030", "GB18030", _chinese("gb2312", 0xB0, 0xD7)),
    _Candidate("big5", "Big5", _chinese("big5", 0xA4, 0xC6)),
)
