"""Words that are nearly a command: mistakes, or questions."""

from pathlib import Path

import pytest

from assistant.cli.words import is_one_edit_away, refuse_mistyped
from assistant.errors import UsageError


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text("def f(): pass\n")


@pytest.mark.parametrize("word", ["explian", "explai", "explainn", "xplain", "explaim", "expalin"])
def test_one_edit_away_from_a_command(word: str) -> None:
    assert is_one_edit_away(word, "explain")
    assert is_one_edit_away("explain", word)
    with pytest.raises(UsageError, match="there is no command") as refused:
        refuse_mistyped([word, "app.py", "-"], ["explain"])
    assert "did you mean explain?" in refused.value.hint


@pytest.mark.parametrize("word", ["explain", "exlpian", "expl", "", "explaining", "niaplxe"])
def test_more_or_less_than_one_edit(word: str) -> None:
    assert not is_one_edit_away(word, "explain")


def test_a_question_that_begins_like_a_command_is_a_question() -> None:
    refuse_mistyped(["explian", "this", "to", "me"], ["explain"])
    refuse_mistyped(["what", "app.py"], ["explain"])


@pytest.mark.parametrize("word", ["expla", "EXPLAIN", "Explain"])
def test_a_beginning_and_another_case_are_mistakes_too(word: str) -> None:
    with pytest.raises(UsageError, match="there is no command"):
        refuse_mistyped([word, "app.py"], ["explain"])
    refuse_mistyped([word, "this"], ["explain"])
