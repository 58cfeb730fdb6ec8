"""How a prompt file is read, and how one with mistakes is refused: file, line, key, hint."""

from pathlib import Path

import pytest
from own_prompts import write_prompt

from assistant.config import SamplingChoices
from assistant.errors import UsageError
from assistant.prompts.front_matter import read_prompt
from assistant.prompts.prompt_file import Gives, Variable

# 8 to the power of 20 words, written with anchors.
BOMB = "[&a [x, x, x, x, x, x, x, x]" + "".join(
    f", &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 8)}]" for n in range(20)
)


def test_everything_that_front_matter_says_is_read() -> None:
    prompt = write_prompt(
        head="""\
needs: [files]
gives: file
own_language: true
shows_files: true
plain_text: true
examples:
  - "llmchat own FILE"
  - git diff | llmchat own
sampling: {temperature: 0.5, top_k: 3}
variables:
  reader: a programmer
  depth: 3
  to: {help: "Of people,\\n  not of programs.", metavar: LANGUAGE}
  style: {default: ""}"""
    )
    assert prompt.gives is Gives.FILE
    assert (prompt.own_language, prompt.shows_files, prompt.is_plain_text) == (True, True, True)
    assert prompt.examples == ("llmchat own FILE", "git diff | llmchat own")
    assert prompt.sampling == SamplingChoices(temperature=0.5, top_k=3)
    assert prompt.variables == {
        "reader": Variable("reader", "a programmer", "", "READER"),
        "depth": Variable("depth", "3", "", "DEPTH"),
        "to": Variable("to", None, "Of people, not of programs.", "LANGUAGE"),
        "style": Variable("style", "", "", "STYLE"),
    }


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "own.md"
    path.write_bytes(b"\xef\xbb\xbf---\r\nname: own\r\ndescription: x\r\n---\r\nHello\r\n")
    assert read_prompt(path).fill()[0].text == "Hello"


def test_a_rule_in_the_body_does_not_end_the_front_matter() -> None:
    assert write_prompt("{{ question }}\n---\nmore").fill("a")[0].text == "a\n---\nmore"


def test_what_a_terminal_shows_is_visible() -> None:
    prompt = write_prompt(
        head='examples: ["\\e[2J"]\nvariables: {to: {help: "\\e[2J", metavar: "\\u202e"}}'
    )
    assert prompt.examples == ("\\x1b[2J",)
    assert prompt.variables["to"] == Variable("to", None, "\\x1b[2J", "\\u{202e}")


@pytest.mark.parametrize(
    ("head", "line", "reason", "hint"),
    [
        ("takse: [files]", 5, "unknown key 'takse'", "takes"),
        ("1: x", 5, "unknown key '1'", "known: name, description"),
        ("sampling:\n  temprature: 1", 6, "unknown key 'temprature'", "temperature"),
        ("sampling: {temperature: 9}", 5, "temperature: it takes a number from 0 to 5", ""),
        ("sampling:\n  top_p: 0.5\n  top_k: 1.5", 7, "top_k", ""),
        ("sampling: {top_p: yes}", 5, "top_p", ""),
        ("sampling: {top_p: '0.5'}", 5, "top_p: it takes a number from 0 to 1", ""),
        ("sampling: 3", 5, "sampling has to be a mapping", ""),
        ("\nneeds: [flies]", 6, "needs has 'flies'", "files"),
        ("needs: files", 5, "needs has to be a list", ""),
        ("needs: [{a: 1}]", 5, "needs has a mapping", "files"),
        ("needs: " + BOMB + "]", 5, "needs has a list", ""),
        ("gives: text", 5, "gives has 'text'", "known: markdown, code, file"),
        ("gives: [code]", 5, "gives has a list", ""),
        ("plain_text: 1", 5, "plain_text has to be true or false", ""),
        ("own_language: 'yes'", 5, "own_language has to be true or false", ""),
        ("variables: {question: a}", 5, "cannot be named 'question'", ""),
        ("variables:\n  a: b\n  class: c", 7, "cannot be named 'class'", ""),
        ("variables: {A: c}", 5, "cannot be named 'A'", ""),
        ("variables: {a b: c}", 5, "cannot be named 'a b'", ""),
        ("variables: {a: yes}", 5, "in quotes", ""),
        ("variables: {a: [1]}", 5, "in quotes", ""),
        ("variables:\n  to:\n    hepl: x", 7, "unknown key 'hepl'", "help"),
        ("variables:\n  to:\n    help: 3", 7, "help has to be text", ""),
        ("variables: {to: {default: [1]}}", 5, "in quotes", ""),
        ("examples: llmchat own", 5, "examples has to be a list", ""),
        ("examples: [3]", 5, "a command line", ""),
        ('examples: ["a\\nb"]', 5, "a command line", ""),
        ("system: [a]", 5, "system has to be text", ""),
        ("description: ''", 5, "'description' is there twice", ""),
        ("? [a, b]\n: c", 5, "a key has to be a word", ""),
        ("system: 2001-99-99", 5, "no YAML", ""),
        ("system: 'a", 6, "found unexpected end of stream", ""),
        ("system: " + "[" * 3_000, 1, "no YAML", ""),
        ("system: !!python/object/apply:os.getcwd []", 5, "constructor", ""),
        ("system: " + "x" * 65_536, 1, "larger than 64 KiB", ""),
    ],
)
def test_wrong_front_matter_is_refused_naming_file_line_and_key(
    head: str, line: int, reason: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        write_prompt(head=head)
    place, _, message = caught.value.message.partition(": ")
    assert place.endswith(f"own.md, line {line}")
    assert reason in message
    assert "\n" not in message
    assert len(message) < 200
    assert hint in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"", 1, "does not begin with front matter"),
        (b"no front matter", 1, "does not begin with front matter"),
        (b"---\nname: own\n", 1, "does not begin with front matter"),
        (b"---\n---\n", 1, "no keys"),
        (b"---\n- a\n---\n", 1, "no keys"),
        (b"---\nname: own\n---\n", 1, "description is missing"),
        (b"---\nname: own\ndescription: ''\n---\n", 3, "description has to be text"),
        (b"---\ndescription: x\nname: other\n---\n", 3, "not that of the file"),
        (b"---\nname: own\n\xff", 3, "not UTF-8"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused(
    tmp_path: Path, data: bytes, line: int, reason: str
) -> None:
    path = tmp_path / "own.md"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read_prompt(path)
    assert caught.value.message.startswith(f"{path}, line {line}: ")
    assert reason in caught.value.message
