"""Questions, files, variables and a language become messages; nothing is lost on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_prompts import write_prompt

from assistant.errors import UsageError
from assistant.messages import Attachment, Part, Role
from assistant.prompts.contents import fence, looks_like_diff
from assistant.prompts.finding import find_prompt
from assistant.prompts.prompt_file import PromptFile

QUICKSORT = Attachment("quicksort.py", "def sort(x):\n    return x\n", "python")
ERRORS = Attachment("stdin", "KeyError: 'a'", "")
FENCED = "```python\ndef sort(x):\n    return x\n```"
DIFF = "--- a/x y\n+++ b/x y\n@@ -1 +1 @@\n-a\n+b\n"


def sources(prompt: PromptFile, question: str, *attachments: Attachment) -> list[tuple[str, str]]:
    return [(part.source, part.text) for part in prompt.fill(question, attachments)[-1].parts]


def test_parts_name_where_their_text_came_from() -> None:
    assert sources(find_prompt("ask"), "Why?", QUICKSORT, ERRORS) == [
        ("prompt ask", "quicksort.py:\n"),
        ("quicksort.py", FENCED),
        ("prompt ask", "\n\nstdin:\n"),
        ("stdin", "```\nKeyError: 'a'\n```"),
        ("prompt ask", "\n\n"),
        ("question", "Why?"),
    ]


@given(st.text(alphabet="`~a\n"))
def test_a_fence_is_longer_than_any_inside(text: str) -> None:
    first, *inside, last = fence(text, "").split("\n")
    assert first == last
    assert not any(first in line for line in inside)
    assert "\n".join(inside).rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize(
    ("text", "is_diff"),
    [
        (DIFF, True),
        ("diff --git a/b c/b\nold mode 100644\n", True),
        (f"commit 1234\nAuthor: A\n\n    Subject\n\n{DIFF}", True),
        ("--- a list\n+++ of things\n", False),
        ("a diff --git in a sentence", False),
        (" " * 20_000 + f"\n{DIFF}", False),
        ("", False),
    ],
)
def test_a_diff_without_a_name_has_a_fence_that_says_so(text: str, is_diff: bool) -> None:
    assert looks_like_diff(text) == is_diff
    prompt = write_prompt("{{ files }}{% for file in files %}{{ file.language }}{% endfor %}")
    language = "diff" if is_diff else ""
    (user,) = prompt.fill("", [Attachment("stdin", text, "")])
    assert user.text == f"stdin:\n{fence(text, language)}{language}"


def test_a_file_that_holds_a_diff_keeps_its_own_language() -> None:
    (user,) = write_prompt("{{ files }}").fill("", [Attachment("a.txt", DIFF, "text")])
    assert user.text.startswith("a.txt:\n```text\n")


# ── the system message ──────────────────────────────────────────────────────────────────────


def test_the_language_is_said_behind_the_prompts_own_system_message() -> None:
    system, user = find_prompt("ask").fill("Why?", language="German (Deutsch)")
    assert system.parts == (
        Part("You are a programming assistant. Answer correctly and briefly.", "prompt ask"),
        Part(" Answer in German (Deutsch).", "language"),
    )
    assert user.text == "Why?"


def test_the_language_makes_a_system_message_where_there_is_none() -> None:
    system, user = write_prompt("{{ question }}").fill("Why?", language="{{ question }}")
    assert (system.role, system.text) == (Role.SYSTEM, "Answer in {{ question }}.")
    assert user.text == "Why?"


def test_a_prompt_with_a_language_of_its_own_is_not_told_another() -> None:
    prompt = write_prompt("{{ question }}", "own_language: true")
    assert [message.text for message in prompt.fill("Why?", language="German")] == ["Why?"]


def test_the_system_message_of_the_user_replaces_the_prompts_and_is_no_template() -> None:
    prompt = write_prompt("{{ question }}", "system: 'Be terse {{ 1 / 0 }}'")
    system, user = prompt.fill("Why?", system=" {{ question }}\n", language="German")
    assert system.parts == (
        Part("{{ question }}", "system"),
        Part(" Answer in German.", "language"),
    )
    assert user.parts == (Part("Why?", "question"),)


# ── variables ───────────────────────────────────────────────────────────────────────────────


def test_templates_see_variables_and_files_one_by_one() -> None:
    prompt = write_prompt(
        "{% for file in files %}{{ file.name }} ({{ file.language }}): {{ file.text }}{% endfor %}"
        " {{ reader }}: {{ question }}",
        "variables: {reader: you, n: 3}\nsystem: |\n  Be {{ reader }}{{ n }}.",
    )
    system, user = prompt.fill("Why?", [QUICKSORT], {"reader": "me"})
    assert system.text == "Be me3."
    assert user.text == f"quicksort.py (python): {QUICKSORT.text} me: Why?"
    assert user.parts[1] == Part(QUICKSORT.text, "quicksort.py")


def test_a_variable_without_a_default_has_to_be_given() -> None:
    prompt = write_prompt("{{ old_name }} {{ question }}", "variables: {old_name: {help: Now.}}")
    assert prompt.fill("a", variables={"old_name": "b"})[0].text == "b a"
    with pytest.raises(UsageError, match=r"^own needs --old-name OLD_NAME$") as caught:
        prompt.fill("a")
    assert caught.value.hint == 'llmchat own --old-name OLD_NAME FILE "…"'


def test_an_unknown_variable_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no variable langauge") as caught:
        find_prompt("generate").fill("A heap", variables={"langauge": "Rust"})
    assert "language" in caught.value.hint


def test_an_error_suggests_the_first_example() -> None:
    prompt = write_prompt(head="examples: [cat a | llmchat own, llmchat own b]\nneeds: [files]")
    with pytest.raises(UsageError) as caught:
        prompt.fill("a")
    assert caught.value.hint == "cat a | llmchat own"


# ── templates with mistakes ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "template",
    [
        "{% if %}",
        "{{ nothing }}",
        "{{ question.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 1 / 0 }}",
        "{% for n in range(10**9) %}{% endfor %}",
        "{% include 'ask.md' %}",
        "{% raw %} x",
        "{{ '" + "(" * 3 + "' | nosuch }}",
    ],
)
def test_a_broken_template_is_a_usage_error_naming_file_and_line(template: str) -> None:
    in_body = write_prompt(f"{{{{ question }}}}\n\n{template}\n")
    in_system = write_prompt("{{ question }}", f"system: |\n  Be\n  terse.\n  {template}", "two")
    for prompt, line in ((in_body, 9), (in_system, 8)):
        with pytest.raises(UsageError) as caught:
            prompt.fill("a")
        assert caught.value.message.startswith(f"{prompt.path}, line {line}: ")
        assert "\n" not in caught.value.message
        assert caught.value.hint


def test_a_misspelt_variable_is_refused_with_the_nearest_before_anything_is_filled() -> None:
    prompt = write_prompt("{{ question }}\n{{ quesiton }}")
    with pytest.raises(UsageError, match="line 8: there is no variable quesiton") as caught:
        prompt.check_templates()
    assert caught.value.hint == "did you mean question?"


@pytest.mark.parametrize(
    ("body", "left_out"),
    [
        ("{{ question }}", "quicksort.py"),
        ("{{ files }}", "question"),
        ("{{ files }}{{ question | upper }}", "question"),
    ],
)
def test_nothing_given_is_left_out_silently(body: str, left_out: str) -> None:
    with pytest.raises(UsageError, match=f"has no place for {left_out}"):
        write_prompt(body).fill("a", [QUICKSORT])
