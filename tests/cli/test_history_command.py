"""`llmchat history`: what it says, where, and what it changes."""

import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import FEW, Terminal, llmchat, run_command
from msgspec.structs import replace
from past_conversations import answer, conversation, question, talk
from resident_engines import resident_home

from assistant import paths
from assistant.cli.app import run
from assistant.conversation.history_files import Remembered, keep_all
from assistant.conversation.store import Store
from assistant.engine.neighbours import neighbours
from assistant.errors import AssistantError, InputError, NotApproved, UsageError
from assistant.startup import snapshot_folder

__all__ = ["resident_home"]

EVIL = "a\x1b]0;x\x07\x9b31m\u202eb\rc"
Captured = pytest.CaptureFixture[str]


class Person(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def store() -> Iterator[Store]:
    """The history of this test's home, open beside the commands."""
    opened = Store.open()
    yield opened
    opened.close()


@pytest.fixture
def two(store: Store) -> Store:
    """k7m2q was used an hour ago, abcde two days ago; its messages are a day older."""
    now = time.time()
    older = talk("abcde", "数据库 连接")
    messages = tuple(replace(one, created=one.created - 86400) for one in older.messages)
    older = used(replace(older, messages=messages), now - 48 * 3600)
    keep_all([used(talk(), now - 3600), older], store)
    return store


def used(one: Remembered, seconds: float) -> Remembered:
    return replace(one, conversation=replace(one.conversation, updated=seconds))


def names(store: Store) -> list[str]:
    return [one.name for one in store.conversations()]


def said(capsys: Captured, *words: str) -> tuple[str, str]:
    """Standard output and standard error of `llmchat history WORDS`."""
    run_command("history", *words)
    return capsys.readouterr()


def refusal(*words: str, kind: type[AssistantError] = InputError) -> tuple[str, str]:
    with pytest.raises(kind) as caught:
        run_command("history", *words)
    return caught.value.message, caught.value.hint


# ── nothing yet ─────────────────────────────────────────────────────────────────────────────


def test_an_empty_history_says_how_to_begin(capsys: Captured) -> None:
    line = 'there are no conversations yet: llmchat "…" begins one\n'
    assert said(capsys, "list") == ("", line)
    assert said(capsys) == ("", line)
    assert said(capsys, "export", "--all") == ("", line)
    assert said(capsys, "list", "--json") == ("[]\n", "")
    assert said(capsys, "delete", "--all") == ("", "there are no conversations yet\n")
    for words in (["show"], ["fork"], ["export"], ["show", ".1"]):
        assert refusal(*words) == ("there are no conversations yet", 'llmchat "…" begins one')
    out, _ = said(capsys, "stats")
    assert re.match(r"conversations +0\nmessages +0, 0 bytes of text\n", out)


# ── list ────────────────────────────────────────────────────────────────────────────────────


def test_the_list_begins_with_the_newest(two: Store, capsys: Captured) -> None:
    table = "k7m2q  60 min ago  5 messages  Sorting\nabcde    48 h ago  5 messages  数据库 连接\n"
    assert said(capsys, "list") == (table, "")
    assert said(capsys) == (table, "")


def test_the_list_is_of_the_latest_unless_all_are_wanted(store: Store, capsys: Captured) -> None:
    now = time.time()
    for number in range(22):
        one = Remembered(conversation(f"x{number:02}", messages=0), ())
        keep_all([used(one, now - number)], store)
    out, err = said(capsys, "list")
    assert [line.split()[0] for line in out.splitlines()] == [f"x{n:02}" for n in range(20)]
    assert err == "the latest 20; llmchat history list --all shows all\n"
    assert said(capsys, "list", "-q")[1] == ""
    out, err = said(capsys, "list", "--all")
    assert (len(out.splitlines()), err) == (22, "")
    out, err = said(capsys, "--json")
    assert (len(json.loads(out)), err) == (
        20,
        "the latest 20; llmchat history list --all shows all\n",
    )
    assert len(json.loads(said(capsys, "list", "--all", "--json")[0])) == 22


def test_the_list_for_programs(two: Store, capsys: Captured) -> None:
    newest, _ = json.loads(said(capsys, "list", "--json")[0])
    assert newest.pop("updated") == pytest.approx(time.time() - 3600, abs=60)
    assert newest == {
        "name": "k7m2q",
        "title": "Sorting",
        "folder": "/home/me/code",
        "first_day": "2025-01-03",
        "created": 1_700_000_000.0,
        "messages": 5,
        "leaf": 5,
        "fork_of": "",
    }


# ── show ────────────────────────────────────────────────────────────────────────────────────


def test_a_conversation_is_shown_as_markdown_in_a_pipe(two: Store, capsys: Captured) -> None:
    shown = said(capsys, "show")
    assert shown == said(capsys, "show", "k7")
    out, err = shown
    assert out.startswith("# Sorting\n\nk7m2q, begun on 2025-01-03\n\n## You\n\nHow do I sort")
    assert "*2 versions: k7m2q.2, k7m2q.3*\n\nUse `sorted`.\n" in out
    assert "I do not know" not in out
    assert err == ""


def test_another_version_is_shown_by_its_number(two: Store, capsys: Captured) -> None:
    out, _ = said(capsys, "show", "k7m2q.2")
    assert out.endswith("*2 versions: k7m2q.2, k7m2q.3*\n\nI do not know.\n\n*stopped*\n")
    assert said(capsys, "show", ".2")[0] == out


def test_a_conversation_for_programs(two: Store, capsys: Captured) -> None:
    found = json.loads(said(capsys, "show", "abcde", "--json")[0])
    assert found["conversation"]["name"] == "abcde"
    assert [message["number"] for message in found["messages"]] == [1, 3, 4, 5]
    assert found["messages"][1]["writing"]["seed"] == 7
    assert found["versions"]["3"] == [2, 3]


def test_thoughts_are_shown_to_who_wants_them(store: Store, capsys: Captured) -> None:
    one = Remembered(conversation(messages=1, leaf=1), (answer(1, 0, "So.", reasoning="Hm."),))
    keep_all([one], store)
    assert "Hm." not in said(capsys, "show")[0]
    assert "Hm." in said(capsys, "show", "--reasoning", "show")[0]


def test_on_a_terminal_a_conversation_is_rendered(two: Store) -> None:
    terminal = Terminal("history", "show", columns=60)
    assert terminal.wait_for_end() == 0
    assert terminal.text.startswith("Sorting\nk7m2q · /home/me/code · 60 min ago\n\nYou k7m2q.1 · ")
    assert "\nUse sorted.\n" in terminal.text
    assert terminal.color_of("You") == "cyan"
    assert terminal.color_of("sorted") == "cyan"  # code, as in an answer


def test_nothing_of_the_history_steers_a_terminal(store: Store) -> None:
    messages = (question(1, 0, EVIL, app_py=EVIL), answer(2, 1, f"{EVIL} needle"))
    keep_all(
        [Remembered(conversation(title=EVIL, folder=EVIL, messages=2, leaf=2), messages)], store
    )
    for words in (
        ["list"],
        ["list", "--json"],
        ["show"],
        ["show", "--color", "never"],
        ["search", "needle"],
        ["search", f"\x1b]0;x\x07{EVIL}"],
        ["export"],
        ["export", "--json"],
        ["delete", "k7m2q", "--dry-run"],
        ["fork", "--dry-run"],
        ["rename", "k7m2q", EVIL],
        ["show", f"k{EVIL}"],
    ):
        terminal = Terminal("history", *words, columns=40)
        terminal.wait_for_end()
        written = re.sub(rb"\x1b\[[0-9;]*m|\r+\n", b"", terminal.written).decode()
        assert written, words
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", written), (words, written)


# ── names ───────────────────────────────────────────────────────────────────────────────────


def test_wrong_names_are_refused(two: Store) -> None:
    assert refusal("show", "k7m2p") == (
        "there is no conversation 'k7m2p'; there is k7m2q",
        "llmchat history list",
    )
    assert refusal("show", "k7m2q.9")[0] == "k7m2q has no message 9"
    for word in ("k7m2q.x", "k7m2q.0", "k7m2q.-1", "k7m2q.1.2", "k7m2q.", f"k7m2q.{'9' * 30}"):
        assert refusal("show", word) == (f"{word} is no message", "llmchat history show k7m2q")
    for command in ("export", "delete"):
        assert refusal(command, "k7m2q.4")[0] == "k7m2q.4 is a message of a conversation"
        assert refusal(command, "abcde", "")[0] == "there is no conversation ''"
    assert names(two) == ["k7m2q", "abcde"]


# ── search ──────────────────────────────────────────────────────────────────────────────────


def test_what_is_found_is_shown_with_its_words(two: Store, capsys: Captured) -> None:
    assert said(capsys, "search", "USE", "sorted") == (
        "k7m2q.3  SmolLM2-135M-Instruct  "
        f"{age(two, 'k7m2q', 3)}  Sorting\n    Use `sorted`.\n"
        "\n"
        "abcde.3  SmolLM2-135M-Instruct  "
        f"{age(two, 'abcde', 3)}  数据库 连接\n    Use `sorted`.\n",
        "",
    )
    found = json.loads(said(capsys, "search", "app.py", "--json")[0])
    assert [(one["conversation"], one["number"], one["lines"]) for one in found] == [
        ("k7m2q", 1, ["attached app.py"]),
        ("abcde", 1, ["attached app.py"]),
    ]


def age(store: Store, name: str, number: int) -> str:
    """Long enough ago that it does not change meanwhile."""
    (message,) = [one for one in store.messages(name) if one.number == number]
    return f"{round((time.time() - message.created) / 86400)} days ago"


def test_nothing_found_is_an_exit_code(two: Store, capfd: Captured) -> None:
    assert run(["history", "search", "absent\x1b"]) == 1
    assert capfd.readouterr() == ("", "nothing holds absent\\x1b\n")
    assert run(["history", "search", "absent", "--json"]) == 1
    assert capfd.readouterr() == ("[]\n", "nothing holds absent\n")
    assert run(["history", "search", "-q", "absent"]) == 1
    assert capfd.readouterr() == ("", "")
    assert run(["history", "search", "sorted"]) == 0


def test_a_search_needs_words(two: Store) -> None:
    for words in ([], [""], [" "]):
        assert refusal("search", *words, kind=UsageError)[0] == "search needs words"
    assert refusal("search", '" "')[0] == "there is nothing to search for"


def test_what_is_found_is_bold_on_a_terminal(two: Store) -> None:
    terminal = Terminal("history", "search", "sorted")
    assert terminal.wait_for_end() == 0
    assert b"Use `\x1b[1msorted\x1b[m`." in terminal.written


def test_many_hits_are_said_to_be_the_latest(store: Store, capsys: Captured) -> None:
    messages = tuple(answer(number, number - 1, "needle") for number in range(1, 53))
    keep_all([Remembered(conversation(messages=52, leaf=52), messages)], store)
    out, err = said(capsys, "search", "needle")
    assert (out.count("k7m2q."), err) == (50, "the latest 50; more words find fewer\n")
    assert "k7m2q.52" in out
    assert "k7m2q.2 " not in out


# ── rename, fork ────────────────────────────────────────────────────────────────────────────


def test_a_conversation_gets_another_title(two: Store, capsys: Captured) -> None:
    would = said(capsys, "rename", "abcde", "Data", "base", "--dry-run")
    assert would == ("", "would call abcde: Data base\n")
    assert two.find("abcde").title == "数据库 连接"
    assert said(capsys, "rename", "ab", "Data\n base ") == ("", "abcde is called: Data base\n")
    assert two.find("abcde").title == "Data base"
    assert names(two) == ["k7m2q", "abcde"]
    for words in ([], ["abcde"], ["abcde", " "]):
        assert refusal("rename", *words, kind=UsageError)[0] == "rename needs a name and a title"
    assert refusal("rename", "My", "title")[0] == "there is no conversation 'my'"


def test_a_fork_goes_on_from_a_message(two: Store, capsys: Captured) -> None:
    would = said(capsys, "fork", "k7m2q.3", "--dry-run")
    assert would == ("", "would copy 2 messages, up to k7m2q.3\n")
    assert names(two) == ["k7m2q", "abcde"]
    out, err = said(capsys, "fork", "k7m2q.2")
    new = two.find(out.strip())
    assert (new.fork_of, new.messages) == ("k7m2q.2", 2)
    assert err == f'go on: llmchat --conversation {new.name} "…"\n'
    out, _ = said(capsys, "fork", "abcde")
    assert [message.number for message in two.path(out.strip())] == [1, 3, 4, 5]


def test_there_is_nothing_to_fork_without_messages(store: Store) -> None:
    keep_all([Remembered(conversation(messages=0), ())], store)
    assert refusal("fork")[0] == "k7m2q has no messages"


# ── export, import ──────────────────────────────────────────────────────────────────────────


def test_an_export_is_markdown_with_what_was_attached(two: Store, capsys: Captured) -> None:
    latest, _ = said(capsys, "export")
    assert latest.startswith("# Sorting\n")
    assert "<details><summary>app.py, 18 bytes</summary>\n\n```\nx = [2, 1]\n```\n" in latest
    older, _ = said(capsys, "export", "abcde")
    assert said(capsys, "export", "--all") == (f"{latest}\n{older}", "")
    assert said(capsys, "export", "k7m2q", "abcde", "k7")[0] == f"{latest}\n{older}"
    assert refusal("export", "k7m2q", "--all", kind=UsageError)[0] == "export takes names or --all"


def test_what_is_exported_can_be_imported_elsewhere(
    two: Store, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported, err = said(capsys, "export", "--all", "--json")
    assert (len(exported.splitlines()), err) == (12, "")
    file = tmp_path / "history.jsonl"
    file.write_text(exported)
    monkeypatch.setenv("LLMCHAT_HOME", str(tmp_path / "elsewhere"))
    would = said(capsys, "import", str(file), "--dry-run")
    assert would == ("", "would import k7m2q, abcde\n")
    assert said(capsys, "list")[0] == ""
    assert said(capsys, "import", str(file)) == ("", "imported k7m2q, abcde\n")
    assert said(capsys, "export", "--all", "--json") == (exported, "")
    assert said(capsys, "import", str(file)) == ("", "there already: k7m2q, abcde\n")
    assert said(capsys, "export", "--all", "--json") == (exported, "")


def test_an_import_reads_standard_input(two: Store, tmp_path: Path) -> None:
    exported = llmchat("history", "export", "k7m2q", "--json").stdout
    elsewhere = {"LLMCHAT_HOME": str(tmp_path)}
    done = llmchat("history", "import", "-", stdin=exported, environment=elsewhere)
    assert (done.returncode, done.stderr) == (0, b"imported k7m2q\n")
    assert llmchat("history", "export", "--json", environment=elsewhere).stdout == exported


def test_a_bad_file_is_named_with_its_line(
    two: Store, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported, _ = said(capsys, "export", "--all", "--json")
    file = tmp_path / "history.jsonl"
    file.write_text(exported[:-20])
    monkeypatch.setenv("LLMCHAT_HOME", str(tmp_path / "elsewhere"))
    message, hint = refusal("import", str(file))
    assert message.startswith(f"{file}, line 12: this is no message of abcde: ")
    assert hint == "nothing of this file was imported"
    assert said(capsys, "list")[0] == ""
    assert refusal("import", str(tmp_path)) == (
        f"{tmp_path} cannot be read: Is a directory",
        "llmchat history import FILE",
    )
    assert refusal("import", "nosuch")[0] == "nosuch cannot be read: No such file or directory"
    assert refusal("import", kind=UsageError)[0] == "import needs a file"


def test_a_taken_name_keeps_the_whole_file_out(
    two: Store, capsys: Captured, tmp_path: Path
) -> None:
    keep_all([talk("vwxyz")], two)
    exported, _ = said(capsys, "export", "vwxyz", "k7m2q", "--json")
    two.delete(["vwxyz"])
    file = tmp_path / "history.jsonl"
    file.write_text(exported.replace("Use `sorted`.", "Use heapq."))
    for options in ([], ["--dry-run"]):
        message, _ = refusal("import", str(file), *options)
        assert message == "another conversation here has the name k7m2q"
    assert names(two) == ["k7m2q", "abcde"]


def test_json_on_a_terminal_is_ascii_and_the_same(two: Store, tmp_path: Path) -> None:
    terminal = Terminal("history", "export", "abcde", "--json", columns=2000, rows=50)
    assert terminal.wait_for_end() == 0
    assert terminal.written.isascii()
    lines = terminal.written.decode().splitlines()
    piped = llmchat("history", "export", "abcde", "--json").stdout.decode().splitlines()
    assert list(map(json.loads, lines)) == list(map(json.loads, piped))


# ── delete ──────────────────────────────────────────────────────────────────────────────────


def test_nobody_deletes_without_being_asked(
    two: Store, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal("delete", "k7m2q", kind=NotApproved) == (
        "nobody can be asked: delete k7m2q (Sorting) for good?",
        "llmchat history delete k7m2q --yes",
    )
    assert refusal("delete", "--all", kind=NotApproved)[1] == "llmchat history delete --all --yes"
    for words in ([], ["k7m2q", "--all"]):
        assert refusal("delete", *words, kind=UsageError)[0] == "delete takes names or --all"
    asked = Person()
    monkeypatch.setattr(sys, "stdin", Person("n\n"))
    monkeypatch.setattr(sys, "stderr", asked)
    assert refusal("delete", "k7m2q", "abcde", kind=NotApproved)[0] == "nothing was changed"
    question = "delete k7m2q (Sorting), abcde (数据库 连接) for good? [y/N] "
    assert asked.getvalue() == question
    assert names(two) == ["k7m2q", "abcde"]
    monkeypatch.setattr(sys, "stdin", Person("y\n"))
    run_command("history", "delete", "k7m2q")
    assert "deleted for good: k7m2q (Sorting)\n" in asked.getvalue()
    assert names(two) == ["abcde"]


def test_a_dry_run_deletes_nothing(two: Store, capsys: Captured) -> None:
    assert said(capsys, "delete", "k7", "k7m2q", "--dry-run") == (
        "",
        "would delete k7m2q (Sorting)\nwould clear what models keep on disk of what they read\n",
    )
    assert names(two) == ["k7m2q", "abcde"]


def test_what_is_deleted_is_gone_with_what_models_keep_of_it(two: Store, capsys: Captured) -> None:
    state = paths.cache_folder() / "kv" / "0123" / "state.kv"
    state.parent.mkdir(parents=True)
    state.write_bytes(bytes(5_000_000))
    assert said(capsys, "delete", "k7m2q", "-y") == (
        "",
        "deleted for good: k7m2q (Sorting)\n"
        "also 5 MB of what models keep on disk of all they have read\n",
    )
    assert not state.exists()
    assert names(two) == ["abcde"]


def test_all_can_be_deleted(store: Store, capsys: Captured) -> None:
    now = time.time()
    for number in range(5):
        keep_all([used(talk(f"x{number}"), now - number)], store)
    _, err = said(capsys, "delete", "--all", "--yes")
    assert err == "deleted for good: 5 conversations (x0, x1, x2, …)\n"
    assert names(store) == []


@pytest.mark.usefixtures("resident_home")
def test_an_engine_that_runs_forgets_it_and_keeps_nothing_on_disk(capsys: Captured) -> None:
    long = "Tell me about " + "apples and pears and " * 80
    for words in ([long], ["-c", long]):
        assert llmchat(*words, *FEW).returncode == 0
    (engine,) = neighbours()
    assert engine.status is not None
    assert engine.status.activity.tokens_held > 300
    _, err = said(capsys, "delete", "--all", "-y")
    assert err.startswith("deleted for good: ")
    assert err.count("\n") == 1, "nothing is left to warn of"
    (engine,) = neighbours()
    assert engine.status is not None
    assert engine.status.activity.tokens_held == 0
    assert engine.stop()
    assert not list(snapshot_folder().rglob("*.kv"))


# ── places that cannot be used ──────────────────────────────────────────────────────────────


def test_a_history_that_cannot_be_written_is_not_changed(
    two: Store, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported, _ = said(capsys, "export", "--json")
    monkeypatch.setattr(Store, "is_lasting", property(lambda _store: False))
    monkeypatch.setattr(Store, "notices", property(lambda _store: ["it cannot be written"]))
    for words in (["rename", "k7m2q", "x"], ["fork"], ["delete", "--all", "-y"]):
        assert refusal(*words, kind=AssistantError)[0] == "the history cannot be changed now"
        assert capsys.readouterr() == ("", "it cannot be written\n")
    assert said(capsys, "export", "--json") == (exported, "it cannot be written\n")


# ── Tab ─────────────────────────────────────────────────────────────────────────────────────


def offered(line: str, capfd: Captured, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    with monkeypatch.context() as environment:
        environment.setenv("_LLMCHAT_COMPLETE", "complete_bash")
        environment.setenv("COMP_WORDS", line)
        environment.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        assert run([]) == 0
    return capfd.readouterr().out.split()


def test_names_are_offered_after_tab(
    two: Store, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("show", "rename", "fork", "export", "export abcde", "delete"):
        line = f"llmchat history {command} "
        assert offered(line, capfd, monkeypatch) == ["k7m2q", "abcde"], line
        assert offered(f"{line}ab", capfd, monkeypatch) == ["abcde"], line
    assert offered("llmchat history exp", capfd, monkeypatch) == ["export"]


def test_nothing_is_offered_or_made_without_a_history(
    private_home: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert offered("llmchat history show ", capfd, monkeypatch) == []
    assert list(private_home.iterdir()) == []
    (private_home / "data").mkdir()
    (private_home / "data" / "history.db").write_bytes(b"no database")
    assert offered("llmchat history show ", capfd, monkeypatch) == []
    assert capfd.readouterr().err == ""


HEAVY = ("rich", "numpy", "jinja2", "yaml", "assistant.engine", "assistant.backends")
IMPORTED = f"""
import os, sys
from assistant.cli.main import run_command
run_command()
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("line", ["llmchat history show ", ""])
def test_tab_and_help_import_nothing_heavy(
    line: str, two: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if line:
        monkeypatch.setenv("_LLMCHAT_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", "3")
    words = [] if line else ["history", "--help"]
    done = subprocess.run([sys.executable, "-c", IMPORTED, *words], capture_output=True, check=True)
    assert done.stderr == b"[]\n"
    assert (b"k7m2q" if line else b"rename") in done.stdout


# ── the rest ────────────────────────────────────────────────────────────────────────────────


def test_the_counts(two: Store, capsys: Captured) -> None:
    out, err = said(capsys, "stats")
    assert re.fullmatch(
        r"conversations +2\n"
        r"messages +10, \d+ bytes of text\n"
        r"tokens +240 read, 18 written\n"
        r"on disk +\d+ kB, of which the search takes \d+ (?:bytes|kB)\n",
        out,
    )
    assert err == ""
    found = json.loads(said(capsys, "stats", "--json")[0])
    assert (found["conversations"], found["messages"], found["tokens_read"]) == (2, 10, 240)
    assert 0 < found["index_bytes"] < found["file_bytes"]
