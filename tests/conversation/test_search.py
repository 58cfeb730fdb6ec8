"""What a search finds, compared with looking at every text; anything a user types is a query."""

import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SCALE
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from stored_turns import ENDED, WRITING, answer, ask, begun, history, opened, turn

from assistant.conversation import search_index
from assistant.conversation.records import State
from assistant.conversation.search_index import fold
from assistant.conversation.store import Store
from assistant.errors import InputError

CHARACTERS = "aabcéßİKſⅣ_19 ␣.-=>#\"'*\n\t中文語かガ한국ｱ，→🎉e\u0301\u3099\0"
CJK = re.compile(r"([㐀-䶿一-鿿぀-ヿ가-힣])")
ONCE = settings(
    max_examples=round(600 * SCALE),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def store() -> Iterator[Store]:
    with opened() as store:
        yield store


def found(store: Store, query: str) -> list[str]:
    return [hit.message.text for hit in store.search(query, 1000)]


def naive(texts: Sequence[str], query: str) -> list[str]:
    """Without any index."""
    terms = [fold(a or b) for a, b in re.findall(r'"([^"]+)"|(\S+)', query)]
    return [text for text in texts if all(holds(fold(text), term) for term in terms)]


def holds(text: str, term: str) -> bool:
    if len(term) >= 3 or CJK.search(term) or not re.search(r"\w", term):
        return term in text
    return term in text and set(words(term)) <= set(words(text))


def words(text: str) -> list[str]:
    return re.findall(r"\w+", CJK.sub(r" \1 ", text))


# ── what is found ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("def quick_sort(items):", "quick_sort"),
        ("def quick_sort(items):", "CK_SO"),
        ("def quick_sort(items):", "sort(items)"),
        ("Straße nach Köln", "STRASSE köln"),
        ("Strasse nach Koln", "straße KÖLN"),
        ("用二分查找法", "查找"),
        ("用二分查找法", "二分查找"),
        ("用 quicksort 排序", "排序 quicksort"),
        ("用quicksort排序", "用quick"),
        ("データベースを消す", "ベース"),
        ("데이터베이스", "이터"),
        ("ｶﾀｶﾅ and ＦＵＬＬ width", "カタカナ full"),
        ("an x in it", "x"),
        ("written in C# or C++", "c#"),
        ("written in C# or C++", "c++"),
        ("over\n    two lines", '"over two lines"'),
        ("a -> b", "->"),
        ("done 🎉", "🎉"),
        ('print("hi")', 'print("hi'),
        ("NEAR AND OR NOT", "near and or not"),
        ("-x *y ^z", "-x *y ^z"),
        ("it's", "it's"),
    ],
)
def test_it_is_found(store: Store, text: str, query: str) -> None:
    turn(store, begun(store), "?", text)
    assert found(store, query) == [text]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("this island", "is"),
        ("quick sort", "quicksort"),
        ("quick and sort", '"quick sort"'),
        ("二分查找", "分找"),
        ("中。文", "中文"),
        ("written in C", "c#"),
        ("one two", "one three"),
        ("content:words", "content: nothing"),
    ],
)
def test_it_is_not_found(store: Store, text: str, query: str) -> None:
    turn(store, begun(store), "?", text)
    assert found(store, query) == []


@pytest.mark.parametrize("query", ["", "  ", "\t\n", "\0", '"  "', "\u0301"])
def test_nothing_to_look_for_is_said_with_an_example(store: Store, query: str) -> None:
    with pytest.raises(InputError, match="nothing to search for") as caught:
        store.search(query)
    assert caught.value.hint == 'llmchat history search "binary search"'


def test_questions_names_of_files_answers_and_summaries_are_searched(store: Store) -> None:
    name = begun(store, "titleword")
    asked = ask(store, name, "questionword", namesofit_py="attachedword")
    answered = answer(store, name, asked.number, "answerword", "thoughtword")
    short = store.add_summary(name, answered.number, "summaryword", 2, None)
    hits = {
        word: [hit.message.number for hit in store.search(word)]
        for word in (
            "questionword",
            "namesofit_py",
            "answerword",
            "summaryword",
            "titleword",
            "attachedword",
            "thoughtword",
        )
    }
    assert hits == {
        "questionword": [asked.number],
        "namesofit_py": [asked.number],
        "answerword": [answered.number],
        "summaryword": [short.number],
        "titleword": [],
        "attachedword": [],
        "thoughtword": [],
    }


def test_a_hit_says_where_it_is(store: Store) -> None:
    name = begun(store, "A title")
    answered = turn(store, name, "?", "findme")
    (hit,) = store.search("findme")
    assert hit.message == answered
    assert hit.conversation == store.find(name)


