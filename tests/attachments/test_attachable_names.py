"""What a word on the command line may name; a path that exists wins over every other reading."""

from pathlib import Path

import pytest

from assistant.attachments.names import Named, is_attachable, parse_name
from assistant.attachments.reading import attach


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b:3", "c::d", "e::f:7"):
        Path(name).write_text("def f():\n    pass\n")
    Path("src").mkdir()
    Path("gone").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("a.py", Named("a.py")),
        ("a.py:3", Named("a.py", (3, 3))),
        ("a.py:3-4", Named("a.py", (3, 4))),
        ("a.py:3-", Named("a.py", (3, None))),
        ("a.py::f", Named("a.py", symbol="f")),
        ("a.py::A::f", Named("a.py", symbol="A::f")),
        ("a.py::A.f", Named("a.py", symbol="A.f")),
        ("a.py::", Named("a.py", symbol="")),
        ("b:3", Named("b:3")),
        ("b:3:1", Named("b:3", (1, 1))),
        ("c::d", Named("c::d")),
        ("c::d::f", Named("c::d", symbol="f")),
        ("c::d:1", Named("c::d", (1, 1))),
        ("e::f:7", Named("e::f:7")),
        ("nope.py:3", Named("nope.py", (3, 3))),
        ("nope.py::f", Named("nope.py", symbol="f")),
        ("a.py:x", Named("a.py:x")),
        ("a.py:3-x", Named("a.py:3-x")),
        ("::f", Named("::f")),
        ("a.py:٣", Named("a.py:٣")),
        ("a.py:" + "9" * 5_000, Named("a.py:" + "9" * 5_000)),
    ],
)
def test_a_name_is_read_as_the_longest_path_that_exists(name: str, named: Named) -> None:
    assert parse_name(name) == named


def test_a_file_whose_name_looks_like_a_range_is_attached_whole() -> None:
    attached = attach(["b:3", "c::d"], None).attachments
    assert [one.text.count("\n") for one in attached] == [2, 2]


@pytest.mark.parametrize(
    "name", ["-", "a.py", "src", "src/", "a.py:3", "a.py:999", "a.py::zzz", "b:3"]
)
def test_what_exists_can_be_attached(name: str) -> None:
    assert is_attachable(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nope",
        "nope.py:3",
        "std::vector",
        "src:3",
        "src::f",
        "gone",
        "a.py:x",
        "\0",
        "\0:3",
        "\0::f",
        "x" * 5_000,
        "x" * 5_000 + ":3",
        "~nobody-of-that-name",
        "a.py/b",
        "what is a.py:3 about?",
        "\ud800",
    ],
)
def test_what_does_not_exist_cannot_and_nothing_is_raised(name: str) -> None:
    assert not is_attachable(name)


def test_asking_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.open", lambda *_: 1 / 0)
    monkeypatch.setattr("builtins.open", lambda *_: 1 / 0)
    assert is_attachable("a.py::f")
