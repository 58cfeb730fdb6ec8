"""What finds messages by their text: words, and any three characters in a row.

Two FTS5 tables that keep no text, `words` and `trigrams`, say which messages may hold a term;
whoever asks looks at their text then. `fold` makes text comparable. In `words` every Chinese,
Japanese and Korean character is a word of its own. Nothing here knows what a message is: ids and
texts go in, ids come out.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from sqlite3 import Connection

SHORTEST_SUBSTRING = 3  # characters; the words find what is shorter
MOST_INDEX_TERMS = 24  # that the indexes are asked for; the text decides about the others
CREATE = (
    "CREATE VIRTUAL TABLE words USING fts5(text, content='', columnsize=0,"
    " tokenize=\"unicode61 remove_diacritics 2 tokenchars '_'\")",
    "CREATE VIRTUAL TABLE trigrams USING fts5(text, content='', columnsize=0, detail=none,"
    ' tokenize="trigram case_sensitive 1")',
)
CJK = (
    "\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
TABLES = ("words", "trigrams")
ACCENTS = re.compile("[\u0300-\u036f]")
TERMS = re.compile(r'"([^"]+)"|(\S+)')


class Term(Struct, frozen=True):
    """`text` is what has to occur, folded. All of `words` and `trigrams` occur where it does."""

    text: str
    words: tuple[str, ...]
    trigrams: tuple[str, ...]


# ── text ────────────────────────────────────────────────────────────────────────────────────


def fold(text: str) -> str:
    """Without case, accents and compatibility forms; a blank for any white space."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).casefold()
        text = ACCENTS.sub("", unicodedata.normalize("NFKD", text))
        text = unicodedata.normalize("NFC", text)
    else:
        text = text.lower()
    return " ".join(text.replace("\0", " ").split())


def has_cjk(text: str) -> bool:
    """Chinese, Japanese or Korean characters."""
    return not text.isascii() and _one_cjk().search(text) is not None


def spread(folded: str) -> str:
    """Each of these characters by itself."""
    return folded if folded.isascii() else _one_cjk().sub(r" \1 ", folded)


@cache
def _one_cjk() -> re.Pattern[str]:
    return re.compile(f"([{CJK}])")  # takes 2 ms


def terms_of(query: str) -> tuple[Term, ...]:
    """Divided at blanks; what stands between quotes is one term. Empty: nothing to look for."""
    texts = (fold(quoted or plain) for quoted, plain in TERMS.findall(query))
    return tuple(_term(text) for text in dict.fromkeys(texts) if text)


def _term(text: str) -> Term:
    if has_cjk(text):
        return Term(text, tuple(_sure_runs(re.findall(f"[{CJK}]+", text))), ())
    if len(text) < SHORTEST_SUBSTRING:
        is_sure = all(is_of_word(c) or is_between_words(c) for c in text)
        return Term(text, tuple(_sure_runs([text])) if is_sure else (), ())
    starts = range(len(text) - SHORTEST_SUBSTRING + 1)
    return Term(text, (), tuple(text[at : at + SHORTEST_SUBSTRING] for at in starts))


def _sure_runs(texts: Sequence[str]) -> Iterator[str]:
    """What is certainly a word, or several in a row, for every version of SQLite."""
    for text in texts:
        marked = "".join(c if is_of_word(c) else " " for c in text)
        yield from marked.split()


def is_of_word(character: str) -> bool:
    """The tables of the oldest Unicode at hand: SQLite's are newer, and hold the same."""
    return character == "_" or unicodedata.ucd_3_2_0.category(character)[0] in "LN"


def is_between_words(character: str) -> bool:
    """Certainly. What was not assigned then, and some signs, became letters later."""
    category = unicodedata.ucd_3_2_0.category(character)
    is_sure = category not in ("Cn", "Co", "Sk") or character in "^`"
    return is_sure and not is_of_word(character)


# ── the tables ──────────────────────────────────────────────────────────────────────────────


def create(connection: "Connection") -> None:
    for statement in CREATE:
        connection.execute(statement)


def create_again(connection: "Connection") -> None:
    """Empty."""
    for table in TABLES:
        connection.execute(f"DROP TABLE {table}")
    create(connection)


def add(connection: "Connection", row: int, text: str) -> None:
    folded = fold(text)
    connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row, spread(folded)))
    connection.execute("INSERT INTO trigrams (rowid, text) VALUES (?, ?)", (row, folded))


def remove(connection: "Connection", row: int, text: str) -> None:
    """`text` must be what was added: the tables do not know it."""
    folded = fold(text)
    for table, value in (("words", spread(folded)), ("trigrams", folded)):
        connection.execute(
            f"INSERT INTO {table} ({table}, rowid, text) VALUES ('delete', ?, ?)",  # noqa: S608
            (row, value),
        )


def forget_removed(connection: "Connection") -> None:
    """Rewrites the tables: until then they hold the terms of what was removed."""
    for table in TABLES:
        connection.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")  # noqa: S608


def size_bytes(connection: "Connection") -> int:
    sizes = (
        connection.execute(f"SELECT coalesce(sum(length(block)), 0) FROM {table}_data").fetchone()  # noqa: S608
        for table in TABLES
    )
    return sum(int(size[0]) for size in sizes)


def candidates(connection: "Connection", terms: Sequence[Term]) -> Iterator[int] | None:
    """Rows that may hold all the terms, the last added first; None: any row may."""
    trigrams = dict.fromkeys(piece for term in terms for piece in term.trigrams)
    words = dict.fromkeys(piece for term in terms for piece in term.words)
    by_trigrams = _rows(connection, "trigrams", _some(list(trigrams)))
    by_words = _rows(connection, "words", _some(list(words)))
    if trigrams and words:
        return _in_both(by_trigrams, by_words)
    if not trigrams and not words:
        return None
    return by_trigrams if trigrams else by_words


def _some(pieces: Sequence[str]) -> Sequence[str]:
    """Evenly."""
    return pieces[:: -(-len(pieces) // MOST_INDEX_TERMS) or 1]


def _in_both(left: Iterator[int], right: Iterator[int]) -> Iterator[int]:
    """Of two falling sequences. SQLite would look up each row of one in the other by itself."""
    one, other = next(left, 0), next(right, 0)
    while one and other:
        if one > other:
            one = next(left, 0)
        elif one < other:
            other = next(right, 0)
        else:
            yield one
            one, other = next(left, 0), next(right, 0)


def _rows(connection: "Connection", table: str, pieces: Sequence[str]) -> Iterator[int]:
    """Closed when nobody reads on: an open one keeps other processes from writing."""
    query = f"SELECT rowid FROM {table} WHERE {table} MATCH ? ORDER BY rowid DESC"  # noqa: S608
    with closing(connection.execute(query, (_match(table, pieces),))) as cursor:
        for (row,) in cursor:
            yield row


def _match(table: str, pieces: Sequence[str]) -> str:
    """All of them, as strings: nothing in there is an operator."""
    divide = spread if table == "words" else str
    return " AND ".join('"' + divide(piece).replace('"', '""') + '"' for piece in pieces)
