"""KV states on disk: what was read yesterday is there today, and what is damaged is read again."""

import os
import random
import resource
import shutil
import stat
import time
from pathlib import Path

import pytest
from conftest import SCALE
from msgspec.structs import replace

from assistant.backends.base import ModelSpec, SamplingOptions
from assistant.engine.base import GenerationRequest, Keep
from assistant.engine.local import LocalEngine
from assistant.engine.snapshots import (
    SUFFIX,
    Snapshots,
    clear_snapshots,
    list_snapshots,
    make_room,
    read_head_of,
)
from assistant.events import Finished
from assistant.messages import RawPrompt

COUNT = ", ".join(str(number) for number in range(1, 80)) + ","  # 300 tokens
STATE = b"state" * 1000


def request(text: str = COUNT, new: int = 12) -> GenerationRequest:
    return GenerationRequest(
        RawPrompt(text), SamplingOptions(temperature=0.0), new, ends_repetition=False
    )


def opened(spec: ModelSpec) -> LocalEngine:
    engine = LocalEngine(spec)
    for _ in engine.load():
        pass
    return engine


def asked(engine: LocalEngine, question: GenerationRequest) -> Finished:
    *_, last = engine.stream(question)
    assert isinstance(last, Finished)
    return last


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*/*{SUFFIX}"))


@pytest.fixture
def spec(starter_spec: ModelSpec, tmp_path: Path) -> ModelSpec:
    return replace(starter_spec, snapshots=tmp_path / "kv")


@pytest.fixture(scope="module")
def written(starter_spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the one snapshot that an engine left behind."""
    folder = tmp_path_factory.mktemp("written") / "kv"
    engine = opened(replace(starter_spec, snapshots=folder))
    asked(engine, request())
    engine.close()
    assert len(files(folder)) == 1
    return folder


@pytest.fixture(scope="module")
def whole(starter_engine: LocalEngine) -> str:
    """What follows when nothing is restored."""
    return asked(starter_engine, request()).answers[0].text


# ── an engine and the next one ──────────────────────────────────────────────────────────────


def test_the_next_engine_goes_on_where_the_last_one_ended(
    spec: ModelSpec, written: Path, whole: str
) -> None:
    assert spec.snapshots is not None
    shutil.copytree(written, spec.snapshots)
    engine = opened(spec)
    measure = engine.measure(RawPrompt(COUNT))
    assert measure.tokens_cached == measure.tokens - 2
    unknown = engine.measure(RawPrompt("x" + COUNT)).seconds
    assert unknown is not None
    assert measure.seconds is not None
    assert measure.seconds < unknown / 3  # the speed was kept, too
    finished = asked(engine, request())
    assert finished.usage.cached_tokens == measure.tokens_cached
    assert finished.answers[0].text == whole
    other = COUNT[: len(COUNT) // 2] + " and then"
    assert engine.measure(RawPrompt(other)).tokens_cached > 100  # a part of it serves, too
    engine.close()


def test_only_the_owner_can_read_them(written: Path) -> None:
    (file,) = files(written)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {stat.S_IMODE(p.stat().st_mode) for p in (file.parent, written)} == {0o700}
    (info,) = list_snapshots(written)
    assert info.model == "SmolLM2-135M-Instruct Q4_1"
    assert info.tokens > 256
    assert info.size_bytes == file.stat().st_size


def test_short_prompts_and_what_keeps_nothing_leave_nothing(spec: ModelSpec) -> None:
    assert spec.snapshots is not None
    engine = opened(spec)
    asked(engine, request("1, 2, 3,", 4))
    asked(engine, replace(request(), keep=Keep.NOTHING))
    engine.close()
    assert files(spec.snapshots) == []


def test_what_runs_while_all_is_forgotten_goes_on_and_leaves_nothing(
    spec: ModelSpec, whole: str
) -> None:
    assert spec.snapshots is not None
    engine = opened(spec)
    asked(engine, request(new=2))  # whose state the next one goes on with
    events = iter(engine.stream(request()))
    next(events)
    engine.forget()
    *_, last = events
    assert isinstance(last, Finished)
    assert last.answers[0].text == whole
    assert engine.measure(RawPrompt(COUNT)).tokens_cached == 0
    assert engine.activity.tokens_held == 0
    engine.close()
    assert files(spec.snapshots) == []


def test_without_a_folder_or_without_room_nothing_is_written(
    starter_spec: ModelSpec, tmp_path: Path
) -> None:
    engine = opened(replace(starter_spec, snapshots=tmp_path / "kv", snapshot_bytes=0))
    asked(engine, request(new=2))
    engine.close()
    assert not (tmp_path / "kv").exists()


def test_a_turn_is_written_while_nobody_asks_anything(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.engine import local

    monkeypatch.setattr(local, "IDLE_SECONDS", 0.1)
    assert spec.snapshots is not None
    engine = opened(spec)
    asked(engine, request(new=2))
    end = time.monotonic() + 10
    while not files(spec.snapshots):
        assert time.monotonic() < end
        time.sleep(0.02)
    (first,) = files(spec.snapshots)
    asked(engine, request(new=8))  # most of it is there already: not on every turn
    time.sleep(0.5)
    assert files(spec.snapshots) == [first]
    engine.close()


@pytest.mark.parametrize("fault", ["full", "read-only", "a file", "gone"])
def test_a_disk_that_refuses_costs_nothing(
    spec: ModelSpec, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = spec.snapshots
    assert folder is not None
    if fault == "a file":
        folder.touch()
    elif fault == "full":
        # Writing beyond it fails as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))
    elif fault == "read-only":
        monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(PermissionError))
    engine = opened(spec)
    asked(engine, request(new=2))
    if fault == "gone":
        shutil.rmtree(folder, ignore_errors=True)
    assert asked(engine, request(new=2)).answers[0].token_ids
    engine.close()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert not list(folder.parent.rglob("*.tmp"))
    assert fault == "gone" or not files(folder)


# ── damage ──────────────────────────────────────────────────────────────────────────────────


def damage(data: bytes, draw: random.Random) -> bytes:
    """A flipped bit, a cut, two regions swapped, or bytes too many, at a random place."""
    place = draw.choice([draw.randrange(len(data)), draw.randrange(4096)])
    match draw.randrange(4):
        case 0:
            changed = bytearray(data)
            changed[place] ^= 1 << draw.randrange(8)
            return bytes(changed)
        case 1:
            return data[:place]
        case 2:
            other, size = draw.randrange(len(data) - 64), draw.randrange(1, 64)
            place = min(place, len(data) - 64)
            first, second = sorted((place, other))
            if second - first < size:
                return data[:first] + data[second:]
            a, b = data[first : first + size], data[second : second + size]
            return data[:first] + b + data[first + size : second] + a + data[second + size :]
        case _:
            return data[:place] + os.urandom(8) + data[place:]


def test_damaged_files_are_refused(written: Path, tmp_path: Path) -> None:
    """At full scale 200 of them: none is taken, and none stays."""
    (original,) = files(written)
    data, draw = original.read_bytes(), random.Random(7)
    head = read_head_of(original)
    assert head is not None
    store = Snapshots(tmp_path, 10**9, model="m", fingerprint=head.fingerprint, layout=head.layout)
    target = store._folder / original.name
    target.parent.mkdir(parents=True)
    for _ in range(int(200 * SCALE)):
        damaged = damage(data, draw)
        target.write_bytes(damaged)
        if damaged == data:
            continue
        assert store.load(target, head.ids) is None
        assert not target.exists()
    target.write_bytes(data)
    assert store.load(target, head.ids) == data[-head.state_bytes :]


@pytest.mark.parametrize("place", [100, -1])
def test_beside_a_damaged_file_the_prompt_is_read_again(
    spec: ModelSpec, written: Path, whole: str, place: int
) -> None:
    assert spec.snapshots is not None
    shutil.copytree(written, spec.snapshots)
    (file,) = files(spec.snapshots)
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    engine = opened(spec)
    finished = asked(engine, request(new=6))
    assert finished.usage.cached_tokens == 0
    assert whole.startswith(finished.answers[0].text)
    engine.close()


def test_a_snapshot_of_another_model_or_layout_is_not_taken(tmp_path: Path) -> None:
    def of(fingerprint: str, layout: str) -> Snapshots:
        return Snapshots(tmp_path, 10**9, model="m", fingerprint=fingerprint, layout=layout)

    one = of("a", "f16")
    one.save(range(300), STATE)
    one.close(5)
    (file,) = files(tmp_path)
    ids = tuple(range(300))
    assert of("a", "f16").load(file, ids) == STATE
    for other in (of("b", "f16"), of("a", "q8_0")):
        other._folder.mkdir(exist_ok=True)
        copy = other._folder / file.name
        shutil.copy(file, copy)
        assert other.longest(len) is None
        assert other.load(copy, ids) is None
        assert not copy.exists()


# ── how many ────────────────────────────────────────────────────────────────────────────────


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    store = Snapshots(tmp_path, 3 * 6000, model="m", fingerprint="a", layout="l")
    for start in (0, 1000, 2000):
        store.save(range(start, start + 100), STATE)
        store.close(5)
        time.sleep(0.01)
    first = store.longest(lambda ids: int(ids[0] == 0))
    assert first is not None
    assert store.load(*first) == STATE  # used again: the second is now the oldest
    store.save(range(3000, 3100), STATE)
    store.close(5)
    left = {info.tokens for info in list_snapshots(tmp_path)}
    assert left == {100}
    kept = store.longest(lambda ids: int(ids[0] == 0))
    assert kept == first
    assert store.longest(lambda ids: int(ids[0] == 1000)) is None


def test_a_longer_state_takes_the_place_of_its_beginning(tmp_path: Path) -> None:
    for replaces, count in ((True, 1), (False, 2)):
        folder = tmp_path / str(replaces)
        store = Snapshots(
            folder, 10**9, model="m", fingerprint="a", layout="l", replaces_prefixes=replaces
        )
        store.save(range(100), STATE)
        store.save(range(200), STATE)
        store.close(5)
        assert len(files(folder)) == count


def test_what_another_engine_writes_is_found(tmp_path: Path) -> None:
    one, two = (
        Snapshots(tmp_path, 10**9, model="m", fingerprint="a", layout="l") for _ in range(2)
    )
    assert one.longest(len) is None
    two.save(range(100), STATE)
    two.close(5)
    assert one.longest(len) is not None


def test_leftovers_and_clearing(tmp_path: Path) -> None:
    store = Snapshots(tmp_path, 10**9, model="m", fingerprint="a", layout="l")
    store.save(range(100), STATE)
    store.close(5)
    old = store._folder / ".x.1.tmp"
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    make_room(tmp_path, 10**9)
    assert not old.exists()
    (file,) = files(tmp_path)
    (store._folder / f"junk{SUFFIX}").write_bytes(b"junk")
    assert {info.model for info in list_snapshots(tmp_path)} == {"m", ""}
    size = file.stat().st_size
    assert clear_snapshots(tmp_path) == size + len(b"junk")
    assert list_snapshots(tmp_path) == []
    assert list_snapshots(tmp_path / "nowhere") == []
