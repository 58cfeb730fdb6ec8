"""What could be attached: the tree as git sees it, folders as a shell lists them, symbols."""

import os
from pathlib import Path

import pytest

from assistant.attachments.attachable import is_path, list_attachable, list_folder, list_symbols


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*names: str, text: str = "1") -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def test_files_and_folders_are_listed_and_files_are_counted() -> None:
    write("README.md", "src/a.py", "src/deep/b.py", "src/deep/c.py")
    listing = list_attachable()
    assert set(listing.names) == {
        "README.md",
        "src/",
        "src/a.py",
        "src/deep/",
        "src/deep/b.py",
        "src/deep/c.py",
    }
    assert listing.files_below == {"src/": 3, "src/deep/": 2}
    assert not listing.is_cut


def test_ignored_hidden_and_secret_files_are_left_out() -> None:
    write(".git/HEAD", "a.py", "build/x.py", ".env", "id_rsa", ".cache/y", "deploy/prod.env")
    write(".gitignore", text="build/\n")
    Path("link").symlink_to("a.py")
    assert set(list_attachable().names) == {"a.py", "deploy/"}


def test_a_cut_list_has_what_lies_nearest() -> None:
    write("a/b/c/deep.py", "near.py", "a/next.py")
    listing = list_attachable(max_names=3)
    assert listing.is_cut
    assert set(listing.names) == {"near.py", "a/", "a/next.py"} or "a/b/" in listing.names
    assert "a/b/c/deep.py" not in listing.names


def test_a_folder_that_cannot_be_read_has_nothing_in_it() -> None:
    assert list_attachable("no/such/folder").names == ()


@pytest.mark.parametrize("typed", ["/etc", "~/x", ".github/", "../other", "./a", "src/.hidden"])
def test_paths_that_no_list_has_are_told_by_their_form(typed: str) -> None:
    assert is_path(typed)


def test_names_of_the_tree_are_no_such_paths() -> None:
    assert not is_path("src/a.py")


def test_a_folder_is_listed_as_a_person_goes_on_typing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("src/a.py", "src/.hidden", "src/deep/b.py")
    assert list_folder("src/") == ["src/.hidden", "src/a.py", "src/deep/"]
    assert list_folder("./src/") == ["./src/.hidden", "./src/a.py", "./src/deep/"]
    assert list_folder("") == ["src/"]
    monkeypatch.setenv("HOME", str(folder))
    assert list_folder("~/src/")[1] == "~/src/a.py"
    assert list_folder("nothing/") == []
    assert list_folder("\0/") == []


def test_undecodable_names_are_listed_as_they_are(folder: Path) -> None:
    odd = os.fsdecode(b"\xff.py")
    (folder / odd).write_text("1")
    assert list_folder("") == [odd]
    assert list_attachable().names == (odd,)


def test_symbols_come_in_their_order_and_once() -> None:
    text = "class A:\n    def f(self): ...\n    def f(self): ...\n\n\ndef g():\n    pass\n"
    assert [(one.name, one.lines) for one in list_symbols(text, "x/a.py")] == [
        ("A", (1, 3)),
        ("A.f", (2, 2)),
        ("g", (6, 7)),
    ]


def test_a_file_in_an_unknown_language_has_no_symbols() -> None:
    assert list_symbols("hello", "notes.txt") == ()
