"""Where the gigabytes are: each file once, nothing followed, nothing that breaks it."""

import io
import json
import os
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from assistant.doctor import disk
from assistant.doctor.disk import Disk, DiskUse, Row, disk_use, measure
from assistant.doctor.places import hub_folder, hub_models, our_places, packages
from assistant.doctor.showing import write_disk_use, write_disk_use_json

BLOCK = 1 << 16  # whatever a file system's blocks are, a file of this size fills them
MANY = 5_000


def write(path: Path, blocks: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * BLOCK * blocks)
    return path


def blocks_in(*roots: Path) -> int:
    return measure(roots, set())[0] // BLOCK


def sizes(use: DiskUse) -> dict[str, int]:
    return {row.what: row.size_bytes // BLOCK for row in use.rows}


# ── measuring ───────────────────────────────────────────────────────────────────────────────


def test_files_at_any_depth_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "a", 2)
    write(tmp_path / "b" / "c" / "d", 3)
    assert blocks_in(tmp_path) == 5
    assert blocks_in(tmp_path / "a") == 2
    assert blocks_in(tmp_path / "nothing") == 0


def test_links_are_not_followed_and_a_file_of_two_names_counts_once(tmp_path: Path) -> None:
    big = write(tmp_path / "elsewhere" / "big", 9)
    inside = tmp_path / "inside"
    write(inside / "blobs" / "1")
    os.link(inside / "blobs" / "1", inside / "again")
    (inside / "snapshot").symlink_to(inside / "blobs" / "1")
    (inside / "out").symlink_to(big)
    (inside / "folder").symlink_to(big.parent)
    (inside / "round").symlink_to(inside)
    assert blocks_in(inside) == 1
    assert blocks_in(inside / "folder") == 0


def test_holes_take_no_room(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert blocks_in(tmp_path) < 100


class Odd:
    """os.scandir over a folder in which one file vanishes or one folder may not be read."""

    def __init__(self, error: type[OSError]) -> None:
        self._error = error
        self._scandir = os.scandir

    def __call__(self, place: str) -> Any:
        if place.endswith("odd"):
            raise self._error(place)
        return self._scandir(place)


@pytest.mark.parametrize(
    ("error", "is_partial"),
    [(FileNotFoundError, False), (NotADirectoryError, False), (PermissionError, True)],
)
def test_what_cannot_be_read_is_said_and_what_vanishes_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError], is_partial: bool
) -> None:
    write(tmp_path / "a")
    write(tmp_path / "odd" / "b")
    monkeypatch.setattr(os, "scandir", Odd(error))
    size, found = measure([tmp_path], set())
    assert (size // BLOCK, found) == (1, is_partial)


def test_many_files_are_counted_fast(tmp_path: Path) -> None:
    for number in range(MANY):
        if number % 100 == 0:
            folder = tmp_path / str(number)
            folder.mkdir()
        (folder / str(number)).touch()
    started = monotonic()
    measure([tmp_path], set())
    assert monotonic() - started < 2 * MANY / 50_000 + 0.5  # the machine may be busy


# ── places ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def home(private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only our folders and this hub: the libraries of the environment take seconds to count."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(disk, "packages", tuple)
    return private_home


def test_each_kind_of_file_has_its_row_and_none_counts_twice(home: Path) -> None:
    write(home / "data" / "models" / "m.gguf", 9)
    write(home / "data" / "history.db", 2)
    write(home / "data" / "history.db-wal", 1)
    write(home / "data" / "adapters" / "a", 1)
    write(home / "cache" / "torch-1" / "f" / "model.safetensors", 7)
    write(home / "cache" / "kv" / "k", 3)
    write(home / "cache" / "tags.db", 1)
    write(home / "state" / "undo" / "blob", 2)
    write(home / "state" / "llamacpp.log", 1)
    write(home / "state" / "trust.toml", 1)
    write(home / "config" / "prompts" / "p.md", 1)
    use = disk_use(os.environ)
    assert sizes(use) == {
        "models": 9,
        "models converted for PyTorch": 7,
        "KV snapshots": 3,
        "conversations": 3,
        "undo": 2,
        "logs": 1,
        "other data": 1,
        "other caches": 1,
        "other state": 1,
        "settings and prompts": 1,
    }
    assert use.total_bytes == 29 * BLOCK
    by_name = {row.what: row for row in use.rows}
    assert by_name["undo"].to_free.startswith(f"rm -r {home}/state/undo;")
    assert by_name["conversations"].path == home / "data" / "history.db"


def test_nothing_there_means_no_rows_but_disks(home: Path) -> None:
    use = disk_use(os.environ)
    assert use.rows == ()
    assert use.disks[0].size_bytes >= use.disks[0].free_bytes > 0


def test_the_models_of_the_hub_come_largest_first(home: Path, tmp_path: Path) -> None:
    hub = tmp_path / "hf" / "hub"
    small = write(hub / "models--who--small" / "blobs" / "1", 1)
    write(hub / "models--who--large" / "blobs" / "2", 5)
    write(hub / "datasets--who--data" / "blobs" / "3", 9)
    snapshot = hub / "models--who--small" / "snapshots" / "main" / "model.safetensors"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(small)
    rows = disk_use(os.environ).rows
    assert [row.what for row in rows] == ["Hugging Face: who/large", "Hugging Face: who/small"]
    assert [row.size_bytes // BLOCK for row in rows] == [5, 1]
    assert rows[0].to_free == f"rm -r {hub}/models--who--large"


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/a"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
    ],
)
def test_the_hub_is_where_its_variables_say(environment: dict[str, str], folder: str) -> None:
    assert hub_folder(environment) == Path(folder)


