"""What Tab and the picker offer; words as they are typed; hints as commands."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoken_chats import ask, loaded_chat, run, write

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.commands import COMMANDS, complete
from assistant.chat_commands.hints import chat_words, in_chat
from assistant.chat_commands.path_choices import path_choices
from assistant.chat_commands.typed_words import first_word, quoted, split_words
from assistant.chat_commands.wording import as_code
from assistant.errors import PromptTooLong


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chat:
    monkeypatch.chdir(tmp_path)
    return loaded_chat()


def offered(chat: Chat, line: str) -> list[str]:
    return [choice.text for choice in complete(chat, line)]


def test_commands_and_prompts_are_offered_by_their_beginning(chat: Chat) -> None:
    assert offered(chat, "/re") == ["/resume ", "/regenerate ", "/review "]
    assert offered(chat, "/retry") == ["/regenerate "]
    assert offered(chat, "/NE") == ["/new"]
    everything = offered(chat, "/")
    assert len(everything) == len({*everything})
    assert {f"/{one.name}" for one in COMMANDS} <= {text.strip() for text in everything}
    assert all(choice.summary for choice in complete(chat, "/"))


@pytest.mark.parametrize("line", ["", "re", " /re", "//re", "what is /re", "/usr/bi", "/re\n"])
def test_nothing_is_offered_for_a_question(chat: Chat, line: str) -> None:
    assert offered(chat, line) == []


def test_conversations_are_offered_by_name_and_title(chat: Chat) -> None:
    ask(chat, "How do I sort a list?")
    assert chat.conversation is not None
    name = chat.conversation.name
    run(chat, "/new")
    ask(chat, "Other things")
    (found,) = complete(chat, f"/resume {name}")
    assert (found.text, found.summary) == (f"/resume {name}", "How do I sort a list?")
    assert offered(chat, "/resume SORT") == [f"/resume {name}"]
    assert len(offered(chat, "/resume ")) == 2
    assert offered(chat, "/resume zzz") == []


def test_arguments_of_commands_are_offered(chat: Chat) -> None:
    chat.themes = ("dracula", "nord")
    assert offered(chat, "/theme d") == ["/theme dracula"]
    assert offered(chat, "/set temp") == ["/set temperature "]
    assert "/set when_full drop" in offered(chat, "/set when_full ")
    assert offered(chat, "/set history t") == ["/set history true"]
    assert offered(chat, "/set nothing x") == []
    assert "/model starter" in offered(chat, "/model st")
    assert offered(chat, "/prompt gen") == ["/prompt generate"]
    assert "/lang de" in offered(chat, "/lang germ")
    assert offered(chat, "/new ") == []
    assert offered(chat, "/nothing x") == []


def test_files_are_offered_where_they_are_taken(chat: Chat) -> None:
    Path("src").mkdir()
    write("src/app.py", "x = 1\n")
    write("src/.hidden", "")
    write("my notes.md", "notes\n")
    assert offered(chat, "/attach s") == ["/attach src/"]
    assert offered(chat, "/attach src/") == ["/attach src/app.py"]
    assert offered(chat, "/attach src/.") == ["/attach src/.hidden"]
    assert offered(chat, "/explain src/app.py m") == ['/explain src/app.py "my notes.md"']
    assert offered(chat, '/save code "my n') == ['/save code "my notes.md"']
    assert offered(chat, '/attach "my n') == ['/attach "my notes.md"']
    assert offered(chat, "/attach none/") == []
    chat.attach(["src/app.py"])
    assert offered(chat, "/detach s") == ["/detach src/app.py"]


def test_a_name_that_a_terminal_would_obey_is_not_offered(chat: Chat) -> None:
    write("a\x1b]0;x\x07b", "")
    write("plain", "")
    assert [choice.text for choice in path_choices(chat, "")] == ["plain"]


# ── words ───────────────────────────────────────────────────────────────────────────────────


@given(st.text(), st.text())
def test_a_quoted_word_is_read_back(word: str, rest: str) -> None:
    if '"' in word and "'" in word:
        return  # no quotes hold both
    found = first_word(f"{quoted(word)} {rest}")
    bare = word.strip("'\"@") == word and word != ""
    if bare:
        assert found.word == word
        assert found.rest == rest.strip()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a 'b c' \"d e\" f", ["a", "b c", "d e", "f"]),
        ("don't 'x", ["don't", "'x"]),
        ('@"my file.py" @a.py', ["my file.py", "@a.py"]),
        ("  \n ", []),
        ('"" x', ["", "x"]),
    ],
)
def test_words_are_parted(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@given(st.text())
def test_a_code_span_shows_one_line_and_ends_where_it_should(text: str) -> None:
    span = as_code(text)
    marks = span[: len(span) - len(span.lstrip("`"))]
    inner = span[len(marks) : -len(marks)]
    assert span.endswith(marks)
    assert "\n" not in span
    assert marks not in inner
    assert not inner.startswith("`")
    assert not inner.endswith("`")


# ── hints ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("llmchat history list", "/history"),
        ('llmchat history search "binary search"', '/search "binary search"'),
        ("llmchat history show k7m2q", "/history"),
        ("llmchat history compact, or -o when_full compact", "/compact, or /set when_full compact"),
        ("cut after 60 tokens; more with -o max_tokens 120", "…; more with /set max_tokens 120"),
        ("cut: the time is up; --timeout SECONDS allows more", "…; /set timeout SECONDS allows"),
        ("ask with fewer words, or -m MODEL with a larger window", "…, or /model MODEL with a"),
        ("git diff --staged | llmchat commit", "/commit FILE"),
        ("llmchat complete < unfinished.py", "/attach unfinished.py, then /complete"),
        ("llmchat explain src/app.py", "/explain src/app.py"),
        ("llmchat shorten --help", "/help shorten"),
        ('llmchat "…" begins one', "a question begins one"),
        ("llmchat undo takes it back", "/undo takes it back"),
        ("llmchat trust", "llmchat trust"),
        ("since llmchat wrote it", "since llmchat wrote it"),
        ("llmchat prompts edit mine", "llmchat prompts edit mine"),
        ("llmchat in a terminal", "llmchat in a terminal"),
        ("llmchat engine stop", "llmchat engine stop"),
        ("llmchat history replay k7m2q.4", "llmchat history replay k7m2q.4"),
        ("did you mean -m a.gguf?", "did you mean /model a.gguf?"),
        ("seeds 1, 2; -o seed=… writes one", "seeds 1, 2; /set seed … writes one"),
    ],
)
def test_command_lines_become_commands(typed: str, shown: str) -> None:
    assert shown.removeprefix("…") in chat_words(typed)
    assert chat_words(chat_words(typed)) == chat_words(typed)


def test_an_error_stays_what_it_is() -> None:
    error = in_chat(PromptTooLong("too long", "llmchat history compact"))
    assert type(error) is PromptTooLong
    assert (error.message, error.hint) == ("too long", "/compact")
