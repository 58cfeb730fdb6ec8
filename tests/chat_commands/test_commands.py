"""Which line is a command, what each wants done, and what is said of a wrong one."""

from pathlib import Path

import pytest
from spoken_chats import CODE, Opened, ask, hear, loaded_chat, run, said, texts, write

from assistant.chat_commands.commands import (
    COMMANDS,
    is_command,
    may_run_now,
    needs_model,
    question_text,
    run_command,
)
from assistant.chat_commands.effects import (
    AnswerAgain,
    Ask,
    AttachmentsChanged,
    Compact,
    ConversationChanged,
    CopyText,
    EditQuestion,
    Leave,
    Loading,
    ModelChanged,
    Say,
    ShowHistory,
    ShowTable,
    ThemeChosen,
    WriteFile,
)
from assistant.chat_commands.saving import write as write_proposal
from assistant.config import Settings
from assistant.conversation.history_files import read_conversations
from assistant.errors import AssistantError, InputError, ModelError, UsageError

KEY = "AKIA" + "IOSFODNN7" + "QWERTYZ"  # in pieces: no scanner shall trip over it


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(line: str, chat: object = None) -> AssistantError:
    with pytest.raises(AssistantError) as caught:
        run(chat or loaded_chat(), line)  # type: ignore[arg-type]  # it is a chat
    return caught.value


# ── which line is one ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "line",
    ["/help", "/HELP", "/?", "/explain a.py\nwhy?", "exit", " quit ", ":q", ".exit", "/q", "/nope"],
)
def test_commands(line: str) -> None:
    assert is_command(line)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("/usr/bin/python does not start", "/usr/bin/python does not start"),
        ("/etc.conf?", "/etc.conf?"),
        ("/* a comment */ what is this?", "/* a comment */ what is this?"),
        ("/^a+$/ matches what?", "/^a+$/ matches what?"),
        ("//help means what?", "/help means what?"),
        (" /help means what?", "/help means what?"),
        ("what is /help?", "what is /help?"),
        ("quit smoking?", "quit smoking?"),
        ("exit the loop, how?", "exit the loop, how?"),
        ("", ""),
    ],
)
def test_questions(line: str, asked: str) -> None:
    assert not is_command(line)
    assert question_text(line) == asked


@pytest.mark.parametrize("line", ["/exit", "/quit", "/bye", "/q", ":q", ".exit", "exit", "quit"])
def test_there_are_many_ways_out(line: str) -> None:
    assert run(loaded_chat(), line) == [Leave()]


def test_an_unknown_command_names_the_nearest_and_asks_no_model() -> None:
    opened = Opened()
    error = refused("/modle starter", loaded_chat(opened=opened))
    assert error.message == "there is no command /modle"
    assert error.hint.startswith("did you mean /model?")
    assert "//" in error.hint
    assert refused("/xyzzy").hint.startswith("/help")
    assert not opened.engines[0].requests


def test_every_command_has_a_name_of_its_own_and_a_sentence() -> None:
    names = [name for one in COMMANDS for name in (one.name, *one.aliases)]
    assert len(names) == len({*names})
    assert all(one.summary.endswith(".") for one in COMMANDS)


def test_some_commands_need_not_wait_for_the_answer() -> None:
    assert may_run_now("/help")
    assert may_run_now("/copy code")
    assert not may_run_now("/new")
    assert not may_run_now("/explain a.py")
    assert not may_run_now("/nope")


def test_some_lines_need_no_model() -> None:
    assert not needs_model("/history")
    assert not needs_model("exit")
    assert needs_model("/context")
    assert needs_model("/explain a.py")
    assert needs_model("what?")


def test_help_shows_commands_and_prompts() -> None:
    chat = loaded_chat()
    shown = said(run(chat, "/help"))
    for word in ("/model [NAME]", "/alternatives N", "/explain", "Explain code"):
        assert word in shown
    assert said(run(chat, "/")) == shown
    assert "/retry  the same" in said(run(chat, "/help /regenerate"))
    assert "--to LANGUAGE" in said(run(chat, "/help translate"))
    assert refused("/help modle").hint == "did you mean model?"


# ── answers ─────────────────────────────────────────────────────────────────────────────────


def test_the_answer_or_its_code_is_copied_as_it_was_written() -> None:
    chat = loaded_chat(CODE)
    assert refused("/copy", chat).hint == "type a question"
    ask(chat, "Code?")
    assert run(chat, "/copy") == [CopyText(CODE, "the last answer")]
    assert run(chat, "/copy code") == [CopyText("ls\n", "code (sh)")]
    assert run(chat, "/copy 1") == [CopyText("a = 1\n", "code (python)")]
    assert refused("/copy 3", chat).hint == "/copy code, or 1, 2"
    assert refused("/copy 0", chat).hint == "/copy code, or 1, 2"


