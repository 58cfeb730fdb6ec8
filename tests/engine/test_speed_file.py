"""What was learnt of the speed outlives the engine; a file that is odd is as good as none."""

import json
import stat
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from assistant.backends.base import Abilities, BackendInfo, ModelSpec
from assistant.engine import local
from assistant.engine.base import Engine, GenerationRequest
from assistant.engine.local import LocalEngine
from assistant.engine.reading_speed import CALLS, Call, Learnt
from assistant.engine.snapshots import clear_snapshots, list_snapshots, make_room
from assistant.engine.speed_file import LONGEST, MOST_FILES, SpeedFile
from assistant.messages import RawPrompt

INFO = BackendInfo(
    name="m",
    fingerprint="weights",
    parameters=10**9,
    size_bytes=1,
    window=100,
    device="CPU",
    quantisation="Q4",
    template_hash="",
    abilities=Abilities(trims=True, grammar=True, candidates=True, chat=True),
    build="a build",
)
LEARNT = Learnt((Call(300, 45_000, 0.5), Call(20, 190, 0.04)), (0.0, 0.002), 1e-5, None)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("speed-*.json"))


def test_what_was_written_is_read_by_the_same_weights_and_build_alone(tmp_path: Path) -> None:
    SpeedFile(tmp_path / "new", INFO).write(LEARNT)
    assert SpeedFile(tmp_path / "new", INFO).read() == LEARNT
    assert SpeedFile(tmp_path / "new", replace(INFO, window=200)).read() == LEARNT
    for other in (replace(INFO, fingerprint="x"), replace(INFO, build="x")):
        assert SpeedFile(tmp_path / "new", other).read() is None
    (file,) = files(tmp_path / "new")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_longest_file_is_read(tmp_path: Path) -> None:
    calls = (Call(10**7, 10**14, 1 / 3),) * CALLS
    SpeedFile(tmp_path, INFO).write(replace(LEARNT, calls=calls))
    found = SpeedFile(tmp_path, INFO).read()
    assert found is not None
    assert found.calls == calls


def test_nothing_new_is_not_written(tmp_path: Path) -> None:
    file = SpeedFile(tmp_path, INFO)
    file.write(Learnt())
    assert files(tmp_path) == []
    file.write(LEARNT)
    files(tmp_path)[0].unlink()
    file.write(LEARNT)
    assert files(tmp_path) == []
    file.write(replace(LEARNT, starts=()))
    assert len(files(tmp_path)) == 1


ODD = {
    "empty": b"",
    "no JSON": b"\xff{",
    "a list": b"[]",
    "another version": json.dumps({"version": 2, "learnt": {}}).encode(),
    "a field too many": json.dumps({"version": 1, "learnt": {"more": 1}}).encode(),
    "no seconds": json.dumps({"version": 1, "learnt": {"calls": [[300, 45, 0.0]]}}).encode(),
    "negative": json.dumps({"version": 1, "learnt": {"calls": [[-1, 45, 1.0]]}}).encode(),
    "infinite": b'{"version": 1, "learnt": {"calls": [[300, 45, 1e999]]}}',
    "not a number": b'{"version": 1, "learnt": {"calls": [[300, 45, NaN]]}}',
    "too many": json.dumps({"version": 1, "learnt": {"calls": [[3, 3, 1.0]] * 65}}).encode(),
    "too long": b" " * LONGEST + json.dumps({"version": 1, "learnt": {}}).encode(),
    "deep": b'{"version": 1, "learnt": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_an_odd_file_is_ignored_and_replaced(tmp_path: Path, data: bytes) -> None:
    file = SpeedFile(tmp_path, INFO)
    file.write(LEARNT)
    files(tmp_path)[0].write_bytes(data)
    again = SpeedFile(tmp_path, INFO)
    assert again.read() is None
    again.write(LEARNT)
    assert SpeedFile(tmp_path, INFO).read() == LEARNT


def test_what_cannot_be_read_or_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blocked = SpeedFile(tmp_path / "file", INFO)
    assert blocked.read() is None
    blocked.write(LEARNT)
    file = SpeedFile(tmp_path, INFO)
    file.write(LEARNT)
    (path,) = files(tmp_path)
    path.unlink()
    path.mkdir()
    assert SpeedFile(tmp_path, INFO).read() is None
    SpeedFile(tmp_path, INFO).write(LEARNT)
    assert not list(tmp_path.glob(".*tmp"))


def test_the_files_are_few(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 3):
        SpeedFile(tmp_path, replace(INFO, build=f"build {number}")).write(LEARNT)
        time.sleep(0.002)
    assert len(files(tmp_path)) == MOST_FILES
    assert SpeedFile(tmp_path, replace(INFO, build="build 0")).read() is None
    assert SpeedFile(tmp_path, replace(INFO, build=f"build {MOST_FILES + 2}")).read() == LEARNT


def test_snapshots_and_speeds_leave_each_other_alone(tmp_path: Path) -> None:
    SpeedFile(tmp_path, INFO).write(LEARNT)
    make_room(tmp_path, 0)
    assert list_snapshots(tmp_path) == []
    assert clear_snapshots(tmp_path) == 0
    assert SpeedFile(tmp_path, INFO).read() == LEARNT


# ── an engine and the next one ──────────────────────────────────────────────────────────────

PROMPT = RawPrompt("1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,")


def opened(spec: ModelSpec) -> LocalEngine:
    engine = LocalEngine(spec)
    for _ in engine.load():
        pass
    return engine


def ask(engine: Engine) -> None:
    for _ in engine.stream(GenerationRequest(PROMPT, max_new_tokens=2)):
        pass


def test_the_next_engine_predicts_before_it_has_read_anything(
    starter_spec: ModelSpec, tmp_path: Path
) -> None:
    spec = replace(starter_spec, snapshots=tmp_path / "kv")
    engine = opened(spec)
    assert engine.measure(PROMPT).seconds is None
    ask(engine)
    expected = engine.measure(RawPrompt(PROMPT.text * 20)).seconds
    engine.close()
    assert len(files(tmp_path / "kv")) == 1
    again = opened(spec)
    assert again.measure(RawPrompt(PROMPT.text * 20)).seconds == pytest.approx(expected, rel=0.1)
    again.close()


def test_speeds_are_kept_while_nobody_asks(
    starter_spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "IDLE_SECONDS", 0.05)
    engine = opened(replace(starter_spec, snapshots=tmp_path / "kv"))
    ask(engine)
    end = time.monotonic() + 10
    while not files(tmp_path / "kv"):
        assert time.monotonic() < end
        time.sleep(0.01)
    engine.close()


@pytest.mark.parametrize("room", [None, 0])
def test_where_no_snapshots_are_kept_no_speeds_are(
    starter_spec: ModelSpec, tmp_path: Path, room: int | None
) -> None:
    folder = None if room is None else tmp_path / "kv"
    engine = opened(replace(starter_spec, snapshots=folder, snapshot_bytes=0))
    ask(engine)
    assert engine.measure(PROMPT).seconds is not None
    engine.close()
    assert list(tmp_path.iterdir()) == []
