"""Ranking names by a few typed characters: what comes first, where it matches, and how fast."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.attachments.fuzzy import LONGEST_NAME, FuzzyNames

TREE = (
    "README.md",
    "README.zh-CN.md",
    "Makefile",
    "docs/",
    "docs/remote.md",
    "assistant/",
    "assistant/cli/output.py",
    "assistant/cli/outcome.py",
    "assistant/conversation/store.py",
    "assistant/conversation/compaction.py",
    "assistant/model_store/",
    "assistant/model_store/places.py",
    "assistant/tui/widgets/composer.py",
    "assistant/tui/app.py",
    "tests/conversation/test_store.py",
    "tests/cli/test_json_output.py",
    "web/src/HttpRequestParser.ts",
    "web/src/other.ts",
)
WORDS = [
    "assistant",
    "engine",
    "widgets",
    "render",
    "composer",
    "store",
    "index",
    "search",
    "model",
    "token",
    "test",
    "util",
]


def best(query: str, names: tuple[str, ...] = TREE, recent: tuple[str, ...] = ()) -> list[str]:
    return [match.name for match in FuzzyNames(names).best(query, 5, recent)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("store", "assistant/conversation/store.py"),  # the file before the folder, the word whole
        ("readme", "README.md"),  # the shorter one
        ("cliout", "assistant/cli/output.py"),
        ("tuicomp", "assistant/tui/widgets/composer.py"),
        ("cli/out", "assistant/cli/output.py"),
        ("hrp", "web/src/HttpRequestParser.ts"),  # capitals begin words
        ("mf", "Makefile"),
        ("tests/", "tests/cli/test_json_output.py"),
        ("assistant/", "assistant/"),
        ("STORE.PY", "assistant/conversation/store.py"),
    ],
)
def test_what_a_person_means_comes_first(query: str, first: str) -> None:
    assert best(query)[0] == first


def test_what_does_not_hold_the_characters_in_their_order_is_left_out() -> None:
    assert best("zq") == []
    assert best("yp.erots") == []


def test_of_equal_names_the_one_that_was_used_comes_first() -> None:
    names = ("a/one_test.py", "a/two_test.py")
    assert best("test", names)[0] == "a/one_test.py"
    assert best("test", names, ("a/two_test.py",))[0] == "a/two_test.py"


def test_a_much_better_name_comes_before_one_that_was_used() -> None:
    assert best("composer", recent=("assistant/conversation/compaction.py",))[0].endswith(
        "composer.py"
    )


def test_without_a_query_the_used_ones_come_first_then_the_nearest() -> None:
    recent = ("assistant/tui/app.py", "gone.py", "docs/remote.md")
    assert best("", recent=recent)[:3] == ["assistant/tui/app.py", "docs/remote.md", "docs/"]


NAMES = st.lists(st.text("abC/_.-\nİé", min_size=1, max_size=30), max_size=20, unique=True)


@given(NAMES, st.text("abC/_.i", min_size=1, max_size=6))
def test_every_match_is_where_its_positions_say(names: list[str], query: str) -> None:
    for match in FuzzyNames(names).best(query, 100):
        letters = [match.name[at] for at in match.positions]
        assert list(match.positions) == sorted(set(match.positions))
        assert [one.lower() for one in letters] == list(query.lower())


@given(NAMES, st.text("abC/_.", min_size=2, max_size=6))
def test_every_name_that_holds_the_characters_is_found(names: list[str], query: str) -> None:
    found = {match.name for match in FuzzyNames(names).best(query, 100)}
    for name in names:
        rest = iter(name.lower() if len(name.lower()) == len(name) else name)
        assert (name in found) == all(one in rest for one in query.lower())


def test_names_that_are_too_long_to_be_compared_are_left_out() -> None:
    names = ("a" * (LONGEST_NAME + 1), "a" * LONGEST_NAME)
    assert best("aaa", names) == ["a" * LONGEST_NAME]


def ten_thousand() -> list[str]:
    folders = [f"{a}/{b}_{c}/{a}" for a in WORDS for b in WORDS for c in WORDS]
    return [f"{folders[n % len(folders)]}_{WORDS[n % 11]}{n}.py" for n in range(10_000)]


@pytest.mark.parametrize("query", ["a", "st", "ste", "cmp", "enginetest", "zzzz", "e/s.p"])
def test_ten_thousand_names_are_ranked_while_a_key_is_pressed(query: str) -> None:
    names = FuzzyNames(ten_thousand())
    seconds = []
    for _ in range(5):
        began = time.thread_time()
        names.best(query, 100)
        seconds.append(time.thread_time() - began)
    assert min(seconds) < 0.03


def test_a_hostile_name_takes_no_longer() -> None:
    names = FuzzyNames([("a_" * 127)[:LONGEST_NAME] for _ in range(200)])
    began = time.thread_time()
    names.best("a" * 30 + "b", 10)
    names.best("aaaaaaaaaaaaaaaa__", 10)
    assert time.thread_time() - began < 2
