"""Past conversations from the list beside the chat."""

from chatting import SlowEngine, Talk, chat_with, loaded

from assistant.config import Settings
from assistant.tui.widgets.sidebar import Sidebar


async def choose(talk: Talk, number: int = 0) -> None:
    conversation = talk.screen.chat.store.conversations(10)[-1]
    talk.screen.post_message(Sidebar.Chosen(conversation.name, number))


def seen(talk: Talk, text: str) -> bool:
    views = [view for view in talk.views if view.text == text]
    return any(view.cursor is not None and talk.screen.transcript.shows(view) for view in views)


def test_what_was_found_is_on_the_screen_and_has_the_cursor() -> None:
    engine = SlowEngine(8192, lambda _request: "a line\n\n" * 30)

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Where is the zebra?")
        for _ in range(3):
            await talk.ask("More?")
        await choose(talk, 1)  # the conversation is there already
        await talk.wait_for(lambda: seen(talk, "Where is the zebra?"))
        await talk.send("/new")
        await talk.wait_for(lambda: not any(view.name for view in talk.views))
        await choose(talk, 1)
        await talk.wait_for(lambda: seen(talk, "Where is the zebra?"))

    chat_with(test, engine)


def test_a_found_message_of_another_version_leads_to_that() -> None:
    engine = SlowEngine(8192, lambda _request: f"answer {len(engine.requests)}")

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Why?")
        await talk.command("/regenerate", lambda: talk.shown[-1:] == ["answer 2"])
        await talk.wait_for(lambda: not talk.screen.turns.is_busy)
        await choose(talk, 2)
        await talk.wait_for(lambda: seen(talk, "answer 1"))
        assert "answer 2" not in talk.shown

    chat_with(test, engine, settings=Settings(temperature=0.8))


def test_the_list_knows_what_has_happened_meanwhile() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.pilot.press("ctrl+b")
        await talk.wait_for(lambda: talk.screen.sidebar.is_open)
        talk.screen.composer.focus()
        await talk.ask("Why?")
        await talk.wait_for(lambda: "● Why?" in listed(talk))
        await talk.send("/new")
        await talk.wait_for(lambda: "  Why?" in listed(talk))

    def listed(talk: Talk) -> list[str]:
        options = talk.screen.sidebar.query_one("FoundList").options  # type: ignore[attr-defined]
        return [str(option.prompt).split("\n")[0] for option in options]

    chat_with(test, size=(120, 30))


def test_a_resume_that_has_to_wait_takes_no_text_away() -> None:
    engine = SlowEngine(8192, lambda _request: "word " * 100)

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("One?")
        await talk.command("/new", lambda: "One?" not in talk.shown)
        engine.pause_seconds = 0.01
        await talk.send("Two?")
        await talk.wait_for(lambda: talk.state == "writing")
        talk.screen.composer.set_text("half a thought")
        await choose(talk)
        await talk.wait_for(lambda: "has to wait" in talk.screen.status.said)
        await talk.pilot.press("ctrl+r")
        assert talk.screen.composer.text == "half a thought"
        await talk.wait_for(lambda: not talk.screen.turns.is_busy)

    chat_with(test, engine)
