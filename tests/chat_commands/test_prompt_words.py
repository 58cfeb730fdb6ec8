"""Words behind a prompt's name: files, a question, or a mistake."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from assistant.chat_commands.prompt_words import Words, sort_words
from assistant.errors import InputError, UsageError
from assistant.prompts.finding import find_prompt


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text("def f(): pass\n")
    Path("my notes.md").write_text("notes\n")


def sort(prompt: str, *words: str, after: Sequence[str] = ()) -> Words:
    return sort_words(find_prompt(prompt), words, after, {})


def test_words_of_a_prompt_that_needs_files_are_files() -> None:
    assert sort("explain", "app.py", "-", "none.py") == Words(("app.py", "-", "none.py"))
    assert sort("summarize", "my notes.md") == Words(("my notes.md",))


def test_words_of_a_prompt_that_needs_a_question_are_one() -> None:
    assert sort("generate", "binary", "search") == Words((), "binary search")


def test_a_word_with_blanks_that_names_no_file_is_the_question() -> None:
    assert sort("explain", "app.py", "why is it slow?") == Words(("app.py",), "why is it slow?")
    assert sort("explain", "my notes.md") == Words(("my notes.md",))
    assert sort("explain", "app.py:1-1", "app.py::f") == Words(("app.py:1-1", "app.py::f"))


def test_words_after_two_dashes_are_always_the_question() -> None:
    sorted_words = sort("fix", "app.py", after=["app.py", "fails", "-x"])
    assert sorted_words == Words(("app.py",), "app.py fails -x")


def test_a_prompt_that_takes_no_question_refuses_one() -> None:
    with pytest.raises(UsageError, match="summarize takes no question"):
        sort("summarize", "app.py", after=["in", "short"])
    with pytest.raises(UsageError, match="complete takes no words"):
        sort("complete", "me")


@pytest.mark.parametrize("words", [["how", "quicksort", "works"], ["summarize", "it all"]])
def test_words_that_read_like_a_sentence_become_a_question(words: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        sort("summarize", *words)
    assert refused.value.hint == f'a question: llmchat "summarize {" ".join(words)}"'


def test_a_sentence_about_no_file_becomes_a_question() -> None:
    with pytest.raises(InputError) as refused:
        sort("explain", "how do I sort a list")
    assert refused.value.hint == 'a question: llmchat "explain how do I sort a list"'
    piped = sort_words(find_prompt("explain"), ["why is it slow?"], [], {}, has_more=True)
    assert piped == Words((), "why is it slow?")
    assert sort("explain", "ap.py", "src/bb.py") == Words(("ap.py", "src/bb.py"))


def test_words_after_a_file_are_shown_as_the_question_about_it() -> None:
    with pytest.raises(InputError) as refused:
        sort("explain", "app.py", "why", "is", "it", "slow")
    assert refused.value.hint == 'about it: llmchat explain app.py -- "why is it slow"'
    assert sort("explain", "app.py", "b.py", "c.py") == Words(("app.py", "b.py", "c.py"))
