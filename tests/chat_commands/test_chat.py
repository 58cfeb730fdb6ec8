"""A chat without a screen: what it remembers, and what stays when something fails."""

from pathlib import Path

import pytest
from spoken_chats import Opened, ask, hear, loaded_chat, texts, write

from assistant.chat_commands.chat import Chat
from assistant.config import Settings
from assistant.conversation.message_names import MessageName
from assistant.conversation.records import Kind
from assistant.conversation.store import Store
from assistant.errors import InputError, ModelError, PromptTooLong, UsageError
from assistant.messages import Attachment


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_questions_go_on_with_what_was_said() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened)
    ask(chat, "One?")
    ask(chat, "Two?")
    assert texts(chat) == ["One?", "Yes.", "Two?", "Yes."]
    assert len(opened.engines[0].requests) == 2
    chat.new()
    assert chat.conversation is None
    assert texts(chat) == []


def test_before_there_is_a_model_the_past_can_be_looked_at() -> None:
    chat = loaded_chat()
    ask(chat, "One?")
    chat.close()
    again = Chat(Settings(), resume=MessageName(), open_engine=Opened())
    assert texts(again) == ["One?", "Yes."]
    with pytest.raises(ModelError, match="no model is loaded") as refused:
        again.ask(again.question("Two?"))
    assert refused.value.hint == "/model NAME"
    list(again.load())
    ask(again, "Two?")
    assert texts(again) == ["One?", "Yes.", "Two?", "Yes."]


def test_there_is_no_conversation_to_resume() -> None:
    with pytest.raises(InputError, match="there is no conversation"):
        Chat(Settings(), resume=MessageName("zzzzz"), open_engine=Opened())


# ── the model ───────────────────────────────────────────────────────────────────────────────


def test_another_model_goes_on_and_the_old_one_is_closed_when_it_is_loaded() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened)
    ask(chat, "One?")
    for _ in chat.change_model("other"):
        assert not opened.engines[0].is_closed
        assert chat.settings.model == ""
    assert opened.engines[0].is_closed
    assert chat.settings.model == "other"
    ask(chat, "Two?")
    assert texts(chat) == ["One?", "Yes.", "Two?", "Yes."]
    assert len(opened.engines[1].requests) == 1


def test_the_old_model_stays_when_the_other_cannot_be_loaded() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened)
    with pytest.raises(ModelError, match="it is broken"):
        list(chat.change_model("broken"))
    old, new = opened.engines
    assert (old.is_closed, new.is_closed) == (False, True)
    assert chat.settings.model == ""
    ask(chat, "One?")
    assert len(old.requests) == 1


def test_who_stops_reading_gives_the_loading_up() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened)
    loading = chat.change_model("other")
    next(loading)
    loading.close()  # type: ignore[attr-defined]  # it is a generator
    assert [engine.is_closed for engine in opened.engines] == [False, True]


def test_whether_a_model_is_on_its_way_is_known() -> None:
    chat = Chat(Settings(), open_engine=Opened())
    known = [chat.is_loading]
    loading = chat.load()
    known.append(chat.is_loading)
    list(loading)
    known.append(chat.is_loading)
    with pytest.raises(ModelError):
        list(chat.change_model("broken"))
    known.append(chat.is_loading)
    assert known == [False, True, False, False]


def test_closing_closes_what_is_still_being_loaded() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened)
    chat.change_model("other")
    chat.close()
    assert [engine.is_closed for engine in opened.engines] == [True, True]


# ── the settings ────────────────────────────────────────────────────────────────────────────


def test_a_setting_holds_from_the_next_question_on() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened)
    ask(chat, "One?")
    list(chat.change_setting("temperature", "1.5"))
    list(chat.change_setting("max_tokens", "7"))
    ask(chat, "Two?")
    first, second = opened.engines[0].requests
    assert (first.sampling.temperature, second.sampling.temperature) == (0.2, 1.5)
    assert second.max_new_tokens == 7
    list(chat.change_setting("temperature", "default"))
    assert chat.settings.temperature is None


def test_another_answer_is_drawn_with_what_was_set_since() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened, settings=Settings(temperature=0.0, top_k=3, seed=5))
    ask(chat, "One?")
    list(chat.change_setting("temperature", "0.9"))
    list(chat.change_setting("seed", "6"))
    hear(chat.again())
    hear(chat.again())
    first, second, third = opened.engines[0].requests
    assert (second.sampling.temperature, second.sampling.top_k) == (0.9, 3)
    assert (first.seed, second.seed) == (5, 6)
    assert third.seed not in (5, 6), "it would be the same answer"


def test_a_setting_of_the_engine_opens_another_one() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened)
    ask(chat, "One?")
    steps = list(chat.change_setting("window", "2048"))
    assert steps
    assert chat.info.window == 2048
    assert opened.engines[0].is_closed
    assert texts(chat) == ["One?", "Yes."]


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("temprature", "1", "did you mean temperature?"),
        ("temperature", "hot", "/set temperature default"),
        ("history", "maybe", "/set history default"),
    ],
)
def test_a_wrong_setting_changes_nothing(key: str, value: str, hint: str) -> None:
    chat = loaded_chat()
    with pytest.raises(UsageError) as refused:
        chat.change_setting(key, value)
    assert refused.value.hint == hint
    assert chat.settings == Settings()


