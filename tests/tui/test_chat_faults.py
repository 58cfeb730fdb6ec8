"""What goes wrong while a question is asked loses nothing of it."""

from collections.abc import Iterator

from chatting import SlowEngine, SlowStream, Talk, chat_with, loaded

from assistant.conversation.store import Store
from assistant.engine.base import GenerationRequest
from assistant.events import Event, TextChunk


def kept() -> list[str]:
    store = Store.open()
    latest = store.latest()
    texts = [m.text for m in store.path(latest.name)] if latest else []
    store.close()
    return texts


def test_a_question_that_is_stopped_before_it_was_asked_goes_back_to_the_composer() -> None:
    engine = SlowEngine(8192)
    engine.loading_seconds = 0.3

    async def test(talk: Talk) -> None:
        await talk.wait_for(lambda: "reading the file" in talk.state)
        await talk.send("Why?")
        await talk.wait_for(lambda: talk.screen.turns.is_busy)
        await talk.pilot.press("escape")
        await talk.wait_for(lambda: talk.screen.composer.text == "Why?")
        await loaded(talk)
        await talk.wait_for(lambda: "Why?" not in talk.shown)
        assert engine.requests == []

    chat_with(test, engine)
    assert kept() == []


def test_an_answer_whose_stream_breaks_is_kept_and_the_next_one_is_asked() -> None:
    class Breaking(SlowEngine):
        def stream(self, request: GenerationRequest) -> "BreakingStream":
            self.requests.append(request)
            return BreakingStream(self, request)

    class BreakingStream(SlowStream):
        def __iter__(self) -> Iterator[Event]:
            yield TextChunk("half an ")
            if len(self._engine.requests) == 1:
                raise RuntimeError("the wire was cut")
            yield from super().__iter__()

    engine = Breaking(8192)

    async def test(talk: Talk) -> None:
        await loaded(talk)
        await talk.ask("Why?")
        assert "RuntimeError: the wire was cut (ask again)" in talk.shown[-1]
        assert talk.shown[-3:-1] == ["Why?", "half an "]
        assert talk.screen.composer.text == "", "it is in the conversation"
        await talk.ask("Again?")
        assert talk.shown[-2:] == ["Again?", "Yes."]

    chat_with(test, engine)
    assert kept()[:2] == ["Why?", "half an "]
