"""Ctrl+P: every command is in it, and choosing one does it or lets the user go on."""

from pathlib import Path

from chatting import Talk, chat_with, loaded
from textual.command import CommandPalette
from textual.widgets import OptionList

from assistant import paths
from assistant.chat_commands.commands import COMMANDS
from assistant.tui.screens.page import PageScreen


def listed(talk: Talk) -> list[str]:
    options = talk.app.screen.query_one(OptionList).options
    return [str(option.prompt).split("\n")[0].strip() for option in options]


async def search(talk: Talk, words: str) -> None:
    await talk.pilot.press("ctrl+p")
    await talk.wait_for(lambda: isinstance(talk.app.screen, CommandPalette))
    await talk.wait_for(lambda: len(listed(talk)) > 20)
    await talk.pilot.press(*words)
    await talk.wait_for(lambda: 0 < len(listed(talk)) < 20)


def test_all_commands_and_prompts_are_listed_and_nothing_strange() -> None:
    own: Path = paths.config_folder() / "prompts"
    own.mkdir(parents=True)
    (own / "mine.md").write_text("---\ndescription: All [red]mine[/]\n---\nsay {{ question }}\n")

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.pilot.press("ctrl+p")
        await talk.wait_for(lambda: isinstance(talk.app.screen, CommandPalette))
        await talk.wait_for(lambda: len(listed(talk)) > 20)
        names = [line.split()[0] for line in listed(talk)]
        assert names[: len(COMMANDS)] == [f"/{one.name}" for one in COMMANDS]
        assert {"/explain", "/mine", "sidebar", "keys"} < set(names)
        assert "All [red]mine[/]" in "\n".join(listed(talk))
        assert not {"Maximize", "Screenshot", "Theme"} & set(names)

    chat_with(test)


def test_a_command_without_arguments_is_done() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("One?")
        await search(talk, "/new")
        await talk.pilot.press("enter")
        await talk.wait_for(lambda: "One?" not in talk.shown)

    chat_with(test)


def test_one_that_takes_arguments_goes_to_the_text_with_what_it_takes() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        talk.screen.composer.set_text("half a thought")
        await search(talk, "/theme")
        await talk.pilot.press("enter")
        await talk.wait_for(lambda: talk.screen.composer.text == "/theme ")
        await talk.wait_for(lambda: talk.screen.composer.is_picking)
        await talk.pilot.press("escape", "up")
        await talk.wait_for(lambda: talk.screen.composer.text == "half a thought")

    chat_with(test)


def test_a_prompt_takes_what_is_written_along() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        talk.screen.composer.set_text("why is it slow?")
        await search(talk, "/explain")
        await talk.pilot.press("enter")
        await talk.wait_for(lambda: talk.screen.composer.text == "/explain why is it slow?")

    chat_with(test)


def test_what_a_command_does_is_searched_too() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await search(talk, "all keys")
        await talk.pilot.press("enter")
        await talk.wait_for(lambda: isinstance(talk.app.screen, PageScreen))

    chat_with(test)