def test_an_answer_without_code_has_none_to_copy() -> None:
    chat = loaded_chat()
    ask(chat, "One?")
    assert refused("/copy code", chat).message == "the last answer holds no code"


def test_answers_and_code_are_saved_and_undone() -> None:
    chat = loaded_chat(CODE)
    ask(chat, "Code?")
    (effect,) = run(chat, "/save answer.md")
    assert isinstance(effect, WriteFile)
    assert effect.question == ""
    assert not Path("answer.md").exists(), "that is for the front end"
    assert "`/undo` takes it back" in write_proposal(effect.proposal)
    assert Path("answer.md").read_text() == CODE
    (effect,) = run(chat, "/save 1 'my app.py'")
    assert isinstance(effect, WriteFile)
    write_proposal(effect.proposal)
    assert Path("my app.py").read_text() == "a = 1\n"
    assert run(chat, "/undo") == [Say("`my app.py` is gone again: it was new.")]
    assert not Path("my app.py").exists()


def test_a_file_that_is_there_is_asked_about_first() -> None:
    write("app.py", "b = 2\n")
    chat = loaded_chat(CODE)
    ask(chat, "Code?")
    (effect,) = run(chat, "/save 1 app.py")
    assert isinstance(effect, WriteFile)
    assert effect.question == "replace app.py?"
    write_proposal(effect.proposal)
    assert said(run(chat, "/save 1 app.py")) == "`app.py` holds that already."
    run(chat, "/undo")
    assert Path("app.py").read_text() == "b = 2\n"


def test_saving_needs_a_file_that_can_be_one() -> None:
    chat = loaded_chat(CODE)
    ask(chat, "Code?")
    assert refused("/save", chat).hint == "/save answer.md, or /save code app.py"
    assert refused("/save a b c", chat).message == "save needs a file"
    assert "there is no folder" in refused("/save none/a.md", chat).message
    assert Path("code").exists() is False
    (effect,) = run(chat, "/save code")
    assert isinstance(effect, WriteFile)
    assert effect.proposal.shown == "code", "one word is the file"


def test_the_last_question_is_answered_again() -> None:
    chat = loaded_chat()
    assert refused("/regenerate", chat).hint == "type a question"
    ask(chat, "One?")
    ask(chat, "Two?")
    assert run(chat, "/retry") == [AnswerAgain(3)]
    assert run(chat, "/regenerate 1") == [AnswerAgain(1)]
    assert run(chat, "/alternatives 4") == [AnswerAgain(3, 4)]
    assert refused("/alternatives 9", chat).hint == "/alternatives 3"
    assert refused("/alternatives", chat).hint == "/alternatives 3"
    assert refused("/regenerate x", chat).hint == "/regenerate"


def test_alternatives_become_versions_of_one_answer() -> None:
    chat = loaded_chat()
    ask(chat, "One?")
    hear(chat.again(1, 3))
    assert chat.store.versions(chat.conversation.name, 2) == [2, 3, 4, 5]  # type: ignore[union-attr]  # it has begun
    assert chat.messages[-1].number == 3


def test_without_chance_there_is_no_other_answer() -> None:
    chat = loaded_chat(settings=Settings(temperature=0.0))
    ask(chat, "One?")
    for line in ("/regenerate", "/alternatives 3"):
        assert refused(line, chat).hint == "/set temperature 0.8"
    run(chat, "/set temperature 0.8")
    assert run(chat, "/regenerate") == [AnswerAgain(1)]


def test_an_answer_that_was_stopped_is_written_again_without_chance_too() -> None:
    chat = loaded_chat(settings=Settings(temperature=0.0))
    turn = chat.ask(chat.question("One?"))
    turn.stream.cancel()
    hear(turn)
    assert run(chat, "/regenerate") == [AnswerAgain(1)]


def test_a_question_is_edited_with_what_was_attached() -> None:
    write("a.py", "x = `1`\n")
    chat = loaded_chat()
    run(chat, "/attach a.py")
    ask(chat, "What?")
    ask(chat, "More?")
    (effect,) = run(chat, "/edit 1")
    assert isinstance(effect, EditQuestion)
    assert (effect.number, effect.question.text) == (1, "What?")
    (attachment,) = effect.question.attachments
    assert (attachment.name, attachment.text, attachment.language) == (
        "a.py", "x = `1`\n", "python"
    )  # fmt: skip
    (effect,) = run(chat, "/edit what then?")
    assert isinstance(effect, Ask)
    assert (effect.instead_of, effect.question.text) == (3, "what then?")
    hear(chat.ask(effect.question, instead_of=effect.instead_of))
    assert texts(chat) == ["What?", "Yes.", "what then?", "Yes."]
    (effect,) = run(chat, "/edit 7 dwarfs?")
    assert isinstance(effect, Ask)
    assert effect.question.text == "7 dwarfs?", "7 is no message"