def test_the_newest_come_first_and_no_more_than_wanted(store: Store) -> None:
    name = begun(store)
    for number in range(10):
        ask(store, name, f"word {number}")
    assert found(store, "word") == [f"word {number}" for number in reversed(range(10))]
    assert [hit.message.text for hit in store.search("word", 2)] == ["word 9", "word 8"]
    assert store.search("word", 0) == []


def test_what_was_written_anew_is_found_by_its_new_words_only(store: Store) -> None:
    name = begun(store)
    answered = turn(store, name, "?", "first words 中文")
    store.end_answer(name, answered.number, State.COMPLETE, "other words 日本", "", ENDED)
    assert (found(store, "first"), found(store, "中文")) == ([], [])
    assert found(store, "other") == found(store, "日本") == ["other words 日本"]


def test_what_goes_on_is_found_when_it_has_ended(store: Store) -> None:
    name = begun(store)
    answered = turn(store, name, "?", "first")
    store.append(name, answered.number, " second")
    assert found(store, "first") == []
    assert store.path(name)[-1].state is State.STREAMING
    store.end_answer(name, answered.number, State.STOPPED, "first second", "", WRITING)
    assert found(store, "second first") == ["first second"]


def test_any_piece_of_code_is_found(store: Store) -> None:
    text = Path(search_index.__file__).read_text()
    turn(store, begun(store), "?", text)
    pieces = [text[start : start + 37].replace('"', " ") for start in range(0, len(text), 97)]
    wanted = [f'"{piece}"' for piece in pieces if fold(piece) in fold(text)]
    assert len(wanted) > 20
    assert [found(store, query) for query in wanted] == [[text]] * len(wanted)


# ── compared with a scan ────────────────────────────────────────────────────────────────────

TEXT = st.text(st.sampled_from(CHARACTERS), max_size=12)


@ONCE
@given(st.lists(TEXT, min_size=1, max_size=6), TEXT, st.tuples(*[st.integers(0, 10)] * 3))
@example(["ab"], "ab a", (0, 0, 0))
@example(["\u0301a"], "a", (0, 0, 0))
def test_a_search_finds_what_a_scan_finds(
    texts: list[str], query: str, cut: tuple[int, int, int]
) -> None:
    which, start, length = cut
    piece = texts[which % len(texts)][start : start + length].replace('"', "")
    history().unlink(missing_ok=True)
    with opened() as store, closing(Store.in_memory()) as memory:
        for place in (store, memory):
            name = begun(place)
            for text in texts:
                ask(place, name, text)
        for wanted in (query, piece, f'"{piece}"', f"{piece} {query}"):
            if any(fold(a or b) for a, b in search_index.TERMS.findall(wanted)):
                expected = naive(texts, wanted)[::-1]
                assert found(store, wanted) == expected


@ONCE
@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.text(min_size=1, max_size=10))
@example([""], "A\x1b")
def test_any_text_is_a_query(texts: list[str], query: str) -> None:
    history().unlink(missing_ok=True)
    with opened() as store:
        name = begun(store)
        kept = [ask(store, name, text).text for text in [*texts, query, f"x{query}y"]]
        try:
            hits = found(store, query)
        except InputError:
            assert not search_index.terms_of(query)
            return
        terms = [term.text for term in search_index.terms_of(query)]
        holding = [text for text in kept if all(term in fold(text) for term in terms)]
        assert set(hits) <= set(holding)
        if all(len(term) >= 3 for term in terms):
            assert hits == holding[::-1]
        assert kept[-2] in hits


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_for_ascii_is_the_long_one(text: str) -> None:
    assert fold(text + "\u4e2d") == fold(text + "中")
    assert fold(text + " 中") == f"{fold(text)} 中".lstrip()


def test_sqlite_takes_for_words_what_we_take_for_words() -> None:
    """For every character that folding leaves alone."""
    alone = [c for c in map(chr, range(1, sys.maxunicode + 1)) if not 0xD800 <= ord(c) < 0xE000]
    alone = [c for c in alone if fold(c) == c]
    with closing(sqlite3.connect(":memory:")) as connection:
        search_index.create(connection)
        connection.executemany(
            "INSERT INTO words (rowid, text) VALUES (?, ?)",
            ((ord(c), search_index.spread(c)) for c in alone),
        )
        connection.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(words, instance)")
        known = {row[0] for row in connection.execute("SELECT doc FROM terms")}
    sure = {ord(c) for c in alone if search_index.is_of_word(c)}
    assert sure <= known
    assert len(sure) > 80_000
    between = {ord(c) for c in alone if search_index.is_between_words(c)}
    assert not between & known
