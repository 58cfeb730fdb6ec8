"""Options: before and after the command, later over earlier, flags over the environment."""

from collections.abc import Sequence

import pytest

from assistant.cli import commands
from assistant.cli.app import run
from assistant.cli.options import Options, join_pairs
from assistant.config import Color, SamplingChoices
from assistant.errors import UsageError
from assistant.rendering.base import ReasoningMode


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Options]]:
    """The prompts and options that commands were called with."""
    calls: list[tuple[str, Options]] = []

    def record(prompt: str, options: Options, *_: object, **__: object) -> None:
        calls.append((prompt, options))

    monkeypatch.setattr(commands, "_answer", record)
    return calls


def options_of(asked: list[tuple[str, Options]], *words: str) -> Options:
    assert run(list(words)) == 0
    return asked[-1][1]


def test_the_later_option_wins(asked: list[tuple[str, Options]]) -> None:
    assert options_of(asked, "-m", "a", "explain", "f", "-m", "b").model == "b"
    assert options_of(asked, "-m", "a", "explain", "f").model == "a"
    assert options_of(asked, "explain", "-m", "a", "f", "-m", "b").model == "b"
    assert options_of(asked, "-x", "explain", "f", "--no-extract").extract is False
    assert options_of(asked, "--no-extract", "hi", "-x").extract is True
    assert options_of(asked, "hi").extract is None
    assert options_of(asked, "--int8", "explain", "f").int8 is True
    assert options_of(asked, "hi").int8 is None


def test_options_hold_before_and_after_every_command(asked: list[tuple[str, Options]]) -> None:
    for words in (["hi"], ["explain", "f"], ["generate", "x"], ["complete"]):
        for typed in (["-q", *words], [*words, "-q"]):
            assert options_of(asked, *typed).quiet is True
    assert [prompt for prompt, _ in asked[::2]] == ["ask", "explain", "generate", "complete"]


def test_pairs_accumulate(asked: list[tuple[str, Options]]) -> None:
    words = ["-o", "temperature", "1", "-o", "seed=3", "explain", "f", "-o", "temperature", "0"]
    sampling = options_of(asked, *words).sampling()
    assert sampling == SamplingChoices(temperature=0.0, seed=3)


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMCHAT_MODEL", "other.gguf")
    monkeypatch.setenv("LLMCHAT_COLOR", "never")
    assert Options().settings().model == "other.gguf"
    assert Options(model="starter").settings().model == "starter"
    assert Options().settings().color is Color.NEVER
    assert Options(color="always").settings().color is Color.ALWAYS
    assert Options(int8=True).settings().int8 is True
    monkeypatch.setenv("LLMCHAT_INT8", "1")
    assert Options().settings().int8 is True
    assert Options(int8=False).settings().int8 is False
    assert Options(reasoning="only").reasoning_mode() is ReasoningMode.ONLY
    assert Options().reasoning_mode() is None


@pytest.mark.parametrize(
    ("typed", "joined"),
    [
        (["-o", "seed", "1"], ["-o", "seed=1"]),
        (["--option", "seed", "1", "hi"], ["--option", "seed=1", "hi"]),
        (["-o", "seed=1", "hi"], ["-o", "seed=1", "hi"]),
        (["-oseed", "1"], ["-o", "seed=1"]),
        (["-oseed=1"], ["-o", "seed=1"]),
        (["--option=seed=1"], ["--option", "seed=1"]),
        (["-xqo", "seed", "1"], ["-xqo", "seed=1"]),
        (["-o", "seed", "-1"], ["-o", "seed=-1"]),
        (["hi", "--", "-o", "x"], ["hi", "--", "-o", "x"]),
        (["--quiet", "-x", "-"], ["--quiet", "-x", "-"]),
    ],
)
def test_pairs_are_joined(typed: Sequence[str], joined: Sequence[str]) -> None:
    assert join_pairs(list(typed)) == joined


@pytest.mark.parametrize("typed", [["-o"], ["-o", "seed"], ["-o", "-x"], ["-o", "seed", "--", "x"]])
def test_half_a_pair_is_refused(typed: Sequence[str]) -> None:
    with pytest.raises(UsageError, match="needs a"):
        join_pairs(list(typed))
