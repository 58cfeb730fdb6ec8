"""Files as attachments: what is read, how it is decoded, and how the rest is refused."""

import codecs
import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.attachments.decoding import Decoded, decode_text
from assistant.attachments.languages import language_of
from assistant.attachments.reading import Attached, attach
from assistant.errors import InputError
from assistant.messages import Attachment, SourceFile


def refusal(name: str, max_bytes: int = 10 << 20) -> InputError:
    with pytest.raises(InputError) as caught:
        attach([name], None, max_bytes)
    assert "\n" not in caught.value.message + caught.value.hint
    assert caught.value.hint
    return caught.value


def only(attached: Attached) -> Attachment:
    [attachment] = attached.attachments
    return attachment


def test_a_source_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "quick sort.py"
    data = "é = '{{ x }}'\r\n\x0c\u2028end".encode()
    path.write_bytes(data)
    attached = attach([str(path)], None)
    text = "é = '{{ x }}'\r\n\x0c\u2028end"
    assert only(attached) == Attachment(str(path), text, "python", SourceFile(path, data))
    assert attached.notices == ()


def test_the_source_is_what_writes_the_file_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for data in (
        codecs.BOM_UTF16_LE + "a\r\né".encode("utf-16-le"),
        "# déjà vu\n".encode("cp1252"),
    ):
        Path("old.py").write_bytes(data)
        attachment = only(attach(["old.py"], None))
        source = attachment.source
        assert source is not None
        assert source.path == tmp_path / "old.py"
        assert source.mark + attachment.text.encode(source.encoding) == data == source.data


def test_the_name_stays_as_typed_and_a_tilde_is_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.rs").write_text("fn main() {}")
    assert only(attach(["~/a.rs"], None)).name == "~/a.rs"


@given(st.text())
def test_any_utf8_text_comes_back_unless_a_nul_is_in_it(text: str) -> None:
    if "\0" in text:
        with suppress(InputError):  # unless it reads as UTF-16, as "0\0" does
            assert decode_text(text.encode(), "x").encoding.startswith("utf-16")
    elif not text.startswith("\ufeff"):
        assert decode_text(text.encode(), "x") == Decoded(text)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_input_error_or_text_that_gives_them_back(data: bytes) -> None:
    with suppress(InputError):
        decoded = decode_text(data, "x")
        assert decoded.mark + decoded.text.encode(decoded.encoding) == data


@pytest.mark.parametrize(
    ("data", "notice"),
    [
        (codecs.BOM_UTF8 + "naïve 🙂".encode(), ""),
        (codecs.BOM_UTF16_LE + "naïve 🙂".encode("utf-16-le"), "UTF-16"),
        (codecs.BOM_UTF16_BE + "naïve 🙂".encode("utf-16-be"), "UTF-16"),
        (codecs.BOM_UTF32_LE + "naïve 🙂".encode("utf-32-le"), "UTF-32"),
    ],
)
def test_a_byte_order_mark_decides_and_is_dropped(data: bytes, notice: str) -> None:
    decoded = decode_text(data, "x")
    assert decoded.text == "naïve 🙂"
    assert notice in decoded.notice


@pytest.mark.parametrize(
    "data",
    [b"\x7fELF\0\0", b"a" * 8_000 + b"\0", bytes(range(128, 256)) * 8, b"\xff\xfe\x00\xd8\x00"],
)
def test_binary_data_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"is binary|begins like UTF-16"):
        decode_text(data, "x")


def test_a_nul_far_inside_a_text_is_no_reason_to_refuse_it() -> None:
    assert decode_text(b"a" * 9_000 + b"\0", "x").notice == ""


def test_the_limit_counts_bytes_exactly(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"a" * 1_024)
    assert len(only(attach([str(path)], None, 1_024)).text) == 1_024
    assert "larger than" in refusal(str(path), 1_023).message


def test_a_sparse_terabyte_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "sparse.bin"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert "larger than 10 MiB" in refusal(str(path)).message


def test_an_empty_file_is_an_attachment_with_a_notice(tmp_path: Path) -> None:
    (tmp_path / "empty.py").touch()
    attached = attach([str(tmp_path / "empty.py")], None)
    assert only(attached).text == ""
    assert attached.notices == (f"{tmp_path}/empty.py: it is empty",)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux has /proc")
def test_files_that_claim_no_size_are_read() -> None:
    assert "Name:" in only(attach(["/proc/self/status"], None)).text


def test_utf16_without_a_mark_is_read_where_it_is_clear() -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        decoded = decode_text("int größe; // 你好\r\n".encode(encoding), "x")
        assert (decoded.text, decoded.encoding) == ("int größe; // 你好\r\n", encoding)
        assert "UTF-16" in decoded.notice
    for data in (b"\1\0\2\0\3\0", b"a\0b\0c", b"\0a\0b\0\0", b"a\0\0\xd8"):
        with pytest.raises(InputError, match="is binary"):
            decode_text(data, "x")


def test_a_missing_file_is_answered_with_the_nearest_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("quicksort.py", "quick_sort.py", "other.txt"):
        (tmp_path / name).touch()
    error = refusal("quiksort.py")
    assert error.message == "there is no file quiksort.py"
    assert error.hint.startswith("did you mean quicksort.py")
    assert "other" not in error.hint
    assert refusal("zzz").hint == "look what is there: ls ."
    assert "no folder nowhere either" in refusal("nowhere/a.py").hint


def test_what_is_no_regular_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert "is a socket" in refusal(str(tmp_path / "socket")).message
    assert "is a pipe" in refusal(str(tmp_path / "pipe")).message
    assert "is a device" in refusal("/dev/zero").message


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret").touch()
    monkeypatch.setattr(os, "open", refuse)
    assert "may not be read" in refusal(str(tmp_path / "secret")).message


@pytest.mark.parametrize("name", ["\0", "x" * 5_000, "~nobody-of-that-name/x", "", "a/../.."])
def test_odd_names_are_refused_in_one_line(name: str) -> None:
    refusal(name)


def test_names_with_newlines_and_broken_utf8_are_shown_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"two\nlines\x1b[2J \xff.py")
    Path(name).write_text("pass")
    attachment = only(attach([name], None))
    assert attachment.name == "two\\nlines\\x1b[2J \\u{dcff}.py"
    assert attachment.language == "python"
    attachment.name.encode()
    assert "\\n" in refusal("no\nsuch").message


def test_a_dash_is_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_text("from a pipe")
    with path.open("rb") as stream:
        attached = attach(["-", "-"], stream)
    assert only(attached) == Attachment("stdin", "from a pipe", "")
    with pytest.raises(InputError, match="nothing on standard input"):
        attach(["-"], None)


def test_what_is_named_twice_is_attached_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("def f():\n    pass\n")
    Path("b.py").write_text("x\n")
    Path("link.py").symlink_to("a.py")
    names = ["a.py", "b.py", "./a.py", "link.py", ".", "a.py:1-2", "a.py::f", "a.py"]
    attached = attach(names, None)
    assert [one.name for one in attached.attachments] == ["a.py", "b.py", "a.py:1-2"]


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a/b.py", "python"),
        ("A.PY", "python"),
        ("Makefile", "makefile"),
        ("Dockerfile", "dockerfile"),
        ("x.tar.gz", ""),
        ("py", ""),
        ("", ""),
        (".bashrc", "bash"),
        ("dir.py/file", ""),
    ],
)
def test_the_language_follows_from_the_name(name: str, language: str) -> None:
    assert language_of(name) == language
