"""Options: before and after the command, later over earlier, flags over the environment."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from assistant.cli import command_of_prompt
from assistant.cli.app import run
from assistant.cli.asked import Asked
from assistant.cli.options import Options
from assistant.cli.parsing import prepare
from assistant.config import Color, SamplingChoices, Settings
from assistant.errors import UsageError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Options]]:
    """The prompts and options that commands were called with."""
    calls: list[tuple[str, Options]] = []

    def record(asked: Asked, options: Options) -> None:
        calls.append((asked.prompt, options))

    monkeypatch.setattr(command_of_prompt, "answer", record)
    monkeypatch.setattr(command_of_prompt, "is_piped", lambda: True)
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
    sampling = options_of(asked, *words).load().settings.sampling
    assert sampling == SamplingChoices(temperature=0.0, seed=3)


def test_the_later_wins_also_where_a_setting_has_two_options(
    asked: list[tuple[str, Options]],
) -> None:
    words = ["-o", "model", "a", "hi", "--model", "b"]
    assert options_of(asked, *words).load_settings().model == "b"
    words = ["--model", "b", "hi", "-o", "model", "a", "-xo", "lang", "de"]
    found = options_of(asked, *words)
    assert (found.load_settings().model, found.lang, found.extract) == ("a", "de", True)
    words = ["hi", "-o", "system", "- be brief"]
    assert options_of(asked, *words).load_settings().system == "- be brief"


def settings(**typed: str | bool | list[str]) -> Settings:
    return Options(**typed).load().settings  # type: ignore[arg-type]  # fields by name


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMCHAT_MODEL", "other.gguf")
    monkeypatch.setenv("LLMCHAT_COLOR", "never")
    assert settings().model == "other.gguf"
    assert settings(model="starter").model == "starter"
    assert settings(option=["model=starter"]).model == "starter"
    assert settings().color is Color.NEVER
    assert settings(color="always").color is Color.ALWAYS
    assert settings(int8=True).int8 is True
    monkeypatch.setenv("LLMCHAT_INT8", "1")
    assert settings().int8 is True
    assert settings(option=["int8=0"]).int8 is False
    assert settings(reasoning="only").reasoning == "only"
    assert settings(timeout="2.5").timeout == 2.5


def test_a_file_of_settings_can_be_named_or_left_out(private_home: Path, tmp_path: Path) -> None:
    own, other = private_home / "config" / "config.toml", tmp_path / "other.toml"
    own.parent.mkdir()
    own.write_text("temperature = 0.5\n")
    other.write_text("seed = 7\n")
    assert settings().temperature == 0.5
    assert settings(config=str(other)).temperature is None
    assert settings(config=str(other)).seed == 7
    assert settings(no_config=True).temperature is None
    with pytest.raises(UsageError, match="there is no file"):
        settings(config=str(tmp_path / "none.toml"))


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
        (["hi", "--json", "--", "--json"], ["hi", "--output=json", "--", "--json"]),
    ],
)
def test_pairs_are_joined_and_short_forms_written_out(
    typed: Sequence[str], joined: Sequence[str]
) -> None:
    assert prepare(list(typed)) == joined


@pytest.mark.parametrize("typed", [["-o"], ["-o", "seed"], ["-o", "-x"], ["-o", "seed", "--", "x"]])
def test_half_a_pair_is_refused(typed: Sequence[str]) -> None:
    with pytest.raises(UsageError, match="needs a"):
        prepare(list(typed))