def test_a_question_of_a_prompt_file_is_edited_as_one() -> None:
    write("a.py", "x = 1\n")
    chat = loaded_chat()
    (effect,) = run(chat, "/translate --to 'High German' a.py")
    assert isinstance(effect, Ask)
    hear(chat.ask(effect.question))
    assert texts(chat)[0] == "translate --to High German a.py"
    (edited,) = run(chat, "/edit")
    assert isinstance(edited, EditQuestion)
    assert edited.question.prompt.name == "translate"
    assert edited.question.variables == {"to": "High German"}
    assert [one.name for one in edited.question.attachments] == ["a.py"]


def test_details_say_how_an_answer_can_be_made_again() -> None:
    chat = loaded_chat(settings=Settings(seed=7))
    ask(chat, "One?")
    (table,) = run(chat, "/details")
    assert isinstance(table, ShowTable)
    rows = {row[0]: row[1] for row in table.rows}
    assert rows["seed"] == "7"
    assert rows["sampling"].startswith("temperature 0.2, top_k 40")
    assert rows["again"] == f"llmchat history replay {chat.conversation.name}.2"  # type: ignore[union-attr]
    assert "0 cached" in rows["prompt"]


# ── conversations ───────────────────────────────────────────────────────────────────────────


def test_past_conversations_are_listed_found_and_gone_on_with() -> None:
    chat = loaded_chat("Use a binary tree.")
    assert refused("/history", chat).hint == "type a question"
    ask(chat, "How do I sort?")
    name = chat.conversation.name  # type: ignore[union-attr]
    assert run(chat, "/new") == [ConversationChanged()]
    ask(chat, "Other?")
    (effect,) = run(chat, "/history")
    assert isinstance(effect, ShowHistory)
    assert [row[0] for row in effect.table.rows][1] == name
    assert effect.table.rows[0][3] == "Other? (this one)"
    assert run(chat, "/resume") == [effect]
    (effect,) = run(chat, "/search BINARY tree")
    assert isinstance(effect, ShowHistory)
    assert effect.query == "BINARY tree"
    assert any(row[2] == "Use a binary tree." for row in effect.table.rows)
    assert run(chat, f"/resume {name}") == [ConversationChanged()]
    assert texts(chat)[0] == "How do I sort?"
    assert refused("/search zzz", chat).message == "nothing holds zzz"
    assert refused("/resume zzzzz", chat).hint == "/history"


def test_a_fork_says_where_it_comes_from() -> None:
    chat = loaded_chat()
    ask(chat, "One?")
    ask(chat, "Two?")
    changed, told = run(chat, "/fork 2")
    assert changed == ConversationChanged()
    assert isinstance(told, Say)
    assert texts(chat) == ["One?", "Yes."]
    assert refused("/fork now", chat).hint == "/fork 4"


def test_a_conversation_is_exported_by_the_suffix(folder: Path) -> None:
    chat = loaded_chat()
    assert refused("/export a.md", chat).hint == "type a question"
    ask(chat, "One?")
    hear(chat.again())
    for name in ("a.md", "a.jsonl"):
        (effect,) = run(chat, f"/export {name}")
        assert isinstance(effect, WriteFile)
        write_proposal(effect.proposal)
    assert "One?" in Path("a.md").read_text()
    with Path("a.jsonl").open("rb") as file:
        (one,) = read_conversations(file, "a.jsonl")
    assert [message.text for message in one.messages] == ["One?", "Yes.", "Yes."]
    for line in ("/export", "/export a.pdf"):
        assert refused(line, chat).hint == "/export conversation.md"


def test_a_long_conversation_is_compacted() -> None:
    chat = loaded_chat("It was about this and that.")
    assert refused("/compact", chat).hint == "type a question"
    ask(chat, "One?")
    assert refused("/compact", chat).message == "this conversation is too short for a summary"
    ask(chat, "word " * 500)
    ask(chat, "Two?")
    (effect,) = run(chat, "/compact")
    assert isinstance(effect, Compact)
    for _ in effect.compaction:
        pass
    assert effect.compaction.summary == "It was about this and that."


# ── the next question ───────────────────────────────────────────────────────────────────────


