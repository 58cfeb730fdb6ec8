"""A file behind a symbolic link is named with what is really written."""

from pathlib import Path

import pytest
from edit_words import attached, fenced

from assistant.edits.proposal import find_place, propose_change, propose_file
from assistant.edits.safe_write import write_proposal
from assistant.errors import InputError


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; beside it is another one, there/, with the file x.py."""
    (tmp_path / "work").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_a_link_is_shown_with_its_target(work: Path) -> None:
    target = work.parent / "there" / "x.py"
    (work / "out.py").symlink_to("../there/x.py")
    place = find_place("out.py")
    assert (place.is_link, place.target, place.old) == (True, target, b"x = 1\n")
    assert place.shown == f"out.py (a link to {target})"
    proposal = propose_file("out.py", fenced("x = 2\n"))
    assert (proposal.is_link, proposal.shown) == (True, place.shown)
    proposal = propose_change(attached(Path("out.py"), b"x = 1\n"), fenced("x = 2\n"))
    assert (proposal.is_link, proposal.shown) == (True, place.shown)


def test_a_dangling_link_counts(work: Path) -> None:
    (work / "new\n.py").symlink_to("../there/ne\nw.py")
    place = find_place("new\n.py")
    assert (place.is_link, place.old) == (True, None)
    assert place.shown == f"new\\n.py (a link to {work.parent}/there/ne\\nw.py)"


def test_a_linked_folder_below_the_current_one_counts(work: Path) -> None:
    (work / "src").symlink_to("../there")
    for name in ("src/new.py", str(work / "src" / "new.py")):
        place = find_place(name)
        assert place.is_link
        assert place.shown == f"src/new.py (a link to {work.parent}/there/new.py)"


def test_what_is_no_link_is_shown_by_its_name(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = find_place("out.py")
    assert (place.is_link, place.shown, place.target) == (False, "out.py", work / "out.py")
    (work.parent / "alias").symlink_to("work")  # above the current folder: the user's own way
    monkeypatch.chdir(work.parent / "alias")
    assert not find_place("out.py").is_link
    assert not find_place(str(work.parent / "alias" / "out.py")).is_link


def test_a_link_that_leads_elsewhere_meanwhile_is_left_alone(work: Path) -> None:
    link, other = work / "out.py", work.parent / "there" / "other.py"
    link.symlink_to("../there/x.py")
    other.write_text("x = 1\n")
    proposal = propose_file("out.py", fenced("x = 2\n"))
    link.unlink()
    link.symlink_to("../there/other.py")
    with pytest.raises(InputError, match="leads elsewhere now; it was left alone"):
        write_proposal(proposal)
    assert other.read_text() == "x = 1\n"


def test_a_current_folder_that_is_gone_is_named(work: Path) -> None:
    work.rmdir()
    with pytest.raises(InputError, match="the current folder is gone") as caught:
        find_place("out.py")
    assert caught.value.hint == "cd somewhere else"
    target = work.parent / "there" / "x.py"
    write_proposal(propose_file(str(target), fenced("x = 2\n")))
    assert target.read_text() == "x = 2\n"
