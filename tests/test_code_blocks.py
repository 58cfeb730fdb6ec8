"""Fences are told from prose in the same way however the text is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.code_blocks import (
    CodeBlockReader,
    CodeEnded,
    CodeLine,
    CodeStarted,
    Piece,
    ProseLine,
    extract_code,
    find_code_blocks,
)

FENCE_LIKE = st.text(st.sampled_from("`~ab -1.>\n\r \t"), max_size=80)


def read(*chunks: str) -> list[Piece]:
    reader = CodeBlockReader()
    return [piece for chunk in chunks for piece in reader.feed(chunk)] + reader.close()


@given(FENCE_LIKE, st.lists(st.integers(0, 80)))
def test_any_split_gives_the_same_pieces(text: str, cuts: list[int]) -> None:
    ends = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    assert read(*(text[start:end] for start, end in pairwise(ends))) == read(text)


@given(FENCE_LIKE)
def test_every_code_block_that_starts_ends(text: str) -> None:
    kinds = [type(piece) for piece in read(text)]
    assert kinds.count(CodeStarted) == kinds.count(CodeEnded)


@given(FENCE_LIKE)
def test_what_is_shown_of_an_unfinished_line_is_part_of_it(text: str) -> None:
    reader = CodeBlockReader()
    reader.feed(text)
    assert reader.unfinished.endswith(reader.unfinished_text)


def code(text: str) -> str:
    return "".join(piece.text for piece in read(text) if isinstance(piece, CodeLine))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\na = 1\n```\n", "a = 1\n"),
        ("~~~\na\n```\nb\n~~~\n", "a\n```\nb\n"),
        ("````md\n```py\na\n```\n````\n", "```py\na\n```\n"),
        ("```\nunclosed", "unclosed"),
        ("1. do\n   ```sh\n   ls\n     -l\n   ```\n", "ls\n  -l\n"),
        ("- ```sh\n  ls\n  ```\n", "ls\n"),
        ("   ```\nless indented\n   ```\n", "less indented\n"),
        ("```a\r\nb\r\n```\r\n", "b\r\n"),
        ("```\na\n``` not closed\n```\n", "a\n``` not closed\n"),
        ("inline ```code``` here\n", ""),
        ("```inline``` only\n", ""),
        ("> ```\n> quoted\n> ```\n", ""),
    ],
)
def test_code_is_what_stands_between_fences(text: str, expected: str) -> None:
    assert code(text) == expected


def test_the_word_after_the_fence_is_kept() -> None:
    assert CodeStarted("src/app.py") in read("``` src/app.py \n```\n")


def test_text_behind_a_fence_in_a_list_loses_the_indentation_of_its_item() -> None:
    pieces = read("1. do\n   ```\n   ls\n   ```\n   then\n2. next\n   - deep\n")
    assert [piece.text for piece in pieces if isinstance(piece, ProseLine)] == [
        "1. do\n", "then\n", "\n", "2. next\n", "   - deep\n"
    ]  # fmt: skip


@pytest.mark.parametrize("unfinished", ["`", "``", "```", "```py", "  ``", "- ``", "~", "~~~x"])
def test_a_line_that_may_become_a_fence_is_not_shown_yet(unfinished: str) -> None:
    reader = CodeBlockReader()
    reader.feed("text\n" + unfinished)
    assert reader.unfinished_text == ""


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Here:\n```python\na = 1\n\nb = 2\n```\nUse it:\n```sh\nrun\n```\n", "a = 1\n\nb = 2\n"),
        ("```python\na = 1", "a = 1"),
        ("```\n```\n```\nsecond\n```", "second\n"),
        ("no code at all\n", "no code at all\n"),
        ("", ""),
    ],
)
def test_the_code_of_an_answer_is_its_first_block(answer: str, expected: str) -> None:
    assert extract_code(answer) == expected


def test_all_blocks_are_found_with_their_languages() -> None:
    text = "```python title=x\na = 1\n```\n- item\n  ```\n  b\n  ```\n```\n\n```\n~~~sh\nopen"
    blocks = find_code_blocks(text)
    assert [(block.language, block.code) for block in blocks] == [
        ("python", "a = 1\n"), ("", "b\n"), ("sh", "open")
    ]  # fmt: skip
    assert not find_code_blocks("none\n")
