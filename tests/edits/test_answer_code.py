"""Which part of an answer replaces a text, and which answers replace nothing."""

import pytest
from edit_words import fenced, one_line

from assistant.edits.answer_code import replacing_code
from assistant.errors import InputError

OLD = "def half(x):\n    return x / 3\n"
NEW = "def half(x):\n    return x / 2\n"


def refusal(answer: str, old: str = OLD) -> str:
    with pytest.raises(InputError) as caught:
        replacing_code(answer, old, "half.py")
    return one_line(caught.value)


def test_the_longest_block_is_the_code() -> None:
    answer = fenced("return x / 3") + fenced(NEW) + fenced("half(4)\n")
    assert replacing_code(answer, OLD, "half.py") == NEW


def test_an_answer_that_begins_and_ends_as_the_text_does_needs_no_fence() -> None:
    old = "# Title\n\n```\nmake\n```\n\nThe end.\n"
    new = old.replace("make", "make run")
    assert replacing_code(new, old, "README.md") == new
    assert "no fenced code" in refusal(NEW)
    assert "no fenced code" in refusal("I cannot see anything wrong here.")


@pytest.mark.parametrize("answer", ["", "```\n```", "```python\n\n  \n```"])
def test_an_answer_without_code_is_refused(answer: str) -> None:
    assert "code for half.py" in refusal(answer)


def test_an_answer_that_ended_inside_its_code_is_refused() -> None:
    assert "ended before" in refusal("```python\ndef half(x):\n")
    assert "ended before" in refusal(fenced(NEW) + "```python\nhalf(4)")
    assert replacing_code("```python\n" + NEW + "```", OLD, "half.py") == NEW


def test_fences_that_end_the_code_too_early_are_noticed() -> None:
    answer = "```markdown\n# Title\n```python\nrun()\n```\nThe end.\n"
    assert "cannot be told" in refusal(answer, "# Title\nThe end of it.\n")
    longer = answer.replace("```markdown", "````markdown") + "````\n"
    assert replacing_code(longer, "# Title\nThe end of it.\n", "x").endswith("The end.\n")


def test_an_answer_that_leaves_code_out_is_refused_with_the_line() -> None:
    message = refusal(fenced("def half(x):\n    # ... rest unchanged\n"))
    assert message.endswith("half.py, in line 2: # ... rest unchanged")
    assert replacing_code(fenced(OLD + "...\n"), OLD + "...\n", "x") == OLD + "...\n"