def test_a_hub_that_is_not_there_has_no_models(tmp_path: Path) -> None:
    assert list(hub_models(tmp_path / "nothing")) == []


def test_the_packages_of_this_environment_are_found() -> None:
    assert {"starter model", "llama.cpp"} <= {place.what for place in packages()}


def test_names_with_blanks_are_quoted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "my home" / "state" / "undo" / "blob")
    monkeypatch.setenv("LLMCHAT_HOME", str(home / "my home"))
    (undo,) = (place for place in our_places() if place.what == "undo")
    assert f"rm -r '{home}/my home/state/undo'" in undo.to_free


# ── showing ─────────────────────────────────────────────────────────────────────────────────

USE = DiskUse(
    (
        Row(98_000_000, "models\x1b[31m", Path("/home/m"), "rm -r /home/m\x07"),
        Row(4_200_000_000, "logs", Path("/home/" + "l" * 90), "rm it", is_partial=True),
    ),
    (Disk(Path("/"), 20_000_000_000, 50_000_000_000),),
)


def test_the_table_has_sizes_hints_and_totals_and_obeys_nothing() -> None:
    out = io.StringIO()
    write_disk_use(USE, out, columns=60)
    lines = out.getvalue().split("\n")
    assert lines[0] == "    98 MB  models\\x1b[31m  /home/m"
    assert lines[1] == "           -> rm -r /home/m\\x07"
    assert lines[2].endswith("…")
    assert len(lines[2]) == 60
    assert "cannot be read" in lines[3]
    assert lines[5] == "   4.3 GB  in all"
    assert lines[6] == "  20.0 GB  free of 50.0 GB on the disk of /"


def test_pipes_get_whole_paths() -> None:
    out = io.StringIO()
    write_disk_use(USE, out, columns=None)
    assert "l" * 90 in out.getvalue()


def test_json_has_the_same_facts() -> None:
    out = io.StringIO()
    write_disk_use_json(USE, out)
    found = json.loads(out.getvalue())
    assert found["total_bytes"] == 4_298_000_000
    assert found["rows"][1]["is_partial"] is True
    assert found["disks"] == [
        {"path": "/", "free_bytes": 20_000_000_000, "size_bytes": 50_000_000_000}
    ]
