"""What a search found is where a search by eye finds it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.search_index import fold
from assistant.rendering.found_words import FoundWords

LETTERS = "aAbsSßeéE\u0301Ïç\u0327ﬁ½İ你好かが\u3099가\u1100\u1161각ﾊﾞ\uffa1\uffc2 \t\0.-_"
texts = st.text(st.sampled_from(LETTERS), max_size=12)


def marked(text: str, query: str) -> list[str]:
    """The lines, with what was found in brackets."""
    found = FoundWords(text.split("\n"), query)
    lines = []
    for number, line in enumerate(found.lines):
        shown, at = "", 0
        for span in found.spans(number):
            shown += f"{line[at : span.start]}[{line[span.start : span.end]}]"
            at = span.end
        lines.append(shown + line[at:])
    return lines


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("Die Straße in Köln", "STRASSE koln", ["Die [Straße] in [Köln]"]),
        ("fit_history(x)\nfitting", "fit_h", ["[fit_h]istory(x)", "fitting"]),
        ("数据库连接失败", "连接", ["数据库[连接]失败"]),
        ("this is it", "is", ["this [is] it"]),
        ("basic", "is", ["basic"]),
        ("a.py:3", ".p", ["a[.p]y:3"]),
        ("to be\n\nor  not to be", '"be or" not', ["to [be]", "", "[or]  [not] to be"]),
        ("a aa aaa", "aaa aa a", ["[a] [aa] [aaa]"]),
        ("cafe\u0301s", "café", ["[cafe\u0301]s"]),
        ("", "x", [""]),
        ("nothing here", "absent", ["nothing here"]),
        ("no (regex.) [here]", "(regex.) [here]", ["no [(regex.)] [[here]]"]),
    ],
)
def test_matches_are_marked(text: str, query: str, expected: list[str]) -> None:
    assert marked(text, query) == expected


@given(texts, st.data())
def test_every_piece_of_a_line_is_found_where_it_is(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    wanted = fold(text[start:end])
    query = '"' + text[start:end].replace('"', "") + '"'
    found = FoundWords([text], query)
    spans = found.spans(0)
    assert list(spans) == sorted(spans)
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
    if wanted and wanted in fold(text):
        assert found.first_lines(2) == [0]
        assert spans
        assert fold(text[spans[0].start : spans[-1].end]).count(wanted) >= 1


def test_the_first_line_of_each_word_comes_first() -> None:
    text = "zero\none two\ntwo\nthree one\nfour"
    assert FoundWords(text.split("\n"), "four one").first_lines(2) == [1, 4]
    assert FoundWords(text.split("\n"), "four one three").first_lines(2) == [1, 4]
    assert FoundWords(text.split("\n"), "five").first_lines(2) == []
