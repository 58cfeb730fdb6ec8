"""Prompt files: the final text of every built-in one, and how others are read and refused."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from assistant import paths
from assistant.config import SamplingChoices
from assistant.errors import UsageError
from assistant.messages import Attachment, Part, Role
from assistant.prompts import (
    Gives,
    PromptFile,
    Takes,
    fence,
    find_prompt,
    list_prompts,
    prompt_names,
    read_prompt,
)

BUILT_IN = ("ask", "complete", "explain", "generate", "summarize", "translate")
QUICKSORT = Attachment("quicksort.py", "def sort(x):\n    return x\n", "python")
ERRORS = Attachment("stdin", "KeyError: 'a'", "")

QUICKSORT_FENCED = "```python\ndef sort(x):\n    return x\n```"
GOLDEN = {
    ("ask", "Why?", ()): [
        (Role.SYSTEM, "You are a programming assistant. Answer correctly and briefly."),
        (Role.USER, "Why?"),
    ],
    ("ask", "Why?", (QUICKSORT, ERRORS)): [
        (Role.SYSTEM, "You are a programming assistant. Answer correctly and briefly."),
        (
            Role.USER,
            f"quicksort.py:\n{QUICKSORT_FENCED}\n\nstdin:\n```\nKeyError: 'a'\n```\n\nWhy?",
        ),
    ],
    ("explain", "", (QUICKSORT,)): [
        (Role.SYSTEM, "You explain code to programmers, in plain words and briefly."),
        (Role.USER, f"quicksort.py:\n{QUICKSORT_FENCED}\n\nExplain what this code does."),
    ],
    ("explain", "Why so slow?", (QUICKSORT,)): [
        (Role.SYSTEM, "You explain code to programmers, in plain words and briefly."),
        (Role.USER, f"quicksort.py:\n{QUICKSORT_FENCED}\n\nWhy so slow?"),
    ],
    ("generate", "A heap", ()): [
        (
            Role.SYSTEM,
            "You write correct, complete code. Answer with one code block and nothing else.",
        ),
        (Role.USER, "A heap"),
    ],
    ("summarize", "", (ERRORS,)): [
        (
            Role.SYSTEM,
            "You summarize text and code in a few plain sentences. Leave out what does not matter.",
        ),
        (Role.USER, "Summarize this:\n\nstdin:\n```\nKeyError: 'a'\n```"),
    ],
    ("translate", "", (QUICKSORT,)): [
        (
            Role.SYSTEM,
            "You translate text between human languages and code between programming languages. "
            "Keep the meaning and the form, and answer with the translation and nothing else.",
        ),
        (Role.USER, f"Translate this to English:\n\nquicksort.py:\n{QUICKSORT_FENCED}"),
    ],
    ("complete", "", (QUICKSORT,)): [
        (
            Role.SYSTEM,
            "You continue code. Answer with one code block that holds only what comes next.",
        ),
        (Role.USER, f"{QUICKSORT_FENCED}\n\nContinue this code."),
    ],
}

WritePrompt = Callable[..., PromptFile]


@pytest.fixture
def write_prompt() -> WritePrompt:
    """Writes a prompt of the user's own, and reads it."""

    def write(
        body: str = "{{ files }} {{ question }}", head: str = "", name: str = "own"
    ) -> PromptFile:
        folder = paths.writable(paths.config_folder() / "prompts")
        start = f"---\nname: {name}\ndescription: x\ntakes: [question, files]\n"
        (folder / f"{name}.md").write_text(f"{start}{head}\n---\n{body}")
        return find_prompt(name)

    return write


def sources(prompt: PromptFile, question: str, *attachments: Attachment) -> list[tuple[str, str]]:
    return [(part.source, part.text) for part in prompt.fill(question, attachments)[-1].parts]


# ── built-in prompts ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case[0]}-{len(case[2])}-{case[1]}")
def test_the_final_text_of_a_built_in_prompt_is_known(
    case: tuple[str, str, tuple[Attachment, ...]],
) -> None:
    name, question, attachments = case
    filled = find_prompt(name).fill(question, attachments)
    assert [(message.role, message.text) for message in filled] == GOLDEN[case]


def test_every_built_in_prompt_has_a_known_text() -> None:
    assert prompt_names() == BUILT_IN
    assert {name for name, _, _ in GOLDEN} == set(BUILT_IN)


def test_generate_can_be_told_the_language() -> None:
    filled = find_prompt("generate").fill("A heap", variables={"language": "Rust"})
    assert filled[-1].text == "A heap\n\nWrite it in Rust."


