"""Settings, environment variables and prompt files that are wrong are said, and so is how."""

from pathlib import Path

from assistant.config import Settings
from assistant.doctor.check import Status
from assistant.doctor.settings import (
    PromptState,
    check_environment,
    check_prompts,
    check_settings,
)
from assistant.errors import UsageError

NAMES = ("model", "window", "kv_type")


def test_valid_settings_are_well() -> None:
    assert check_settings(Settings).status is Status.OK


def test_a_bad_setting_fails_with_its_own_words() -> None:
    def load() -> Settings:
        raise UsageError("config.toml, line 3: unknown key colour", "did you mean color?")

    found = check_settings(load)
    assert (found.name, found.status) == ("settings", Status.FAILED)
    assert found.says == "config.toml, line 3: unknown key colour"
    assert found.hint == "did you mean color?"


def test_a_loader_that_breaks_is_a_failed_check() -> None:
    found = check_settings(lambda: 1 // 0)
    assert (found.name, found.status) == ("settings", Status.FAILED)
    assert "the check itself broke: ZeroDivisionError" in found.says


def test_variables_that_are_settings_or_for_tests_are_well() -> None:
    environment = {"LLMCHAT_MODEL": "x", "LLMCHAT_HOME": "/", "LLMCHAT_TEST_SCALE": "1", "A": "b"}
    found = check_environment(environment, NAMES)
    assert found.status is Status.OK
    assert found.says == "LLMCHAT_HOME, LLMCHAT_MODEL, LLMCHAT_TEST_SCALE set"


def test_mistyped_variables_are_told_without_their_values() -> None:
    environment = {"LLMCHAT_MODLE": "secret", "LLMCHAT_ZZ": "", "LLMCHAT_WINDOW": "1"}
    found = check_environment(environment, NAMES)
    assert found.status is Status.WARNING
    assert found.says == (
        "LLMCHAT_MODLE is no setting (did you mean LLMCHAT_MODEL?); LLMCHAT_ZZ is no setting"
    )
    assert found.hint == "unset LLMCHAT_MODLE LLMCHAT_ZZ"


def test_good_prompts_are_counted() -> None:
    found = check_prompts(lambda: [PromptState(Path("a.md")), PromptState(Path("b.md"))])
    assert (found.status, found.says) == (Status.OK, "2 files, all can be used")


def test_broken_prompts_are_named_and_the_first_has_a_hint() -> None:
    broken = [
        PromptState(Path(f"{n}.md"), UsageError(f"{n}.md, line 3: unknown key", "did you mean x?"))
        for n in range(5)
    ]
    found = check_prompts(lambda: [PromptState(Path("good.md")), *broken])
    assert (found.status, found.hint) == (Status.FAILED, "did you mean x?")
    assert found.says.startswith("0.md, line 3: unknown key; 1.md")
    assert found.says.endswith("; and 2 more")


def test_a_broken_file_in_the_users_folder_is_found(private_home: Path) -> None:
    from assistant.cli.doctor_command import _prompts

    folder = private_home / "config" / "prompts"
    folder.mkdir(parents=True)
    assert check_prompts(_prompts).status is Status.OK
    (folder / "mine.md").write_text("---\ndescribtion: x\n---\nHello")
    found = check_prompts(_prompts)
    assert found.status is Status.FAILED
    assert "mine.md" in found.says