def test_with_another_history_a_new_conversation_begins() -> None:
    chat = loaded_chat()
    ask(chat, "Kept?")
    list(chat.change_setting("history", "false"))
    assert chat.conversation is None
    ask(chat, "Secret?")
    list(chat.change_setting("history", "true"))
    assert texts(chat) == []
    chat.close()
    store = Store.open()
    assert [one.title for one in store.conversations()] == ["Kept?"]
    store.close()


# ── conversations ───────────────────────────────────────────────────────────────────────────


def test_a_conversation_is_meant_by_name_and_a_message_by_its_number() -> None:
    chat = loaded_chat()
    ask(chat, "One?")
    ask(chat, "Two?")
    assert chat.conversation is not None
    name = chat.conversation.name
    chat.new()
    ask(chat, "Other?")
    chat.resume(name)
    assert texts(chat) == ["One?", "Yes.", "Two?", "Yes."]
    for word in (".2", "2", f"{name}.2"):
        chat.resume(word)
        assert texts(chat) == ["One?", "Yes."]
    ask(chat, "Deux?")
    assert texts(chat) == ["One?", "Yes.", "Deux?", "Yes."]
    assert len(chat.store.messages(name)) == 6, "nothing is overwritten"


def test_without_history_the_past_goes_on_in_a_copy() -> None:
    chat = loaded_chat()
    ask(chat, "Kept?")
    chat.close()
    secret = loaded_chat(settings=Settings(history=False))
    secret.resume("")
    assert texts(secret) == ["Kept?", "Yes."]
    ask(secret, "Secret?")
    assert secret.conversation is not None
    secret.resume(secret.conversation.name)
    assert texts(secret) == ["Kept?", "Yes.", "Secret?", "Yes."]
    secret.close()
    store = Store.open()
    (kept,) = store.conversations()
    assert len(store.messages(kept.name)) == 2
    store.close()


def test_a_fork_goes_on_by_itself() -> None:
    chat = loaded_chat()
    ask(chat, "One?")
    ask(chat, "Two?")
    old = chat.conversation
    assert old is not None
    new = chat.fork(2)
    assert new.fork_of == f"{old.name}.2"
    assert texts(chat) == ["One?", "Yes."]
    ask(chat, "Deux?")
    assert len(chat.store.messages(old.name)) == 4
    chat.new()
    with pytest.raises(InputError, match="nothing has been said"):
        chat.fork()


# ── questions ───────────────────────────────────────────────────────────────────────────────


def test_what_is_attached_goes_with_the_next_question_alone() -> None:
    write("a.py", "x = 1\n")
    opened = Opened()
    chat = loaded_chat(opened=opened)
    chat.attach(["a.py"])
    chat.attach(["./a.py"])
    assert [one.name for one in chat.attachments] == ["a.py"]
    ask(chat, "What is x?")
    assert chat.attachments == ()
    ask(chat, "And y?")
    sources = [part.source for part in opened.engines[0].requests[0].prompt.messages[1].parts]  # type: ignore[union-attr]  # a ChatPrompt
    assert "a.py" in sources


def test_what_is_attached_stays_when_the_question_is_refused() -> None:
    write("long.txt", "word " * 2000)
    chat = loaded_chat()
    chat.attach(["long.txt"])
    with pytest.raises(PromptTooLong):
        chat.ask(chat.question("What?"))
    assert [one.name for one in chat.attachments] == ["long.txt"]
    assert chat.conversation is None, "nothing was begun"
    chat.detach("long.txt")
    ask(chat, "What?")
    assert texts(chat) == ["What?", "Yes."]


def test_a_question_that_is_refused_leaves_the_branch_as_it_was() -> None:
    chat = loaded_chat()
    ask(chat, "One?")
    ask(chat, "Two?")
    first = chat.messages[0].number
    with pytest.raises(PromptTooLong):
        chat.ask(chat.question("word " * 2000), instead_of=first)
    assert texts(chat) == ["One?", "Yes.", "Two?", "Yes."]
    hear(chat.ask(chat.question("Uno?"), instead_of=first))
    assert texts(chat) == ["Uno?", "Yes."]


def test_detaching_says_what_is_not_attached() -> None:
    chat = loaded_chat()
    notes = Attachment("notes.md", "x", "")
    chat.attachments = (notes, Attachment("a.py", "y", ""))
    with pytest.raises(InputError, match=r"b\.py is not attached"):
        chat.detach("b.py")
    chat.detach("a.py")
    assert list(chat.attachments) == [notes]
    chat.detach()
    assert list(chat.attachments) == []


def test_a_message_is_found_by_kind_and_number_in_every_version() -> None:
    chat = loaded_chat()
    with pytest.raises(InputError, match="nothing has been said"):
        chat.answer()
    ask(chat, "One?")
    hear(chat.again())
    assert (chat.asked().number, chat.answer().number) == (1, 3)
    assert chat.answer(2).kind is Kind.ANSWER
    with pytest.raises(InputError, match="there is no question 2"):
        chat.asked(2)


def test_what_is_wrong_with_the_history_is_said_once(
    private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (private_home / "data").mkdir()
    (private_home / "data" / "history.db").write_text("no database at all" * 100)
    chat = loaded_chat()
    ask(chat, "One?")
    assert len(chat.new_notices()) == 1
    assert chat.new_notices() == []
