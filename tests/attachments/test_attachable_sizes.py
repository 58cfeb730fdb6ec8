"""How large what could be attached is: measured once, until it changes."""

from pathlib import Path

import pytest

from assistant.attachments import measuring
from assistant.attachments.measuring import Size, Sizes

CODE = "def f():\n    return 1\n\n\ndef g():\n    pass\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text(CODE)
    return tmp_path


class Counter:
    """Counts words, and how often it was asked; nobody can count before it is ready."""

    def __init__(self) -> None:
        self.calls = 0
        self.is_ready = True

    def __call__(self, text: str) -> int | None:
        self.calls += 1
        return len(text.split()) if self.is_ready else None


def test_a_look_gives_bytes_and_measuring_lines_and_tokens() -> None:
    sizes = Sizes(Counter())
    assert sizes.known("a.py") is None
    assert sizes.look("a.py") == Size(len(CODE))
    assert sizes.known("a.py") == Size(len(CODE))
    assert sizes.measure("a.py") == Size(len(CODE), 6, 7)
    assert sizes.known("a.py") == sizes.look("a.py") == Size(len(CODE), 6, 7)


def test_a_part_has_lines_and_tokens_of_its_own() -> None:
    sizes = Sizes(Counter())
    assert sizes.look("a.py:1-2") == Size()
    assert sizes.measure("a.py:1-2") == Size(None, 2, 4)
    assert sizes.measure("a.py::g") == Size(None, 2, 3)


def test_a_file_is_measured_again_when_it_has_changed() -> None:
    counter = Counter()
    sizes = Sizes(counter)
    sizes.measure("a.py")
    sizes.measure("a.py")
    assert counter.calls == 1
    Path("a.py").write_text("x")
    assert sizes.look("a.py") == Size(1)
    assert sizes.measure("a.py") == Size(1, 1, 1)
    assert counter.calls == 2


def test_what_could_not_be_counted_is_counted_later() -> None:
    counter = Counter()
    counter.is_ready = False
    sizes = Sizes(counter)
    assert sizes.measure("a.py") == Size(len(CODE), 6, None)
    counter.is_ready = True
    assert sizes.measure("a.py").tokens == 7


def test_large_files_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "LARGEST_COUNTED", 10)
    counter = Counter()
    assert Sizes(counter).measure("a.py") == Size(len(CODE))
    assert counter.calls == 0


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.py:50", "a.py has 6 lines, and no line 50"),
        ("b.bin", "b.bin is binary, not text"),
        ("a.py::h", "a.py has no definition of h"),
    ],
)
def test_what_cannot_be_attached_says_why(name: str, problem: str) -> None:
    Path("b.bin").write_bytes(b"\0\1")
    assert Sizes(Counter()).measure(name).problem == problem


def test_a_folder_and_what_is_gone_have_no_size() -> None:
    Path("src").mkdir()
    sizes = Sizes(Counter())
    assert sizes.measure("src/") == Size()
    assert sizes.look("gone.py") == Size()
    assert sizes.measure("gone.py").problem == "there is no file gone.py"


def test_what_was_not_used_for_long_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "MOST", 2)
    sizes = Sizes(Counter())
    for name in ("1", "2", "3"):
        Path(name).write_text("x")
        sizes.measure(name)
    assert sizes.known("1") is None
    assert sizes.known("3") == Size(1, 1, 1)
