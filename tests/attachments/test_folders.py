"""A folder: its text files as git sees them, in order, bounded, and a line about the rest."""

import os
import random
from pathlib import Path

import pytest

from assistant.attachments import folders
from assistant.attachments.reading import Attached, attach
from assistant.attachments.secret_files import looks_secret
from assistant.errors import InputError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def names(attached: Attached) -> list[str]:
    return [one.name for one in attached.attachments]


def test_all_text_files_come_in_order_and_can_be_written_back(folder: Path) -> None:
    files = ["src/b.py", "src/a/z.py", "src/a.py", "src/a/deep/er/x.rs", "src/a-b.py", "src/é.md"]
    random.Random(1).shuffle(files)
    write({name: f"in {name}\n" for name in files})
    attached = attach(["src"], None)
    assert names(attached) == [
        "src/a/deep/er/x.rs",
        "src/a/z.py",
        "src/a-b.py",
        "src/a.py",
        "src/b.py",
        "src/é.md",
    ]
    assert attached.notices == ()
    for one in attached.attachments:
        assert one.text == f"in {one.name}\n"
        assert one.source is not None
        assert one.source.path == folder / one.name
        assert one.source.data == one.text.encode()
    assert attached.attachments[0].language == "rust"


@pytest.mark.parametrize(("typed", "shown"), [("src/", "src/a.py"), ("./src", "./src/a.py")])
def test_the_path_stays_as_typed(typed: str, shown: str) -> None:
    write({"src/a.py": "1"})
    assert names(attach([typed], None)) == [shown]


def test_what_is_left_out_is_said_in_one_line() -> None:
    write({"src/a.py": "1", "src/.hidden": "1", "src/.cache/x": "1", "src/.git/config": "1"})
    write({"src/1.bin": b"\0", "src/2.bin": b"\0\1", "src/late.bin": b"a" * 8_000 + b"\0"})
    write({"src/.env": "KEY=1", "src/deploy/id_rsa": "1", "src/large.txt": "x" * 200})
    Path("src/link.py").symlink_to("a.py")
    Path("src/loop").symlink_to(".")
    os.mkfifo("src/pipe")
    attached = attach(["src"], None, 100)
    assert names(attached) == ["src/a.py"]
    assert attached.notices == (
        "src: 2 binary files, 2 symbolic links, 1 pipe or device, 2 hidden entries, "
        "large.txt, late.bin (too large) and .env, deploy/id_rsa were left out",
    )


def test_one_thing_left_out_was() -> None:
    write({"src/a.py": "1", "src/b": b"\0"})
    assert attach(["src"], None).notices == ("src: 1 binary file was left out",)


def test_odd_encodings_are_counted_not_listed() -> None:
    write({"src/a.py": "é", "src/b.py": "# é\n".encode("cp1252"), "src/c.py": "1"})
    notice = "read as Windows-1252, because it is not UTF-8"
    assert attach(["src"], None).notices == (f"src/b.py: {notice}",)
    write({"src/c.py": "# ü\n".encode("cp1252")})
    assert attach(["src"], None).notices == (
        "src: 2 files were read as Windows-1252, because they are not UTF-8",
    )


GITIGNORE: dict[str, str | bytes] = {
    "repo/.git/HEAD": "",
    "repo/.gitignore": "*.log\n/build/\n!\n[z-a]\n# comment\nsrc/only_here.txt\r\n",
    "repo/build/made.txt": "1",
    "repo/src/.gitignore": "!keep.log\ngenerated/\n",
    "repo/src/a.log": "1",
    "repo/src/keep.log": "1",
    "repo/src/only_here.txt": "1",
    "repo/src/build/kept.txt": "1",
    "repo/src/generated/x.py": "1",
    "repo/src/deep/.gitignore": "*\n!wanted.py\n",
    "repo/src/deep/wanted.py": "1",
    "repo/src/deep/other.py": "1",
    ".gitignore": "*.py\n",
}


@pytest.mark.parametrize(
    ("name", "inner"),
    [
        ("repo", ["src/build/kept.txt", "src/deep/wanted.py", "src/keep.log"]),
        ("repo/src", ["build/kept.txt", "deep/wanted.py", "keep.log"]),
        ("repo/src/deep", ["wanted.py"]),
        ("repo/build", ["made.txt"]),  # named on purpose
        ("repo/src/generated", ["x.py"]),
    ],
)
def test_every_gitignore_up_to_the_root_of_the_repository_counts(
    name: str, inner: list[str]
) -> None:
    write(GITIGNORE)
    assert names(attach([name], None)) == [f"{name}/{path}" for path in inner]


def test_what_gitignore_names_is_counted() -> None:
    write({"src/.gitignore": "*.log\nout/", "src/a.log": "1", "src/out/b": "1", "src/c": "1"})
    assert attach(["src"], None).notices == (
        "src: 1 hidden entry and 2 entries that .gitignore names were left out",
    )


