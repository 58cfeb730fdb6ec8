"""The status line is true: at rest, after errors, about what is written and what was done."""

from collections.abc import Iterator

from chatting import SlowEngine, Talk, chat_with, loaded

from assistant.errors import ModelError
from assistant.events import ModelLoading
from assistant.messages import Attachment
from assistant.tui.widgets.status_line import Draft, StatusFacts


class Broken(SlowEngine):
    """Breaks in the middle of loading."""

    def load(self) -> Iterator[ModelLoading]:
        yield ModelLoading("reading the file", 0.5)
        raise ModelError("the file is damaged", "choose another")


def facts(talk: Talk) -> StatusFacts:
    return talk.screen.status.facts


def draft_of(talk: Talk) -> Draft:
    found = facts(talk).draft
    assert found is not None
    return found


def test_without_a_model_it_says_so_also_after_a_question() -> None:
    async def test(talk: Talk) -> None:
        await talk.wait_for(lambda: talk.state == "no model")
        assert facts(talk).model == ""
        await talk.send("Why?")
        await talk.wait_for(lambda: "no model is loaded" in "".join(talk.shown))
        await talk.wait_for(lambda: talk.state == "no model")
        await talk.send("!true")
        await talk.wait_for(lambda: "$ true" in "".join(talk.shown))
        assert talk.state == "no model"

    chat_with(test, Broken(512))


def test_a_new_conversation_has_used_nothing() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Why?")
        assert facts(talk).used > 0
        await talk.command("/new", lambda: facts(talk).used == 0)
        assert facts(talk).speed == 0

    chat_with(test)


def test_a_draft_is_measured_anew_in_another_conversation() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Why? " * 50)
        talk.screen.composer.set_text("And?")
        await talk.wait_for(lambda: facts(talk).draft is not None)
        before = draft_of(talk).tokens
        await talk.pilot.press("ctrl+n")
        await talk.wait_for(lambda: 0 < draft_of(talk).tokens < before - 50)

    chat_with(test)


def test_pastes_and_attachments_count() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        composer = talk.screen.composer
        composer.set_text("Why?")
        await talk.wait_for(lambda: facts(talk).draft is not None)
        bare = draft_of(talk).tokens
        composer.set_text("Why?", [Attachment("pasted text 1", "word " * 100, "")])
        await talk.wait_for(lambda: draft_of(talk).tokens > bare + 90)
        composer.set_text("Why?")
        await talk.wait_for(lambda: draft_of(talk).tokens == bare)
        talk.screen.chat.attachments = (Attachment("a.txt", "word " * 100, ""),)
        talk.screen.show_attachments()
        await talk.wait_for(lambda: draft_of(talk).tokens > bare + 90)

    chat_with(test)


def test_what_the_model_will_not_see_is_not_measured() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        for text in ("!ls -la", "/new"):
            talk.screen.composer.set_text("Why?")
            await talk.wait_for(lambda: facts(talk).draft is not None)
            talk.screen.composer.set_text(text)
            await talk.wait_for(lambda: facts(talk).draft is None)

    chat_with(test)


def test_a_shell_command_is_told_until_it_ends() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.send("!sleep 60")
        await talk.wait_for(lambda: talk.state == "running sleep")
        await talk.pilot.press("escape")
        await talk.wait_for(lambda: talk.state == "ready")

    chat_with(test)


def test_a_summary_leaves_less_in_the_window() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        for _ in range(4):
            await talk.ask("word " * 400)
        before = facts(talk).used
        await talk.send("/compact")
        await talk.wait_for(lambda: 0 < facts(talk).used < before - 50)
        await loaded(talk)

    chat_with(test, SlowEngine(32_768))


def test_what_was_just_done_is_said_for_a_moment() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        talk.screen.status.say("copied", 0.05)
        assert str(talk.screen.status.render()) == "copied"
        await talk.wait_for(lambda: "ready" in str(talk.screen.status.render()))

    chat_with(test)
