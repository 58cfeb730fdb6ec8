"""Which prompt a name means, what is listed, and the short way to a description."""

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from own_prompts import write_file, write_prompt

from assistant.errors import UsageError
from assistant.prompts.finding import find_prompt, list_prompts
from assistant.prompts.folders import Origin, prompt_names, user_folder
from assistant.prompts.summaries import prompt_summaries, read_summary
from assistant.trust import find_project, remember

GOOD = "---\nname: {name}\ndescription: {description}\n---\n{{{{ question }}}}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The prompts folder of a project around the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".llmchat" / "prompts"
    folder.mkdir(parents=True)
    return folder


def trust_it() -> None:
    found = find_project()
    assert found is not None
    remember(found, is_trusted=True)


def good(name: str, description: str = "x") -> str:
    return GOOD.format(name=name, description=description)


def test_a_prompt_of_the_user_is_found_beside_the_built_in_ones() -> None:
    before = prompt_names()
    assert write_prompt().origin is Origin.USER
    assert prompt_names() == tuple(sorted([*before, "own"]))
    assert find_prompt("ask").origin is Origin.BUILT_IN


def test_a_built_in_prompt_is_not_replaced_by_the_users() -> None:
    assert write_prompt("Something else", name="ask").origin is Origin.BUILT_IN
    assert find_prompt("ask").fill("Why?")[-1].text == "Why?"
    assert prompt_summaries()["ask"] == find_prompt("ask").description


def test_a_projects_prompts_count_when_it_is_trusted_and_below_the_users(project: Path) -> None:
    for name in ("ask", "both", "theirs"):
        write_file(good(name, "theirs"), name, project)
    write_file(good("both", "mine"), "both")
    assert "theirs" not in prompt_names()
    trust_it()
    assert find_prompt("theirs").origin is Origin.PROJECT
    assert find_prompt("both").description == prompt_summaries()["both"] == "mine"
    listed = {(prompt.name, prompt.origin): prompt.hidden_by for prompt in list_prompts()}
    assert listed["ask", Origin.PROJECT] == "built-in prompt"
    assert listed["both", Origin.PROJECT] == "user's prompt"
    assert listed["both", Origin.USER] == listed["theirs", Origin.PROJECT] == ""
    (project / "theirs.md").write_text(good("theirs", "changed"))
    assert "theirs" not in prompt_names()


def test_commands_win_over_prompts() -> None:
    write_prompt(name="doctor")
    listed = {prompt.name: prompt.hidden_by for prompt in list_prompts(commands={"doctor"})}
    assert listed.pop("doctor") == "command"
    assert {*listed.values()} == {""}


def test_files_with_mistakes_are_listed_with_them() -> None:
    write_file(good("fine"), "fine")
    write_file(good("other", "not mine"), "named")
    write_file(good("template") + "\n{{ nosuch }}", "template")
    write_file("nothing", "empty")
    (user_folder() / "folder.md").mkdir()
    write_file(good("_snippet"), "_snippet")
    write_file(good("Big"), "Big")
    listed = {p.name: p for p in list_prompts() if p.origin is Origin.USER}
    errors = {name: str(p.error or "").partition(", ")[2] for name, p in listed.items()}
    assert errors == {
        "empty": "line 1: it does not begin with front matter between two lines of ---",
        "fine": "",
        "named": "line 2: its name is not that of the file",
        "template": "line 6: there is no variable nosuch",
    }
    assert listed["named"].description == "not mine"


@pytest.mark.parametrize(
    "name", ["axk", "../ask", "Ask", "", "a" * 5_000, "ask\n", "a\0", "_language"]
)
def test_an_unknown_prompt_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(UsageError, match="there is no prompt") as caught:
        find_prompt(name)
    assert "ask" in caught.value.hint or name == "_language"
    assert len(caught.value.message) < 200


# ── descriptions without YAML ───────────────────────────────────────────────────────────────


def test_summaries_are_the_descriptions_of_all_shipped_prompts() -> None:
    assert prompt_summaries() == {prompt.name: prompt.description for prompt in list_prompts()}
    assert all(prompt_summaries().values())


@pytest.mark.parametrize(
    ("written", "summary"),
    [
        ("Plain words # and a comment", "Plain words"),
        ("it's 1: x", ""),  # the colon ends a key
        ("words over\n  two lines", "words over two lines"),
        (">-\n  folded\n\n  words\ntakes: [files]", "folded words"),
        ("| # a comment\n  literal\n  words", "literal words"),
        ("'it''s quoted'", "it's quoted"),
        ('"quoted: too"', "quoted: too"),
        ('"escapes are \\u0041"', ""),
        ("[a, list]", ""),
        ("&anchor x", ""),
        ("", ""),
        ("\u202eevil", "\\u{202e}evil"),
    ],
)
def test_a_description_is_read_in_all_usual_ways_of_writing(written: str, summary: str) -> None:
    assert read_summary(write_file(good("own", written))) == summary


@given(st.text(), st.sampled_from(["", "'", '"', ">", "|"]))
def test_a_summary_is_what_the_reader_finds_or_nothing(text: str, style: str) -> None:
    head = yaml.dump(
        {"name": "own", "description": text},
        default_style=style or None,
        allow_unicode=True,
        sort_keys=False,
    )
    path = write_file("", "own")
    path.write_bytes(f"---\n{head}---\n".encode("utf-8", "replace"))
    with suppress(UsageError):  # then the file is no prompt, whatever its summary says
        assert read_summary(path) in ("", find_prompt("own").description)


@pytest.mark.parametrize("text", ["", "description: x", "---\ndescription: x", "---\n---\n"])
def test_a_file_without_front_matter_has_no_summary(text: str) -> None:
    assert read_summary(write_file(text)) == ""
    assert read_summary(user_folder() / "none.md") == ""


def test_fifty_prompts_are_summarized_in_five_milliseconds() -> None:
    for number in range(50):
        name = f"own{number}"
        write_file(good(name, ">-\n  Some\n  words") + "x" * 3_000, name)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        assert prompt_summaries()["own7"] == "Some words"
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.005


def test_summaries_import_nothing_heavy_and_neither_does_finding() -> None:
    code = (
        "import sys\n"
        "from assistant.prompts.summaries import prompt_summaries\n"
        "assert prompt_summaries()['ask']\n"
        "assert 'assistant.prompts.front_matter' not in sys.modules\n"
        "import assistant.prompts.finding\n"
        "assert not {'jinja2', 'yaml', 'secrets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
