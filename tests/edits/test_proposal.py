"""From an attachment and an answer, or a name and an answer, to a proposed file."""

import codecs
import os
import subprocess
from pathlib import Path

import pytest
from edit_words import attached, fenced, one_line
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.edits.proposal import propose_change, propose_file, propose_text
from assistant.errors import InputError
from assistant.messages import Attachment

FIXTURE_ONCE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FENCE = "`" * 30  # longer than any that the texts can hold
TEXTS = st.lists(
    st.sampled_from(
        ["a", "  b", "\tc", "", " ", "```", "# ...", "\x0c\u2028\x85", "é\r", "\ufeff"]
    ),
    max_size=8,
).flatmap(
    lambda lines: st.lists(
        st.sampled_from(["\n", "\r\n", "\r", "\r\r\n", ""]),
        min_size=len(lines),
        max_size=len(lines),
    ).map(lambda ends: "".join(line + end for line, end in zip(lines, ends, strict=True)))
)


def refusal(answer: str, attachment: Attachment) -> str:
    with pytest.raises(InputError) as caught:
        propose_change(attachment, answer)
    return one_line(caught.value)


@FIXTURE_ONCE
@given(text=TEXTS, data=st.data(), is_bare=st.booleans())
def test_an_answer_that_is_the_attached_text_changes_nothing(
    tmp_path: Path, text: str, data: st.DataObject, is_bare: bool
) -> None:
    count = text.count("\n") + 1
    first = data.draw(st.integers(1, count))
    lines = data.draw(st.sampled_from([None, (first, data.draw(st.integers(first, count)))]))
    attachment = attached(tmp_path / "x.py", text.encode(), lines=lines)
    if is_bare and attachment.text.strip():
        answer = attachment.text
    else:
        answer = fenced(attachment.text, mark=FENCE)
    proposal = propose_change(attachment, answer)
    assert proposal.new == text.encode()
    assert proposal.is_unchanged
    assert proposal.diff() == ""


@FIXTURE_ONCE
@given(text=TEXTS, data=st.data())
def test_what_stands_around_the_attached_lines_stays(
    tmp_path: Path, text: str, data: st.DataObject
) -> None:
    lines = text.split("\n")
    first = data.draw(st.integers(1, len(lines)))
    last = data.draw(st.integers(first, len(lines)))
    attachment = attached(tmp_path / "x.py", text.encode(), lines=(first, last))
    new = propose_change(attachment, fenced("new 1\nnew 2\n", mark=FENCE)).new.decode()
    assert new.split("\n")[: first - 1] == lines[: first - 1]
    assert new.endswith("".join("\n" + line for line in lines[last:]))
    assert "new 1" in new


def test_a_method_is_changed_in_its_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old = b"class A:\r\n    def f(self):\r\n        return 2\r\n\r\n    x = 1"
    attachment = attached(tmp_path / "a.py", old, lines=(2, 4))
    proposal = propose_change(attachment, fenced("def f(self):\n    return 1\n"))
    assert proposal.new == old.replace(b"return 2", b"return 1")
    assert proposal.diff() == (
        "--- a/a.py\n+++ b/a.py\n@@ -1,5 +1,5 @@\n class A:\r\n     def f(self):\r\n"
        "-        return 2\r\n+        return 1\r\n \r\n     x = 1\n\\ No newline at end of file\n"
    )
    assert (proposal.shown, proposal.count().added) == ("a.py", 1)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
        ("cp1252", b""),
        ("shift_jis", b""),
    ],
)
def test_encoding_and_mark_stay(tmp_path: Path, encoding: str, mark: bytes) -> None:
    word = "é" if encoding != "shift_jis" else "日本"
    data = mark + f"x = '{word}'\ny = 1\n".encode(encoding)
    attachment = attached(tmp_path / "x.py", data, encoding, mark)
    new = propose_change(attachment, fenced(f"x = '{word}'\ny = 2\n")).new
    assert new == mark + f"x = '{word}'\ny = 2\n".encode(encoding)


