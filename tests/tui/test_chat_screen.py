"""The chat as a whole: what is typed is asked, what is answered is shown and kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chatting import SlowEngine, Talk, chat_with, loaded

from assistant.config import Settings
from assistant.conversation.message_names import MessageName
from assistant.conversation.records import State
from assistant.conversation.store import Store
from assistant.errors import ModelError
from assistant.events import ModelLoading, Reason
from assistant.messages import Attachment, ChatPrompt
from assistant.tui.screens.chat import Start
from assistant.tui.screens.confirm import ConfirmScreen
from assistant.tui.screens.page import PageScreen
from assistant.tui.widgets.rows import Action

SIZES = [(60, 15), (80, 24), (300, 100)]
CODE = "Here:\n\n```python\nprint(1)\n```\n"


def sent(engine: SlowEngine) -> str:
    prompt = engine.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt.messages[-1].text


def kept() -> list[str]:
    store = Store.open()
    latest = store.latest()
    texts = [m.text for m in store.path(latest.name)] if latest else []
    store.close()
    return texts


@pytest.mark.parametrize("size", SIZES)
def test_a_question_is_answered_and_kept(size: tuple[int, int]) -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Why?")
        assert talk.shown[-2:] == ["Why?", "Yes."]

    chat_with(test, size=size)
    assert kept() == ["Why?", "Yes."]


def test_the_screen_is_there_before_the_model() -> None:
    engine = SlowEngine(8192)
    engine.loading_seconds = 0.5

    async def test(talk: Talk) -> None:
        await talk.wait_for(lambda: "reading the file" in talk.state)
        await talk.send("Why?")  # asked as soon as the model is there
        await talk.wait_for(lambda: talk.shown[-1:] == ["Yes."])

    chat_with(test, engine)


def test_what_was_asked_on_the_command_line_is_asked_at_once() -> None:
    engine = SlowEngine(8192)
    start = Start("explain", (Attachment("stdin", "x = 1\n", ""),))

    async def test(talk: Talk) -> None:
        await talk.wait_for(lambda: talk.shown[-1:] == ["Yes."])
        assert "x = 1" in sent(engine)
        await talk.ask("And?")
        assert "x = 1" not in sent(engine)

    chat_with(test, engine, start=start)


def test_an_answer_can_be_stopped_and_is_kept() -> None:
    engine = SlowEngine(8192, lambda _request: "word " * 1000)
    engine.pause_seconds = 0.01

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.send("Tell me.")
        await talk.wait_for(lambda: talk.state == "writing")
        await talk.pilot.press("escape")
        await talk.wait_for(lambda: talk.state == "ready")
        assert talk.shown[-1].startswith("word")

    chat_with(test, engine)
    store = Store.open()
    latest = store.latest()
    assert latest is not None
    answer = store.path(latest.name)[-1]
    assert answer.state is State.STOPPED
    assert answer.text
    store.close()


def test_questions_that_are_sent_meanwhile_wait_and_can_be_removed() -> None:
    engine = SlowEngine(8192, lambda _request: "word " * 50)
    engine.pause_seconds = 0.01

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.send("One?")
        await talk.wait_for(lambda: talk.state == "writing")
        await talk.send("Two?")
        await talk.send("Three?")
        await talk.wait_for(lambda: talk.screen.status.facts.queued == 2)
        waiting = talk.views[-2]
        waiting.choose(Action.REMOVE)
        await talk.wait_for(lambda: talk.screen.status.facts.queued == 1)
        await talk.wait_for(lambda: len(engine.requests) == 2 and talk.state == "ready")

    chat_with(test, engine)
    assert kept()[::2] == ["One?", "Three?"]


def test_a_refused_question_goes_back_to_the_composer() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.send("word " * 3000)
        await talk.wait_for(lambda: "does not fit" in "".join(talk.shown))
        assert talk.screen.composer.text.startswith("word word") or talk.screen.composer.attachments

    chat_with(test, SlowEngine(512))
    assert kept() == []


def test_a_model_that_cannot_be_loaded_is_said_and_the_chat_stays() -> None:
    class Broken(SlowEngine):
        def load(self) -> Iterator[ModelLoading]:
            raise ModelError("the file is damaged", "choose another")

    async def test(talk: Talk) -> None:
        await talk.wait_for(lambda: "the file is damaged (choose another)" in talk.shown)
        await talk.send("Why?")
        await talk.wait_for(lambda: "no model is loaded" in "".join(talk.shown))
        assert talk.screen.composer.text == "Why?"

    chat_with(test, Broken(512))


def test_commands_act_on_the_chat() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("One?")
        await talk.command("/new", lambda: "One?" not in talk.shown)
        await talk.ask("Two?")
        await talk.command("/regenerate", lambda: len(talk.engine.requests) == 3)
        await talk.wait_for(lambda: talk.state == "ready")
        assert talk.shown[-2:] == ["Two?", "Yes."]
        await talk.command("/nothing", lambda: "there is no command /nothing" in talk.shown[-1])
        await talk.command("/theme nord", lambda: talk.app.theme == "nord")
        await talk.send("/exit")
        await talk.wait_for(lambda: not talk.app.is_running)
        assert talk.app.return_value == 0

    chat_with(test, settings=Settings(temperature=0.8))


def test_a_question_is_changed_and_asked_again() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("One?")
        await talk.ask("Two?")
        await talk.send("/edit 3")
        await talk.wait_for(lambda: talk.screen.composer.text == "/edit 3 Two?")
        await talk.send("/edit 3 Deux?")
        await talk.wait_for(lambda: talk.shown[-2:] == ["Deux?", "Yes."])
        assert "Two?" not in talk.shown

    chat_with(test)
    assert kept()[::2] == ["One?", "Deux?"]


def test_a_conversation_goes_on_from_the_sidebar() -> None:
    store = Store.open()
    store.close()

    async def begin(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Old words?")

    async def go_on(talk: Talk) -> None:
        await loaded(talk)
        await talk.pilot.press("ctrl+b")
        await talk.wait_for(lambda: talk.screen.sidebar.is_open)
        await talk.pilot.press("down", "enter")
        await talk.wait_for(lambda: talk.shown[:1] == ["Old words?"])
        assert not talk.screen.sidebar.is_open
        await talk.ask("And?")

    chat_with(begin)
    chat_with(go_on)
    assert kept() == ["Old words?", "Yes.", "And?", "Yes."]


def test_the_sidebar_searches_in_all_that_was_said() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("About a zebra?")
        await talk.send("/new")
        await talk.ask("About a horse?")
        await talk.send("/search zebra")
        await talk.wait_for(lambda: talk.screen.sidebar.is_open)
        await talk.wait_for(lambda: found(talk) == 1)

    def found(talk: Talk) -> int:
        from textual.widgets import OptionList

        return talk.screen.sidebar.query_one(OptionList).option_count

    chat_with(test)


def test_a_draft_is_measured_before_it_is_sent() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        talk.screen.composer.set_text("Why?")
        await talk.wait_for(lambda: talk.screen.status.facts.draft is not None)
        draft = talk.screen.status.facts.draft
        assert draft is not None
        await talk.pilot.press("enter")
        await talk.wait_for(lambda: len(talk.engine.requests) == 1)
        assert draft.tokens == len(talk.engine.render(talk.engine.requests[0].prompt).token_ids)

    chat_with(test)


def test_files_that_are_mentioned_are_attached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("x = 41\n")
    engine = SlowEngine(8192)

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("What is in @a.py?")
        assert "x = 41" in sent(engine)
        assert "What is in a.py?" in sent(engine)

    chat_with(test, engine)


def test_what_a_shell_command_prints_goes_along() -> None:
    engine = SlowEngine(8192)

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.send("!echo over here")
        await talk.wait_for(lambda: "over here" in "".join(talk.shown))
        await talk.ask("What did it print?")
        assert "over here" in sent(engine)

    chat_with(test, engine)


@pytest.mark.parametrize("size", SIZES)
def test_all_keys_are_on_one_page(size: tuple[int, int]) -> None:
    async def test(talk: Talk) -> None:
        await talk.pilot.press("f1")
        await talk.wait_for(lambda: isinstance(talk.app.screen, PageScreen))
        await talk.pilot.press("escape")
        await talk.wait_for(lambda: not isinstance(talk.app.screen, PageScreen))

    chat_with(test, size=size)


def test_other_keys_can_be_chosen() -> None:
    async def test(talk: Talk) -> None:
        await talk.pilot.press("f2")
        await talk.wait_for(lambda: talk.screen.sidebar.is_open)

    chat_with(test, settings=Settings(keys="sidebar=f2"))


def test_ctrl_c_twice_leaves() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.pilot.press("ctrl+c")
        await talk.pilot.press("ctrl+c")
        await talk.wait_for(lambda: not talk.app.is_running)

    chat_with(test)


def test_code_is_copied_as_it_was_written() -> None:
    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Code?")
        await talk.pilot.press("alt+up", "alt+up")
        await talk.pilot.press("c")
        await talk.wait_for(lambda: talk.app.clipboard != "")
        assert talk.app.clipboard in ("print(1)\n", CODE)

    chat_with(test, SlowEngine(8192, lambda _request: CODE))


def test_an_answer_is_saved_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Code?")
        await talk.command("/save code a.py", lambda: (tmp_path / "a.py").exists())

    chat_with(test, SlowEngine(8192, lambda _request: CODE))
    assert (tmp_path / "a.py").read_text() == "print(1)\n"


def test_a_link_is_opened_only_after_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    async def test(talk: Talk) -> None:
        from assistant.tui.widgets.lines import LinkChosen

        talk.screen.post_message(LinkChosen("https://example.com/a?b=1"))
        await talk.wait_for(lambda: isinstance(talk.app.screen, ConfirmScreen))
        await talk.pilot.press("y")  # typed ahead: too early to be an answer
        assert isinstance(talk.app.screen, ConfirmScreen)
        await talk.pilot.pause(0.6)
        await talk.pilot.press("y")
        await talk.wait_for(lambda: opened == ["https://example.com/a?b=1"])
        for url in ("file:///etc/passwd", "javascript:alert(1)", "https://"):
            talk.screen.post_message(LinkChosen(url))
        await talk.pilot.pause()
        assert not isinstance(talk.app.screen, ConfirmScreen)

    chat_with(test)
    assert len(opened) == 1


def test_candidates_are_shown_one_at_a_time() -> None:
    engine = SlowEngine(8192, lambda _request: f"answer {len(engine.requests)}")

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Why?")
        await talk.command("/alternatives 3", lambda: len(engine.requests) == 2)
        await talk.wait_for(lambda: talk.state == "ready")
        assert engine.requests[-1].candidates == 3
        answer = talk.views[-1]
        assert answer.name.endswith(".3")
        answer.choose(Action.ALTERNATIVES)
        await talk.wait_for(lambda: talk.views[-1].name.endswith(".4"))

    chat_with(test, engine, settings=Settings(temperature=0.8))


def test_a_resumed_conversation_is_shown_with_its_window() -> None:
    async def begin(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Old words?")

    async def resumed(talk: Talk) -> None:
        await loaded(talk)
        assert talk.shown == ["Old words?", "Yes."]
        assert talk.screen.status.facts.used > 0

    chat_with(begin)
    chat_with(resumed, resume=MessageName())


def test_nothing_a_model_says_is_markup_or_steers_the_terminal() -> None:
    evil = "[/] [bold]x[/bold] \x1b]52;c;eA==\x07 \x9b2J \u202e a \x1b[?1049l **b** <div>y</div>"
    engine = SlowEngine(8192, lambda _request: evil)

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("[/] [red]?")
        lines = [
            "".join(segment.text for segment in strip)
            for strip in talk.app.screen._compositor.render_strips()
        ]
        shown = "\n".join(lines)
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)
        assert "[/] [bold]x[/bold]" in shown
        assert "<div>y</div>" in shown
        assert "[/] [red]?" in shown

    chat_with(test, engine, size=(120, 40))


def test_a_failed_answer_says_why() -> None:
    engine = SlowEngine(8192, lambda _request: "half ", reason=Reason.FAILED)

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Why?")
        assert "it broke (ask again)" in talk.shown
        engine.reason = Reason.DONE
        await talk.ask("Again?")

    chat_with(test, engine)