def test_translate_can_be_told_the_language() -> None:
    filled = find_prompt("translate").fill("", [ERRORS], {"language": "{{ files }}"})
    assert filled[-1].text.startswith("Translate this to {{ files }}:\n\nstdin:\n")


def test_built_in_prompts_say_what_they_take_and_give() -> None:
    kinds = {prompt.name: ({*prompt.needs}, prompt.gives) for prompt in list_prompts()}
    assert kinds == {
        "ask": ({Takes.QUESTION}, Gives.MARKDOWN),
        "explain": ({Takes.FILES}, Gives.MARKDOWN),
        "generate": ({Takes.QUESTION}, Gives.CODE),
        "complete": ({Takes.STDIN}, Gives.CODE),
        "summarize": ({Takes.FILES}, Gives.MARKDOWN),
        "translate": ({Takes.FILES}, Gives.MARKDOWN),
    }
    plain = [prompt.name for prompt in list_prompts() if prompt.is_plain_text]
    assert plain == ["generate", "summarize", "translate"]


def test_parts_name_where_their_text_came_from() -> None:
    assert sources(find_prompt("ask"), "Why?", QUICKSORT, ERRORS) == [
        ("prompt ask", "quicksort.py:\n"),
        ("quicksort.py", QUICKSORT_FENCED),
        ("prompt ask", "\n\nstdin:\n"),
        ("stdin", "```\nKeyError: 'a'\n```"),
        ("prompt ask", "\n\n"),
        ("question", "Why?"),
    ]


@pytest.mark.parametrize("name", BUILT_IN)
@given(content=st.text(), question=st.text(alphabet="{}%#x \n`").filter(str.strip))
def test_no_content_is_read_as_a_template(name: str, content: str, question: str) -> None:
    prompt = find_prompt(name)
    asked = question if Takes.QUESTION in prompt.takes else ""
    found = dict(sources(prompt, asked, Attachment("{{ 7*7 }}", content, "")))
    assert found["{{ 7*7 }}"] == fence(content, "")
    assert found.get("question", "") == asked


@given(st.text(alphabet="`~a\n"))
def test_a_fence_is_longer_than_any_inside(text: str) -> None:
    first, *inside, last = fence(text, "").split("\n")
    assert first == last
    assert not any(first in line for line in inside)
    assert "\n".join(inside).rstrip("\n") == text.rstrip("\n")


# ── prompts of the user ─────────────────────────────────────────────────────────────────────


def test_a_prompt_of_the_user_is_found_beside_the_built_in_ones(write_prompt: WritePrompt) -> None:
    prompt = write_prompt(
        "{% for file in files %}{{ file.name }} ({{ file.language }}): {{ file.text }}{% endfor %}"
        " {{ reader }}: {{ question }}",
        "gives: code\nsampling: {temperature: 0.5, top_k: 3}\nvariables: {reader: you, n: 3}\n"
        "system: |\n  Be {{ reader }}{{ n }}.",
    )
    assert prompt_names() == (*BUILT_IN[:4], "own", *BUILT_IN[4:])
    assert prompt.gives is Gives.CODE
    assert prompt.sampling == SamplingChoices(temperature=0.5, top_k=3)
    system, user = prompt.fill("Why?", [QUICKSORT], {"reader": "me"})
    assert system.text == "Be me3."
    assert user.text == f"quicksort.py (python): {QUICKSORT.text} me: Why?"
    assert user.parts[1] == Part(QUICKSORT.text, "quicksort.py")


def test_a_built_in_prompt_is_not_replaced_by_the_users(write_prompt: WritePrompt) -> None:
    assert write_prompt("Something else", name="ask").path.parent != paths.config_folder()
    assert find_prompt("ask").fill("Why?")[-1].text == "Why?"


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "own.md"
    path.write_bytes(b"\xef\xbb\xbf---\r\nname: own\r\ndescription: x\r\n---\r\nHello\r\n")
    assert read_prompt(path).fill()[0].text == "Hello"


def test_a_rule_in_the_body_does_not_end_the_front_matter(write_prompt: WritePrompt) -> None:
    assert write_prompt("{{ question }}\n---\nmore").fill("a")[0].text == "a\n---\nmore"


