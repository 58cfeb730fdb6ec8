"""docs/commands.md and docs/settings.md say what the program does."""

from conftest import ROOT

from assistant.cli.exit_codes import BY_ERROR, MEANINGS
from assistant.cli.own_commands import OWN_COMMANDS, own_command
from assistant.cli.reference import commands_markdown
from assistant.cli.reference_settings import settings_markdown


def test_the_reference_of_commands_is_what_make_docs_writes() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == commands_markdown()


def test_the_reference_of_settings_is_what_make_docs_writes() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_markdown()


def test_every_exit_code_of_an_error_is_explained() -> None:
    assert {*BY_ERROR.values()} <= {*MEANINGS}
    assert list(MEANINGS) == sorted(MEANINGS)


def test_summaries_in_help_are_what_the_commands_say() -> None:
    for name, entry in OWN_COMMANDS.items():
        assert own_command(name).help.split("\n")[0] == entry.summary, name
    assert own_command("nosuch") is None