def test_files_are_attached_and_detached() -> None:
    write("a.py", "x = 1\ny = 2\n")
    write("my notes.md", "notes\n")
    chat = loaded_chat()
    effects = run(chat, "/attach a.py:2 'my notes.md'")
    assert effects[0] == AttachmentsChanged()
    assert "a.py:2  6 tokens" in said(effects)
    assert [one.name for one in chat.attachments] == ["a.py:2", "my notes.md"]
    assert "my notes.md" in said(run(chat, "/attach"))
    assert "1 attachment left." in said(run(chat, "/detach a.py:2"))
    assert said(run(chat, "/detach")) == "Nothing is attached."
    assert refused("/attach", chat).hint == "/attach src/app.py:10-40"
    assert refused("/attach b.py", chat).message == "there is no file b.py"
    assert refused("/detach b.py", chat).message == "b.py is not attached"


def test_secrets_are_warned_of_before_they_are_sent() -> None:
    write("config.py", f'aws_id = "{KEY}"\n')
    chat = loaded_chat()
    words = said(run(chat, "/attach config.py"))
    assert "config.py, line 1 looks like a secret" in words
    assert KEY not in words
    run(chat, "/detach")
    assert "looks like a secret" in said(run(chat, "/explain config.py"))


def test_the_context_counts_the_question_and_what_is_attached() -> None:
    write("a.py", "x = 1\n")
    chat = loaded_chat()
    run(chat, "/attach a.py")
    words = said(run(chat, "/context what is x?"))
    assert "a.py" in words
    assert "question" in words
    assert "of 4,096 tokens are the prompt" in words
    assert said(run(chat, "/tokens")).startswith("what a question sends to scripted")
    assert [one.name for one in chat.attachments] == ["a.py"]


def test_another_prompt_is_used_for_plain_questions() -> None:
    chat = loaded_chat()
    assert "questions are asked with ask" in said(run(chat, "/prompt"))
    run(chat, "/prompt generate")
    assert chat.question("a stack").prompt.name == "generate"
    assert "`/prompt ask` goes back" in said(run(chat, "/prompt generate"))
    assert refused("/prompt summarize", chat).hint == "/summarize FILE"
    assert refused("/prompt translate", chat).hint == "/translate --to LANGUAGE FILE"
    assert refused("/prompt genrate", chat).hint == "did you mean generate?"
    run(chat, "/prompt ask")
    assert chat.question("x").prompt.name == "ask"


def test_system_message_and_language_are_said_and_put_back() -> None:
    chat = loaded_chat()
    run(chat, "/system Talk like a pirate.")
    run(chat, "/lang de")
    question = chat.question("Hi?")
    assert (question.system, question.language) == ("Talk like a pirate.", "German (Deutsch)")
    assert "Talk like a pirate." in said(run(chat, "/system"))
    run(chat, "/system default")
    run(chat, "/lang default")
    assert chat.settings == Settings()
    assert refused("/lang xx", chat).message == "lang xx: it takes a language such as de or German"


# ── the model and the settings ──────────────────────────────────────────────────────────────


def test_the_model_is_named_and_changed() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened)
    words = said(run(chat, "/model"))
    assert "The model is `scripted`" in words
    assert "/model starter" in words
    effects = run(chat, "/model other")
    assert isinstance(effects[0], Loading)
    assert effects[-1] == ModelChanged("scripted")
    error = refused("/model broken", chat)
    assert (type(error), error.hint) == (ModelError, "/model starter")
    assert chat.settings.model == "other"


def test_who_stops_reading_keeps_the_old_model() -> None:
    opened = Opened()
    chat = loaded_chat(opened=opened)
    effects = run_command(chat, "/model other")
    assert isinstance(next(effects), Loading)
    effects.close()
    assert [engine.is_closed for engine in opened.engines] == [False, True]


def test_models_beside_the_current_one_are_known(folder: Path) -> None:
    for name in ("big.gguf", "small.gguf", "big-00002-of-00002.gguf"):
        (folder / name).write_bytes(b"GGUF")
    chat = loaded_chat(settings=Settings(model=str(folder / "big.gguf")))
    words = said(run(chat, "/model"))
    assert f"/model {folder}/small.gguf" in words
    assert "00002" not in words


