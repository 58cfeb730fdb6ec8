"""The engine in a process of its own: how it comes, stays and goes, and who gets which one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from msgspec.structs import replace
from resident_engines import (
    GREEDY,
    OpenResident,
    answer_of,
    asked,
    end_of,
    finished,
    has_ended_within,
    living_engines,
    only_engine,
    open_resident,
    resident_home,
)

from assistant import paths
from assistant.backends.base import Backend, ModelSpec, OnProgress
from assistant.backends.open import open_backend
from assistant.engine import address as address_module
from assistant.engine import spawn
from assistant.engine.address import Address
from assistant.engine.lifetime import Lifetime
from assistant.engine.neighbours import neighbours
from assistant.engine.reception import Reception
from assistant.engine.wire import EngineStatus
from assistant.errors import EngineFailed, ModelError, NotEnoughMemory, UsageError
from assistant.events import Reason, TextChunk
from assistant.messages import RawPrompt

COUNT = ", ".join(map(str, range(1, 21))) + ","
__all__ = ["open_resident", "resident_home"]


def status_of(engine_count: int = 1) -> EngineStatus:
    found = neighbours()
    assert len(found) == engine_count
    assert found[0].status is not None
    return found[0].status


# ── coming, staying, going ──────────────────────────────────────────────────────────────────


def test_a_second_front_end_finds_the_model_loaded(open_resident: OpenResident) -> None:
    first = open_resident()
    wrote = answer_of(first.stream(asked(COUNT))).text
    first.close()
    second = open_resident(is_loaded=False)
    assert list(second.load()) == []  # nothing to tell: it was loaded
    again = finished(second.stream(asked(COUNT)))
    assert again.answers[0].text == wrote
    assert again.usage.cached_tokens > 0
    assert len(living_engines()) == 1


def test_only_who_started_it_is_told_what_stays(open_resident: OpenResident) -> None:
    first, second = open_resident(keep_alive=60), open_resident(keep_alive=60)
    assert first.kept is not None
    assert first.kept.seconds == 60
    assert first.kept.memory_bytes > 10**8
    assert second.kept is None


def test_one_that_has_just_gone_keeps_nothing(open_resident: OpenResident) -> None:
    engine = open_resident()
    engine.close()
    assert engine.kept is None


def test_a_dead_socket_is_removed_by_whoever_finds_it(open_resident: OpenResident) -> None:
    open_resident()
    neighbour = only_engine()
    os.kill(neighbour.pid, signal.SIGKILL)
    assert has_ended_within(neighbour.pid, 5)
    assert neighbour.address.socket.exists()
    assert neighbours() == []
    assert not neighbour.address.socket.exists()


def test_without_keep_alive_it_goes_with_the_last_who_is_here(open_resident: OpenResident) -> None:
    first, second = open_resident(keep_alive=0), open_resident(keep_alive=0)
    assert first.kept is None
    pid = only_engine().pid
    first.close()
    assert not has_ended_within(pid, 1.5)
    assert answer_of(second.stream(asked("1, 2, 3,", 2))).reason is Reason.LENGTH
    second.close()
    assert has_ended_within(pid, 5)
    assert neighbours() == []


def test_it_ends_when_nobody_has_asked_for_a_while(open_resident: OpenResident) -> None:
    engine = open_resident(keep_alive=0.5)
    assert has_ended_within(only_engine().pid, 5)
    # Who is still here does not notice: what is asked next starts another one.
    assert answer_of(engine.stream(asked("1, 2, 3,", 2))).reason is Reason.LENGTH


def test_it_stays_while_it_works(open_resident: OpenResident) -> None:
    engine = open_resident(keep_alive=0.2)
    assert len(answer_of(engine.stream(asked("1, 2, 3,", 150))).token_ids) == 150


def test_minus_one_is_for_ever(open_resident: OpenResident) -> None:
    open_resident(keep_alive=0.1)
    open_resident(keep_alive=-1).close()  # who spoke last
    assert not has_ended_within(only_engine().pid, 2.5)


def test_one_that_nobody_can_find_any_more_goes(open_resident: OpenResident) -> None:
    open_resident(keep_alive=-1)
    neighbour = only_engine()
    neighbour.address.socket.unlink()  # as a logout does
    assert has_ended_within(neighbour.pid, 5)


def test_nobody_waits_for_a_model_that_nobody_wants(open_resident: OpenResident) -> None:
    engine = open_resident(is_loaded=False)
    loading = engine.load()
    (pid,) = living_engines()
    next(loading)
    assert isinstance(loading, Generator)
    loading.close()
    assert has_ended_within(pid, 5)


def test_one_that_is_still_loading_forgets_when_it_is_ready(open_resident: OpenResident) -> None:
    engine = open_resident(is_loaded=False)
    loading = engine.load()
    assert only_engine().forget()
    list(loading)
    assert status_of().activity.tokens_held == 0


def test_a_model_that_cannot_be_loaded_says_so_and_leaves_nothing(
    open_resident: OpenResident, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 100)
    engine = open_resident(spec=ModelSpec(broken, threads=1), is_loaded=False)
    with pytest.raises(ModelError, match=r"broken\.gguf"):
        list(engine.load())
    with pytest.raises(ModelError, match=r"broken\.gguf"):
        engine.tokenize("a")
    end = time.monotonic() + 5
    while living_engines() and time.monotonic() < end:
        time.sleep(0.05)
    assert not living_engines()


def test_stopping_ends_what_runs_and_keeps_its_text(open_resident: OpenResident) -> None:
    engine = open_resident()
    stream = engine.stream(asked("1, 2, 3,", 2000))
    events = iter(stream)
    said = ""
    while len(said) < 10:
        event = next(events)
        said += event.text if isinstance(event, TextChunk) else ""
    assert only_engine().stop()
    last = end_of(events)
    assert last.answers[0].reason is Reason.FAILED
    assert last.answers[0].text.startswith(said)


# ── which engine ────────────────────────────────────────────────────────────────────────────


def test_each_window_has_an_engine_and_sampling_needs_no_other(
    open_resident: OpenResident, starter_spec: ModelSpec
) -> None:
    engine = open_resident()
    other = open_resident(spec=replace(starter_spec, window=1024))
    assert engine.info.window != other.info.window
    warm = replace(GREEDY, temperature=1.0)
    answer_of(engine.stream(replace(asked("1, 2,", 2), sampling=warm)))
    assert len(living_engines()) == 2


def test_another_build_is_left_alone_and_ends_when_it_is_idle(
    open_resident: OpenResident, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(address_module, "_build", lambda: "00000000")
        old = open_resident()
    old_pid = only_engine().pid
    writing = iter(old.stream(asked("1, 2, 3,", 150)))
    next(writing)
    new = open_resident()
    assert answer_of(new.stream(asked("1, 2, 3,", 2))).reason is Reason.LENGTH
    assert end_of(writing).answers[0].reason is Reason.LENGTH
    assert has_ended_within(old_pid, 5)
    assert len(neighbours()) == 1


def test_a_model_file_that_was_replaced_gets_a_new_engine(
    open_resident: OpenResident, starter_spec: ModelSpec, tmp_path: Path
) -> None:
    path, copy = tmp_path / "model.gguf", tmp_path / "new.gguf"
    shutil.copy(starter_spec.path, path)
    spec = ModelSpec(path, threads=1)
    old = open_resident(spec=spec)
    old_pid = only_engine().pid
    shutil.copy(path, copy)
    copy.replace(path)
    answer_of(old.stream(asked("1, 2,", 2)))  # goes on with what it has loaded
    open_resident(spec=spec)
    assert has_ended_within(old_pid, 5)
    assert len(neighbours()) == 1


def test_an_idle_engine_makes_room_for_another_model(
    open_resident: OpenResident, starter_spec: ModelSpec
) -> None:
    open_resident()
    pid = only_engine().pid

    def open_if_alone(spec: ModelSpec, on_progress: OnProgress) -> Backend:
        if neighbours():
            raise NotEnoughMemory("model B needs 9 GB and 1 GB is free")
        return open_backend(spec, on_progress)

    other = Address(only_engine().address.socket.with_name("1-2-3.sock"))
    reception = Reception(starter_spec, other, Lifetime(), open_if_alone)
    reception.open_engine()
    assert reception.failure is None
    assert has_ended_within(pid, 1)
    reception.close(0)


def test_a_busy_engine_does_not_and_who_holds_what_is_said(
    open_resident: OpenResident, starter_spec: ModelSpec
) -> None:
    engine = open_resident()
    writing = iter(engine.stream(asked("1, 2, 3,", 200)))
    next(writing)

    def refuse(_spec: ModelSpec, _on_progress: OnProgress) -> Backend:
        raise NotEnoughMemory("model B needs 9 GB and 1 GB is free")

    other = Address(only_engine().address.socket.with_name("1-2-3.sock"))
    reception = Reception(starter_spec, other, Lifetime(), refuse)
    reception.open_engine()
    assert isinstance(reception.failure, NotEnoughMemory)
    assert "9 GB" in reception.failure.message
    assert "SmolLM2" in reception.failure.message
    assert end_of(writing).answers[0].reason is Reason.LENGTH
    reception.close(0)


# ── where its socket is ─────────────────────────────────────────────────────────────────────


def test_the_socket_is_ours_alone(open_resident: OpenResident) -> None:
    open_resident()
    path = only_engine().address.socket
    assert path.parent == paths.runtime_folder()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    log = only_engine().address.log
    assert log.stat().st_mode & 0o777 == 0o600
    assert {place.stat().st_mode & 0o777 for place in (log.parent, log.parent.parent)} == {0o700}


def test_what_its_libraries_print_goes_to_its_log(open_resident: OpenResident) -> None:
    open_resident()
    engine = only_engine()
    process = Path(f"/proc/{engine.pid}")
    places = [(process / "fd" / number).readlink() for number in "012"]
    assert places == [Path(os.devnull), engine.address.log, engine.address.log]
    assert b"GGML_NO_BACKTRACE=1" in (process / "environ").read_bytes().split(b"\0")


def test_a_path_too_long_for_a_socket_has_a_short_one_below_tmp(
    open_resident: OpenResident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMCHAT_HOME", str(tmp_path / ("long" * 30)))
    engine = open_resident()
    place = only_engine().address.socket.parent
    assert place.is_relative_to(f"/tmp/llmchat-{os.getuid()}")
    assert place.stat().st_mode & 0o777 == 0o700
    assert place.parent.stat().st_mode & 0o077 == 0
    assert answer_of(engine.stream(asked("1, 2,", 2))).reason is Reason.LENGTH
    only_engine().stop()
    shutil.rmtree(place)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_runtime_folder_of_somebody_else_is_not_used(
    open_resident: OpenResident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMCHAT_HOME", str(tmp_path))
    (tmp_path / "runtime").mkdir(mode=0o777)
    os.chown(tmp_path / "runtime", 65534, 65534)
    open_resident()
    place = only_engine().address.socket.parent
    assert place.is_relative_to(f"/tmp/llmchat-{os.getuid()}")
    only_engine().stop()
    shutil.rmtree(place)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_no_safe_place_at_all_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMCHAT_HOME", str(tmp_path))
    for name in ("runtime", "spare"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 65534, 65534)
    monkeypatch.setattr(paths, "_spare_socket_folder", lambda: tmp_path / "spare" / "x")
    with pytest.raises(UsageError, match="can hold a socket") as caught:
        paths.socket_folder(40)
    assert "--no-resident" in caught.value.hint


def test_a_machine_without_a_runtime_folder(
    open_resident: OpenResident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for name in ("LLMCHAT_HOME", "XDG_RUNTIME_DIR"):
            patch.delenv(name, raising=False)
        patch.setenv("TMPDIR", str(tmp_path))
        patch.setattr(os, "getuid", lambda: 4242)  # who has no /run/user/4242 either
        assert paths.runtime_folder() == tmp_path / "llmchat-4242" / "runtime"


# ── the command ─────────────────────────────────────────────────────────────────────────────


def test_twenty_commands_at_once_share_one_engine(open_resident: OpenResident) -> None:
    command = [sys.executable, "-m", "assistant", "-q", "-o", "max_tokens=2", "count"]
    started = [
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        for _ in range(20)
    ]
    answers = [process.communicate(timeout=100)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 20
    assert all(answers)
    assert only_engine().address.log.read_text().count(" starts") == 1
    assert len(living_engines()) == 1


def test_a_process_that_waits_in_vain_goes_by_itself(open_resident: OpenResident) -> None:
    process = spawn.EngineProcess()
    assert not process.ending()
    process.dismiss()
    assert has_ended_within(process.pid, 5)
    assert process.ending() == "exit code 0"


def test_a_closed_engine_says_so(open_resident: OpenResident) -> None:
    engine = open_resident()
    engine.close()
    with pytest.raises(EngineFailed, match="closed"):
        engine.measure(RawPrompt("a"))
