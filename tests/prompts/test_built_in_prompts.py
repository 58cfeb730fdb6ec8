"""The final text of every built-in prompt, and what they say of themselves."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import UsageError
from assistant.messages import Attachment, Role
from assistant.prompts.contents import fence
from assistant.prompts.finding import find_prompt, list_prompts
from assistant.prompts.folders import prompt_names
from assistant.prompts.prompt_file import Gives, Takes

BUILT_IN = (
    *("ask", "commit", "complete", "explain", "fix", "generate", "review", "summarize"),
    *("test", "translate"),
)
QUICKSORT = Attachment("quicksort.py", "def sort(x):\n    return x\n", "python")
ERRORS = Attachment("stdin", "KeyError: 'a'", "")
CHANGE = Attachment("stdin", "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n", "")
NEEDED = {"translate": {"to": "German"}}  # variables without a default

CODE = "quicksort.py:\n```python\ndef sort(x):\n    return x\n```"
DIFF = f"stdin:\n```diff\n{CHANGE.text}```"
SYSTEM = {
    "ask": "You are a programming assistant. Answer correctly and briefly.",
    "commit": "You write git commit messages. Answer with the message and nothing else.",
    "complete": "You continue code. Answer with one code block that holds only what comes next.",
    "explain": "You explain code to programmers, in plain words and briefly.",
    "fix": (
        "You correct mistakes. Answer with one code block that holds the whole corrected text, "
        "and nothing else."
    ),
    "generate": "You write correct, complete code. Answer with one code block and nothing else.",
    "review": "You find bugs in code.",
    "summarize": (
        "You summarize text and code in a few plain sentences. Leave out what does not matter."
    ),
    "test": "You write unit tests. Answer with one code block and nothing else.",
    "translate": (
        "You translate text between human languages and code between programming languages. "
        "Keep the meaning and the form, and answer with the translation and nothing else."
    ),
}
ONE_LINE = (
    "Write one line of at most 60 characters that says what this change does. "
    "Begin with a verb like Add, Fix, Change or Remove."
)
EXACTLY = "Repeat everything else exactly as it is. Leave nothing out and write no placeholders."
FINDINGS = (
    "Review this. Number your findings, the most serious first: file and line, what goes wrong, "
    "how to correct it."
)
CALLS = (
    "that import this code, call it with different input and check its results. "
    "Do not repeat the code."
)
USER = {
    ("ask", "Why?", ()): "Why?",
    ("ask", "Why?", (QUICKSORT, ERRORS)): f"{CODE}\n\nstdin:\n```\nKeyError: 'a'\n```\n\nWhy?",
    ("commit", "", (CHANGE,)): f"{DIFF}\n\n{ONE_LINE}",
    ("commit", "In German.", (CHANGE,)): f"{DIFF}\n\nIn German.\n\n{ONE_LINE}",
    ("complete", "", (QUICKSORT,)): (
        "```python\ndef sort(x):\n    return x\n```\n\nContinue this code."
    ),
    ("explain", "", (QUICKSORT,)): f"{CODE}\n\nExplain what this code does.",
    ("explain", "Why so slow?", (QUICKSORT,)): f"{CODE}\n\nWhy so slow?",
    ("fix", "", (QUICKSORT,)): f"{CODE}\n\nCorrect the mistakes in this.\n\n{EXACTLY}",
    ("fix", "It sorts nothing.", (QUICKSORT,)): f"{CODE}\n\nIt sorts nothing.\n\n{EXACTLY}",
    ("generate", "A heap", ()): "A heap",
    ("review", "", (CHANGE,)): f"{DIFF}\n\n{FINDINGS}",
    ("review", "Is it safe?", (QUICKSORT,)): f"{CODE}\n\nIs it safe?\n\n{FINDINGS}",
    ("summarize", "", (ERRORS,)): "Summarize this:\n\nstdin:\n```\nKeyError: 'a'\n```",
    ("test", "", (QUICKSORT,)): f"{CODE}\n\nWrite unit tests in python {CALLS}",
    ("test", "With pytest.", (ERRORS,)): (
        f"stdin:\n```\nKeyError: 'a'\n```\n\nWith pytest.\n\nWrite unit tests {CALLS}"
    ),
    ("translate", "", (QUICKSORT,)): f"Translate this to German:\n\n{CODE}",
}


@pytest.mark.parametrize("case", USER, ids=lambda case: f"{case[0]}-{len(case[2])}-{case[1]}")
def test_the_final_text_of_a_built_in_prompt_is_known(
    case: tuple[str, str, tuple[Attachment, ...]],
) -> None:
    name, question, attachments = case
    filled = find_prompt(name).fill(question, attachments, NEEDED.get(name))
    texts = [(message.role, message.text) for message in filled]
    assert texts == [(Role.SYSTEM, SYSTEM[name]), (Role.USER, USER[case])]


def test_every_built_in_prompt_has_a_known_text() -> None:
    assert prompt_names() == BUILT_IN
    assert {name for name, _, _ in USER} == {*SYSTEM} == {*BUILT_IN}


def test_generate_can_be_told_the_language() -> None:
    filled = find_prompt("generate").fill("A heap", variables={"language": "Rust"})
    assert filled[-1].text == "A heap\n\nWrite it in Rust."


def test_translate_has_to_be_told_the_language() -> None:
    prompt = find_prompt("translate")
    filled = prompt.fill("", [ERRORS], {"to": "{{ files }}"})
    assert filled[-1].text.startswith("Translate this to {{ files }}:\n\nstdin:\n")
    for variables in ({}, {"to": " "}):
        with pytest.raises(UsageError, match=r"^translate needs --to LANGUAGE$") as caught:
            prompt.fill("", [ERRORS], variables)
        assert caught.value.hint == "llmchat translate --to German notes.md"


def test_built_in_prompts_say_what_they_take_and_give() -> None:
    prompts = [find_prompt(name) for name in BUILT_IN]
    assert {prompt.name: ({*prompt.needs}, prompt.gives) for prompt in prompts} == {
        "ask": ({Takes.QUESTION}, Gives.MARKDOWN),
        "commit": ({Takes.FILES}, Gives.MARKDOWN),
        "complete": ({Takes.STDIN}, Gives.CODE),
        "explain": ({Takes.FILES}, Gives.MARKDOWN),
        "fix": ({Takes.FILES}, Gives.FILE),
        "generate": ({Takes.QUESTION}, Gives.CODE),
        "review": ({Takes.FILES}, Gives.MARKDOWN),
        "summarize": ({Takes.FILES}, Gives.MARKDOWN),
        "test": ({Takes.FILES}, Gives.CODE),
        "translate": ({Takes.FILES}, Gives.MARKDOWN),
    }
    plain = [prompt.name for prompt in prompts if prompt.is_plain_text]
    assert plain == ["generate", "summarize", "translate"]
    own = [prompt.name for prompt in prompts if prompt.own_language]
    assert own == ["commit", "complete", "fix", "generate", "test", "translate"]


def test_built_in_prompts_are_without_mistakes_and_show_how_they_are_used() -> None:
    for prompt in list_prompts():
        assert prompt.error is None
        examples = find_prompt(prompt.name).examples
        command = "llmchat " if prompt.name == "ask" else f"llmchat {prompt.name} "
        assert examples
        assert all(command in f"{example} " for example in examples)
        assert len(prompt.description) <= 60


@pytest.mark.parametrize(
    ("name", "question", "attachments", "reason", "hint"),
    [
        ("ask", " \n", (), "ask needs a question", 'llmchat "how do I'),
        ("explain", "Why?", (), "explain needs text on standard input or a file", "app.py"),
        ("complete", "", (), "complete needs text on standard input or a file", "complete < "),
        ("complete", "Why?", (QUICKSORT,), "complete takes no question", "complete < "),
        ("summarize", "Why?", (QUICKSORT,), "summarize takes no question", "summarize notes.md"),
        ("review", "", (), "review needs text on", "git diff | llmchat review"),
    ],
)
def test_what_is_needed_must_be_given_and_what_is_not_taken_must_not(
    name: str, question: str, attachments: tuple[Attachment, ...], reason: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=f"^{reason}") as caught:
        find_prompt(name).fill(question, attachments)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", BUILT_IN)
@settings(max_examples=25)  # of each of ten prompts
@given(content=st.text(), question=st.text(alphabet="{}%#x \n`").filter(str.strip))
def test_no_content_is_read_as_a_template(name: str, content: str, question: str) -> None:
    prompt = find_prompt(name)
    asked = question if Takes.QUESTION in prompt.takes else ""
    attachment = Attachment("{{ 7*7 }}", content, "")
    user = prompt.fill(asked, [attachment], NEEDED.get(name))[-1]
    found = {part.source: part.text for part in user.parts}
    assert found["{{ 7*7 }}"] == fence(content, "")
    assert found.get("question", "") == asked


def test_an_installed_package_lists_its_own_prompts_beside_a_foreign_folder(
    tmp_path: Path,
) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    site = tmp_path / "site"
    (site / "prompts").mkdir(parents=True)
    (site / "prompts" / "foreign.md").write_text("---\nname: foreign\ndescription: x\n---\n")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "-q"]
    install += ["--no-compile", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "from assistant.prompts.finding import find_prompt, list_prompts\n"
        "for prompt in list_prompts(): print(prompt.name, prompt.path)\n"
        "print(find_prompt('ask').fill('Why?', language='German')[0].parts[-1].text)"
    )
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    expected = [f"{name} {site}/assistant/prompt_files/{name}.md" for name in BUILT_IN]
    assert listed.stdout.split("\n")[:-1] == [*expected, " Answer in German."]