@pytest.mark.parametrize(
    ("head", "reason", "hint"),
    [
        ("takse: [files]", "unknown key 'takse'", "takes"),
        ("1: x", "unknown key '1'", "known: description"),
        ("sampling: {temprature: 1}", "unknown key 'temprature'", "temperature"),
        ("sampling: {temperature: 9}", "temperature has to be a number from 0.0 to 5.0", ""),
        ("sampling: {top_k: 1.5}", "top_k", ""),
        ("sampling: {top_p: yes}", "top_p", ""),
        ("sampling: 3", "sampling has to be a mapping", ""),
        ("needs: [flies]", "needs has 'flies'", "files"),
        ("needs: files", "needs has to be a list", ""),
        ("needs: [{a: 1}]", "needs has", ""),
        ("gives: text", "gives has to be one of markdown, code", ""),
        ("gives: [code]", "gives has to be one of", ""),
        ("plain_text: 1", "plain_text has to be true or false", ""),
        ("shows_files: 'yes'", "shows_files has to be true or false", ""),
        ("variables: {question: a}", "cannot be named 'question'", ""),
        ("variables: {a b: c}", "cannot be named 'a b'", ""),
        ("variables: {a: yes}", "in quotes", ""),
        ("variables: {a: [1]}", "in quotes", ""),
        ("system: [a]", "system has to be text", ""),
        ("description: ''", "description has to be text", ""),
        ("name: other", "its name is 'other'", ""),
        ("system: 2001-99-99", "no YAML", ""),
        ("system: 'a", "own.md, line ", ""),
        ("system: " + "[" * 30_000, "own.md", ""),
        ("system: !!python/object/apply:os.getcwd []", "own.md, line 5", ""),
        ("system: " + "x" * 65_536, "larger than 64 KiB", ""),
    ],
)
def test_wrong_front_matter_is_refused_naming_file_and_key(
    write_prompt: WritePrompt, head: str, reason: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        write_prompt(head=head)
    assert "own.md" in caught.value.message
    assert reason in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "data", [b"", b"no front matter", b"---\n---\n", b"---\n- a\n---\n", b"\xff"]
)
def test_a_file_that_is_no_prompt_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "own.md"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"own\.md"):
        read_prompt(path)


@pytest.mark.parametrize(
    "body",
    [
        "{% if %}",
        "{{ nothing }}",
        "{{ question.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 1 / 0 }}",
        "{% for n in range(10**9) %}{% endfor %}",
        "{% include 'ask.md' %}",
    ],
)
def test_a_broken_template_is_a_usage_error_naming_the_file(
    write_prompt: WritePrompt, body: str
) -> None:
    with pytest.raises(UsageError, match=r"own\.md") as caught:
        write_prompt(body).fill("a")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("body", "left_out"),
    [
        ("{{ question }}", "quicksort.py"),
        ("{{ files }}", "question"),
        ("{{ files }}{{ question | upper }}", "question"),
    ],
)
def test_nothing_given_is_left_out_silently(
    write_prompt: WritePrompt, body: str, left_out: str
) -> None:
    with pytest.raises(UsageError, match=f"has no place for {left_out}"):
        write_prompt(body).fill("a", [QUICKSORT])


@pytest.mark.parametrize(
    ("name", "question", "attachments", "reason"),
    [
        ("ask", " \n", (), "ask needs a question"),
        ("explain", "Why?", (), "explain needs text on standard input or a file"),
        ("complete", "", (), "complete needs text on standard input or a file"),
        ("complete", "Why?", (QUICKSORT,), "complete takes no question"),
        ("summarize", "Why?", (QUICKSORT,), "summarize takes no question"),
        ("translate", "", (), "translate needs text on standard input or a file"),
    ],
)
def test_what_is_needed_must_be_given_and_what_is_not_taken_must_not(
    name: str, question: str, attachments: tuple[Attachment, ...], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        find_prompt(name).fill(question, attachments)
    assert f"llmchat {name}" in caught.value.hint


def test_an_unknown_variable_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no variable langauge") as caught:
        find_prompt("generate").fill("A heap", variables={"langauge": "Rust"})
    assert "language" in caught.value.hint


@pytest.mark.parametrize("name", ["axk", "../ask", "Ask", "", "a" * 5_000, "ask\n", "a\0"])
def test_an_unknown_prompt_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(UsageError, match="there is no prompt") as caught:
        find_prompt(name)
    assert "ask" in caught.value.hint


# ── installed ───────────────────────────────────────────────────────────────────────────────


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
        "from assistant.prompts import list_prompts\n"
        "for prompt in list_prompts(): print(prompt.name, prompt.path)"
    )
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    expected = [f"{name} {site}/assistant/prompt_files/{name}.md" for name in BUILT_IN]
    assert listed.stdout.split("\n")[:-1] == expected


def test_importing_prompts_imports_neither_jinja2_nor_yaml() -> None:
    code = "import sys, assistant.prompts; assert not {'jinja2', 'yaml'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