def test_a_character_that_the_encoding_lacks_is_named(tmp_path: Path) -> None:
    attachment = attached(tmp_path / "x.py", "é = 1\n".encode("cp1252"), "cp1252")
    assert refusal(fenced("é = '→'\n"), attachment).endswith("in cp1252, which has no → (U+2192)")
    attachment = attached(tmp_path / "x.py", b"e = 1\n")
    assert "U+D800" in refusal(fenced("e = '\ud800'\n"), attachment)


def test_a_file_that_could_not_be_written_back_exactly_is_refused(tmp_path: Path) -> None:
    # The escape sequence that this text ends with means nothing, and would be lost.
    data = b"x = 1\n\x1b$B\x1b(B"
    attachment = attached(tmp_path / "x.py", data, "iso2022_jp")
    assert "byte for byte" in refusal(fenced("x = 2\n"), attachment)


def test_standard_input_is_no_file() -> None:
    assert "stdin is no file" in refusal(fenced("x"), Attachment("stdin", "x", ""))


def test_a_file_name_cannot_forge_what_is_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    attachment = attached(Path("two\nlines\x1b[2J.py"), b"x = 1\n")
    assert propose_change(attachment, fenced("x = 2\n")).shown == "two\\nlines\\x1b[2J.py"


# ── a file for the code alone ───────────────────────────────────────────────────────────────


def file_refusal(name: str, answer: str = "```\nx\n```") -> str:
    with pytest.raises(InputError) as caught:
        propose_file(name, answer)
    return one_line(caught.value)


def test_a_new_file_holds_the_code_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    proposal = propose_file("new.py", fenced("import os\nprint(1)\n"))
    assert (proposal.old, proposal.new) == (None, b"import os\nprint(1)\n")
    assert not proposal.is_unchanged
    assert proposal.diff().startswith("--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,2 @@\n+import os\n")
    assert propose_file("new.py", "print(1)").new == b"print(1)\n"
    assert not (tmp_path / "new.py").exists()


def test_a_file_that_is_there_keeps_mark_encoding_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "old.py"
    path.write_bytes(codecs.BOM_UTF8 + b"a\r\nb\r\n")
    assert propose_file(str(path), fenced("c\nd\n")).new == codecs.BOM_UTF8 + b"c\r\nd\r\n"


def test_a_tilde_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert propose_file("~/x.py", "x").path == tmp_path / "x.py"
    assert "~nobody-of-that-name" in file_refusal("~nobody-of-that-name/x")


def test_what_cannot_be_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\0\1\2")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert "is larger than 64 MiB" in file_refusal(str(tmp_path / "sparse"))
    assert "is a folder" in file_refusal(str(tmp_path / "folder"))
    assert "no file" in file_refusal(f"{tmp_path}/new/")
    assert "is no file" in file_refusal("")
    assert "is a pipe" in file_refusal(str(tmp_path / "pipe"))
    assert "is a device" in file_refusal("/dev/null")
    assert "symbolic link" in file_refusal(str(tmp_path / "loop"))
    assert "is binary" in file_refusal(str(tmp_path / "binary"))
    assert "there is no folder" in file_refusal(str(tmp_path / "no/x.py"))
    assert "there is no folder" in file_refusal(str(tmp_path / "binary/x.py"))
    assert "cannot be written" in file_refusal("a\0b")
    assert "too long" in file_refusal("x" * 300)
    assert "no code" in file_refusal(str(tmp_path / "x.py"), " \n")


def test_a_proposal_applies_with_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    attachment = attached(tmp_path / "x.py", b"\xef\xbb\xbfa\r\nb\n", mark=codecs.BOM_UTF8)
    proposal = propose_change(attachment, fenced("a\nc\nd"))
    subprocess.run(["git", "apply"], input=proposal.diff().encode(), check=True)
    assert (tmp_path / "x.py").read_bytes() == proposal.new == b"\xef\xbb\xbfa\r\nc\r\nd\n"


@FIXTURE_ONCE
@given(text=TEXTS, old=st.none() | st.binary(max_size=20))
def test_a_text_that_is_proposed_stays_as_it_is(
    tmp_path: Path, text: str, old: bytes | None
) -> None:
    file = tmp_path / "notes.md"
    file.unlink(missing_ok=True)
    if old is not None:
        file.write_bytes(old)
    proposal = propose_text(str(file), text)
    assert (proposal.old, proposal.new) == (old, text.encode())