def test_settings_are_shown_and_changed() -> None:
    chat = loaded_chat()
    shown = said(run(chat, "/set"))
    assert "temperature  not set  How much chance" in shown
    assert "`top_k` is `not set`." in said(run(chat, "/set top_k"))
    for line in ("/set top_k 5", "/set top_k=5"):
        assert said(run(chat, line)) == "`top_k` is `5`."
    assert chat.settings.top_k == 5
    assert isinstance(run(chat, "/set window 1024")[-2], ModelChanged)
    assert refused("/set topk 5", chat).hint == "did you mean top_k?"
    assert refused("/set top_k many", chat).hint == "/set top_k default"
    assert ConversationChanged() in run(chat, "/set history false")
    assert refused("/set mouse false", chat).hint == "llmchat config set mouse false"
    assert chat.settings.mouse, "it would say that it is false, and nothing would have changed"


def test_themes_belong_to_who_has_some() -> None:
    chat = loaded_chat()
    assert refused("/theme dark", chat).message == "themes are for the full-screen chat"
    chat.themes = ("dracula", "nord")
    assert run(chat, "/theme nord") == [ThemeChosen("nord")]
    assert chat.settings.theme == "nord"
    assert "/theme dracula" in said(run(chat, "/theme"))
    assert refused("/theme nrod", chat).hint == "did you mean nord?"


# ── prompt files ────────────────────────────────────────────────────────────────────────────


def asked(line: str) -> Ask:
    effect = run(loaded_chat(), line)[-1]
    assert isinstance(effect, Ask)
    return effect


def test_a_prompt_file_is_a_command_with_files_and_a_question() -> None:
    write("a.py", "x = 1\n")
    for line in (
        "/explain a.py why is\nit so?",
        "/explain a.py -- why is\nit so?",
        "/explain @a.py why is\nit so?",
    ):
        question = asked(line).question
        assert question.prompt.name == "explain"
        assert [one.name for one in question.attachments] == ["a.py"]
        assert question.text == "why is\nit so?"
    assert asked('/explain a.py "why?"').question.text == "why?"
    assert asked("/explain a.py:1 don't you know?").question.text == "don't you know?"
    assert asked("/ask a.py is what?").question.text == "a.py is what?"


def test_what_the_question_mentions_is_attached_too() -> None:
    write("a.py", "x = 1\n")
    write("b.py", "y = 1\n")
    question = asked("/explain a.py is it @b.py?").question
    assert {one.name for one in question.attachments} == {"a.py", "b.py"}
    assert question.text == "is it b.py?"
    question = asked("/explain how does @a.py work?").question
    assert question.text == "how does a.py work?"
    chat = loaded_chat()
    ask(chat, "One?")
    (effect,) = run(chat, "/edit what about @b.py?")
    assert isinstance(effect, Ask)
    assert [one.name for one in effect.question.attachments] == ["b.py"]
    assert "b.py" in said(run(chat, "/context what is in @b.py?"))


def test_files_with_blanks_and_variables_are_read() -> None:
    write("my notes.md", "notes\n")
    for line in ('/translate --to German "my notes.md"', "/translate --to=German @'my notes.md'"):
        question = asked(line).question
        assert question.variables == {"to": "German"}
        assert [one.name for one in question.attachments] == ["my notes.md"]


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("/explain", "explain needs a file", "/explain src/app.py"),
        ("/explain b.py", "there is no file b.py", "look what is there: ls"),
        ("/explain a.py b.py why?", "there is no file b.py", "a question goes after --"),
        ("/explain -- why?", "explain needs a file", "/explain src/app.py"),
        ("/explain how do lists work", "there is no file how", "explain how do lists work"),
        ("/summarize a.py in short", "summarize takes no question (in short)", "/summarize notes"),
        ("/translate a.py", "translate needs --to LANGUAGE", "/translate --to German notes.md"),
        ("/generate", "generate needs a question", "/generate "),
        ("/commit", "commit needs a file", "/commit FILE"),
        ("/complete", "complete needs text on standard input", "/attach unfinished.py"),
    ],
)
def test_what_a_prompt_lacks_is_said_in_commands(line: str, message: str, hint: str) -> None:
    write("a.py", "x = 1\n")
    error = refused(line)
    assert isinstance(error, InputError | UsageError)
    assert error.message == message
    assert hint in error.hint
    assert "llmchat" not in error.hint


def test_a_prompt_works_on_what_is_attached_already() -> None:
    write("a.py", "x = 1\n")
    chat = loaded_chat()
    run(chat, "/attach a.py")
    (effect,) = run(chat, "/complete")
    assert isinstance(effect, Ask)
    (effect,) = run(chat, "/explain why is it so?")
    assert isinstance(effect, Ask)
    assert effect.question.text == "why is it so?"
    effects = list(run_command(chat, "/explain a.py", chat.attachments))
    assert isinstance(effects[-1], Ask)
    assert len(effects[-1].question.attachments) == 1, "the same file once"
