"""Answers that are only a part of what they would replace are noticed; other changes are not."""

from pathlib import Path

import pytest
from edit_words import attached, fenced

from assistant.edits.proposal import propose_change, propose_file

LINES = "".join(f"line {number}\n\n" for number in range(10))
CODE = (
    "import os\n\n\ndef a(x):\n    return x\n\n\n@cached\ndef b(x):\n    y = x + 1\n    return y\n"
    "\n\nclass C:\n    def m(self):\n        return 1\n\n    def n(self):\n        return 2\n\n\n"
    "LIMIT = 3\n"
)


def loss(path: Path, old: str, new: str, lines: tuple[int, int] | None = None) -> str:
    attachment = attached(path, old.encode(), lines=lines)
    return propose_change(attachment, fenced(new)).loses_much


def test_most_lines_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    assert loss(path, LINES, "line 0\nline 1\n") == "8 of 10 lines are gone"
    assert loss(path, LINES, "line 0\n" * 5) == ""
    assert loss(path, LINES, "line 0\n" * 4) == "6 of 10 lines are gone"
    assert loss(path, LINES, LINES.replace("line", "other")) == ""
    assert loss(path, "line\n" * 7, "line\n") == ""


def test_definitions_that_are_gone_are_named(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    only_a = "def a(x):\n    return x\n"
    assert loss(path, CODE, only_a) == "11 of 13 lines are gone, among them: b, C"
    without_b = CODE.replace("@cached\ndef b(x):\n    y = x + 1\n    return y\n", "# b\n# b\n")
    assert loss(path, CODE, without_b) == "what it defines is gone: b"
    assert loss(path, CODE, CODE.replace("LIMIT = 3\n", "")) == ""
    assert loss(path, CODE, CODE.replace("import os", "class D:\n    pass")) == ""
    many = "".join(f"def f{number}(): pass\n" for number in range(7))
    assert loss(path, many, "x = 1\n") == "what it defines is gone: f0, f1, f2, f3, f4 and 2 more"


def test_only_the_attached_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    assert loss(path, LINES + "end\n" * 50, "line 0\n", (1, 20)) == "9 of 10 lines are gone"
    code = tmp_path / "code.py"
    assert loss(code, CODE, "def b(x):\n    return x + 1\n", (8, 11)) == ""
    assert loss(code, CODE, "pass\n", (8, 11)) == "what it defines is gone: b"


@pytest.mark.parametrize("name", ["code.js", "code.ts"])
def test_functions_in_variables_count(tmp_path: Path, name: str) -> None:
    old = "const f = () => {\n  return 1\n}\nexport const limit = 2\nconst g = () => 3\n"
    assert loss(tmp_path / name, old, "const g = () => 3\n") == "what it defines is gone: f"


def test_a_file_that_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    assert propose_file(str(path), fenced("x = 1\n")).loses_much == ""
    path.write_text(CODE)
    proposal = propose_file(str(path), fenced("def a(x):\n    return x\n"))
    assert proposal.loses_much == "11 of 13 lines are gone, among them: b, C"