def test_outside_of_a_repository_only_the_folder_s_own_rules_count() -> None:
    write({".gitignore": "*", "src/.gitignore": "*.log", "src/a.py": "1", "src/b.log": "1"})
    assert names(attach(["src"], None)) == ["src/a.py"]


def test_a_gitignore_that_is_no_file_has_no_rules() -> None:
    write({"src/a.py": "1"})
    os.mkfifo("src/.gitignore")
    assert names(attach(["src"], None)) == ["src/a.py"]


def test_odd_names_are_attached_and_shown_escaped() -> None:
    odd = [os.fsdecode(name) for name in (b"two\nlines.py", b"\x1b[2J.py", b"\xff.py", b"-")]
    write({f"src/{name}": "1" for name in odd})
    attached = attach(["src"], None)
    assert names(attached) == ["src/\\x1b[2J.py", "src/-", "src/two\\nlines.py", "src/\\u{dcff}.py"]
    assert {one.source.path.name for one in attached.attachments if one.source} == set(odd)


def refusal(name: str, max_bytes: int = 10 << 20) -> InputError:
    with pytest.raises(InputError) as caught:
        attach([name], None, max_bytes)
    assert "\n" not in caught.value.message + caught.value.hint
    assert caught.value.hint
    return caught.value


def test_a_folder_without_text_is_refused() -> None:
    write({"none/a": b"\0", "none/.b": "1", "blank/__init__.py": ""})
    Path("empty").mkdir()
    assert refusal("empty").message == "there is no text in empty"
    assert refusal("blank").message == "there is no text in blank"
    assert refusal("none").message == (
        "there is no text in none: 1 binary file and 1 hidden entry were left out"
    )


def test_empty_files_come_along_without_a_word() -> None:
    write({"src/__init__.py": "", "src/a.py": "1"})
    attached = attach(["src"], None)
    assert names(attached) == ["src/__init__.py", "src/a.py"]
    assert attached.notices == ()


def test_all_files_together_have_at_most_the_limit() -> None:
    write({f"src/{part}/{number}.txt": "x" * 100 for part in "ab" for number in range(5)})
    assert len(attach(["src"], None, 1_000).attachments) == 10
    error = refusal("src", 999)
    assert error.message == (
        "src is too much to attach: the first 10 of its 10 files hold more than 0.000952721 MiB"
    )
    assert error.hint == "name parts of it, for example src/a"


def test_a_folder_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MAX_FILES", 3)
    write({f"src/{number}": "1" for number in range(4)})
    assert refusal("src").message == "src is too much to attach: it has more than 3 files"


def test_what_may_not_be_read_or_is_gone_meanwhile_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"src/a.py": "1", "src/b.py": "1", "src/c.py": "1", "src/shut/d": "1", "src/lost/e": "1"})
    real_open, real_scan = os.open, os.scandir

    def open_some(path: str, *rest: int) -> int:
        if path.endswith("b.py"):
            raise PermissionError(13, "Permission denied")
        if path.endswith("c.py"):
            Path(path).unlink()
        return real_open(path, *rest)

    def scan_some(path: str) -> object:
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied")
        if path.endswith("lost"):
            raise FileNotFoundError(2, "No such file")
        return real_scan(path)

    monkeypatch.setattr(os, "open", open_some)
    monkeypatch.setattr(os, "scandir", scan_some)
    attached = attach(["src"], None)
    assert names(attached) == ["src/a.py"]
    assert attached.notices == (
        "src: b.py, shut/ (not readable) and c.py, lost/ (gone meanwhile) were left out",
    )


def test_a_folder_that_may_not_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    Path("src").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    assert refusal("src").message == "src may not be read"


def test_a_link_that_takes_a_file_s_place_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"src/a.py": "1", "src/b.py": "1", "secret": "1"})
    real_open = os.open

    def swap(path: str, *rest: int) -> int:
        if path.endswith("b.py"):
            Path(path).unlink()
            Path(path).symlink_to("../secret")
        return real_open(path, *rest)

    monkeypatch.setattr(os, "open", swap)
    assert names(attach(["src"], None)) == ["src/a.py"]


def test_a_folder_behind_a_link_is_attached_when_it_is_named() -> None:
    write({"real/a.py": "1"})
    Path("link").symlink_to("real")
    assert names(attach(["link"], None)) == ["link/a.py"]


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".env.local",
        "prod.env",
        "server.PEM",
        "tls.key",
        "id_rsa",
        "id_ed25519",
        ".netrc",
        ".npmrc",
        "credentials",
        "credentials.json",
        "secrets.yaml",
        "client_secret_1.json",
    ],
)
def test_the_usual_names_of_secrets_are_known(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "env.py",
        ".env.example",
        "id_rsa.pub",
        "credentials.py",
        "secrets.go",
        "keys.txt",
        "a.pem.md",
    ],
)
def test_code_about_secrets_is_no_secret(name: str) -> None:
    assert not looks_secret(name)
