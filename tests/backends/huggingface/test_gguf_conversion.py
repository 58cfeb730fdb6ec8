"""The child process that converts a GGUF file, and the folder that it leaves; mostly with a child
that does as little as each test needs. What the real one makes is in test_gguf_unpacking.py."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_gguf

import assistant
from assistant.backends.huggingface import gguf_conversion
from assistant.backends.huggingface.gguf_conversion import FOLDER, NEEDED, convert
from assistant.errors import AssistantError, ModelError, NotEnoughMemory
from assistant.events import ModelLoading
from assistant.model_store.gguf_file import GgufFile, read_gguf
from assistant.model_store.local_models import find_model

SECONDS = 30  # a child starts, works and ends in far less

GOOD = f"""
import sys, pathlib
folder = pathlib.Path(sys.argv[2])
for name in {NEEDED}:
    (folder / name).write_text(sys.argv[1])
"""
ENDLESS = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[2], "pid").write_text(str(os.getpid()))
time.sleep(600)
"""

Child = Callable[[str], object]


@pytest.fixture(scope="module")
def file() -> GgufFile:
    return read_gguf(find_model("starter"))


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Child:
    """Makes a script the child; it is called with the GGUF file and the folder to fill."""
    modules = tmp_path / "modules"
    modules.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.setattr(gguf_conversion, "CHILD", "scripted_child")
    return (modules / "scripted_child.py").write_text


def on_and_on(_loading: ModelLoading) -> bool:
    return True


class Listener:
    """Hears all, and never gives up."""

    def __init__(self) -> None:
        self.heard: list[ModelLoading] = []

    def __call__(self, loading: ModelLoading) -> bool:
        self.heard.append(loading)
        return True


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / FOLDER).iterdir())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ── what is made ────────────────────────────────────────────────────────────────────────────


def test_a_type_of_weights_that_cannot_be_unpacked_is_refused(tmp_path: Path) -> None:
    path = tiny_gguf.write_llama(tmp_path / "odd.gguf", unreadable="blk.1.ffn_up.weight")
    with pytest.raises(ModelError, match=r"cannot be converted for PyTorch: .*Q8_1") as caught:
        convert(read_gguf(path), tmp_path, lambda _loading: True)
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_model_is_converted_once(file: GgufFile, tmp_path: Path, child: Child) -> None:
    child(GOOD)
    cache = tmp_path / "cache"
    folder = convert(file, cache, on_and_on)
    assert folder == cache / FOLDER / file.fingerprint
    assert (folder / "config.json").read_text() == str(file.path)
    assert left_in(cache) == [file.fingerprint]
    child("raise SystemExit('the child was called again')")
    assert convert(file, cache, lambda _loading: False) == folder


def test_the_folders_belong_to_the_user_alone(file: GgufFile, tmp_path: Path, child: Child) -> None:
    child(GOOD)
    folder = convert(file, tmp_path / "cache", on_and_on)
    for made in (folder, folder.parent, folder.parent.parent):
        assert made.stat().st_mode & 0o777 == 0o700


def test_what_is_no_whole_model_is_made_anew(file: GgufFile, tmp_path: Path, child: Child) -> None:
    child(GOOD)
    folder = convert(file, tmp_path, on_and_on)
    (folder / "model.safetensors").unlink()  # somebody needed the space
    assert convert(file, tmp_path, on_and_on) == folder
    assert (folder / "model.safetensors").exists()


def test_progress_rises_from_step_to_step(file: GgufFile, tmp_path: Path, child: Child) -> None:
    child(
        f"""
import sys, time
def say(line):
    print(line, flush=True)
    time.sleep(0.15)
say("vocabulary 0.0000"); say("vocabulary 0.5000"); say("weights 0.2500"); say("weights 1.0000")
say("weights 0.1000"); say("vocabulary 0.9000"); say("saving 0.0000")
{GOOD}
time.sleep(0.3)
"""
    )
    listener = Listener()
    convert(replace(file, parameters=10), tmp_path, listener)
    stages = list(dict.fromkeys(loading.stage for loading in listener.heard))
    assert stages == [
        "converting the tokenizer (once)",
        "unpacking the weights (once)",
        "saving them (once)",
    ]
    shares = [loading.share or 0.0 for loading in listener.heard]
    assert shares == sorted(shares)
    assert {0.0, 0.1, 0.85, 1.0} <= set(shares)
    assert 0.3 < shares[shares.index(0.1) + shares.count(0.1)] < 0.4
    assert listener.heard[-1] == ModelLoading("saving them (once)", 1.0)


def test_nonsense_from_the_child_is_no_progress(
    file: GgufFile, tmp_path: Path, child: Child
) -> None:
    child(
        f"""
import sys
sys.stdout.buffer.write(b"weights 7.5000\\nweights nan\\nweights -1.000\\nsleeping 0.5000\\n")
sys.stdout.buffer.write(b"\\xff\\xfe 0.5000\\n" + b"weights 0.5000" * 100_000 + b"\\n")
sys.stdout.buffer.write(b"x" * 3_000_000)
{GOOD}
"""
    )
    listener = Listener()
    convert(file, tmp_path, listener)
    assert {loading.share for loading in listener.heard} == {0.0, 1.0}


def test_nothing_is_imported_from_where_llmchat_was_started(
    file: GgufFile, tmp_path: Path, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "fractions.py").write_text("raise SystemExit('the project was run')")
    monkeypatch.chdir(project)
    child(f"import fractions, assistant\n{GOOD}")
    assert convert(file, tmp_path / "cache", on_and_on)


# ── giving up and failing ───────────────────────────────────────────────────────────────────


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("how", ["says no", "raises"])
def test_giving_up_ends_the_child_and_leaves_nothing(
    file: GgufFile, tmp_path: Path, child: Child, how: str
) -> None:
    child(ENDLESS)
    pids: list[int] = []

    def give_up(_loading: ModelLoading) -> bool:
        pids.extend(int(path.read_text() or 0) for path in tmp_path.glob(f"{FOLDER}/*/pid"))
        if pids and how == "raises":
            raise Interrupted
        return not pids

    expected = ModelError if how == "says no" else Interrupted
    with pytest.raises(expected) as raised:
        convert(file, tmp_path, give_up)
    assert how == "raises" or str(raised.value) == "loading was given up"
    assert not is_alive(pids[0])
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("raise ValueError('such\\nand such')", "and such"),
        ("import nowhere", "No module named 'nowhere'"),
        ("import sys; sys.exit('words \\x1b[31mof its own\\x07')", "words  .31mof its own "),
        ("import sys; sys.exit(3)", "exit status 3"),
        ("import sys; sys.stderr.write('x' * 9000); sys.exit(1)", "x{300}$"),
        ("import os; os.kill(os.getpid(), 9)", "most likely because the memory ran out"),
        ("import os; os.kill(os.getpid(), 11)", r"it crashed \(SIGSEGV\)"),
        ("", "left no model behind"),
    ],
)
def test_a_child_that_fails_says_why(
    file: GgufFile, tmp_path: Path, child: Child, script: str, reason: str
) -> None:
    child(script)
    with pytest.raises(ModelError, match=reason) as failed:
        convert(file, tmp_path, on_and_on)
    assert failed.value.message.isprintable()
    assert "without hf:" in failed.value.hint
    assert left_in(tmp_path) == []


def test_a_file_that_cannot_fit_is_refused_before_anything_is_done(
    file: GgufFile, tmp_path: Path, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(GOOD)
    full = shutil.disk_usage(tmp_path)._replace(free=300_000_000)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _folder: full)
        with pytest.raises(ModelError, match=r"takes 0.3 GB when unpacked, and 0.3 GB are free"):
            convert(file, tmp_path, on_and_on)
        smaller = replace(file, parameters=file.parameters // 2)
        assert convert(smaller, tmp_path / "other", on_and_on)
    monkeypatch.setattr(gguf_conversion, "available_bytes", lambda: 10**9)
    with pytest.raises(NotEnoughMemory, match=r"takes 1.3 GB of memory .* 1.0 GB are free"):
        convert(file, tmp_path, on_and_on)


def test_a_place_that_cannot_be_used_is_named(
    file: GgufFile, tmp_path: Path, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(GOOD)
    taken = tmp_path / FOLDER / file.fingerprint
    taken.parent.mkdir()
    taken.touch()
    with pytest.raises(ModelError, match=f"{FOLDER} cannot be written: Not a directory"):
        convert(file, tmp_path, on_and_on)
    assert left_in(tmp_path) == [file.fingerprint]

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOTSUP, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ModelError, match="a file system without locks"):
        convert(file, tmp_path, on_and_on)
    assert left_in(tmp_path) == [file.fingerprint]


def test_a_part_of_a_model_is_refused(file: GgufFile, tmp_path: Path) -> None:
    part = replace(file, metadata={**file.metadata, "split.count": 2})
    with pytest.raises(ModelError, match="one part of a split model"):
        convert(part, tmp_path, on_and_on)


# ── several at once ─────────────────────────────────────────────────────────────────────────


def test_whoever_comes_second_takes_the_folder_of_the_first(
    file: GgufFile, tmp_path: Path, child: Child
) -> None:
    child(
        f"""
import pathlib, sys, time
here = pathlib.Path(sys.argv[2])
(here / "ready").touch()
while len(list(here.parent.glob("*/ready"))) < 3:
    time.sleep(0.02)
{GOOD}
"""
    )
    found: list[Path | AssistantError] = []

    def run() -> None:
        try:
            found.append(convert(file, tmp_path, on_and_on))
        except AssistantError as err:
            found.append(err)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert found == [tmp_path / FOLDER / file.fingerprint] * 3
    assert left_in(tmp_path) == [file.fingerprint]


def test_only_what_dead_processes_left_behind_is_removed(
    file: GgufFile, tmp_path: Path, child: Child
) -> None:
    child(GOOD)
    folders = [tmp_path / FOLDER / f".unpacking-{name}" for name in ("dead", "alive")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "model.safetensors").touch()
    lock = os.open(folders[1], os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    convert(file, tmp_path, on_and_on)
    os.close(lock)
    assert left_in(tmp_path) == [".unpacking-alive", file.fingerprint]


# ── with the real child ─────────────────────────────────────────────────────────────────────


def test_a_child_does_not_outlive_its_parent(file: GgufFile, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from assistant.backends.huggingface.gguf_conversion import convert\n"
        "from assistant.model_store.gguf_file import read_gguf\n"
        "convert(read_gguf(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]), lambda _: True)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(file.path), str(tmp_path)],
        cwd=Path(assistant.__file__).parent.parent,
    )
    wait_until(lambda: list(tmp_path.glob(f"{FOLDER}/.unpacking-*/tokenizer.json")))
    (child,) = children_of(parent.pid)
    parent.kill()
    parent.wait()
    wait_until(lambda: not is_alive(child))
    (folder,) = (tmp_path / FOLDER).iterdir()  # left behind, and no model
    assert folder.name.startswith(".unpacking-")
    assert not all((folder / name).exists() for name in NEEDED)
    with pytest.raises(ModelError, match="given up"):
        convert(file, tmp_path, lambda _loading: False)
    assert left_in(tmp_path) == []


def test_a_child_that_is_busy_ends_with_its_parent_too(file: GgufFile, tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from assistant.backends.huggingface import gguf_unpacking\n"
        "gguf_unpacking.unpack = lambda *_: time.sleep(600)\n"
        "gguf_unpacking.main(*sys.argv[1:])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(file.path), str(tmp_path)],
        cwd=Path(assistant.__file__).parent.parent,
        stdin=subprocess.PIPE,
    )
    assert child.stdin is not None
    child.stdin.close()
    try:
        assert child.wait(SECONDS) == 1
    finally:
        child.kill()


def children_of(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    return [pid for pid, its_parent in pairs if its_parent == parent]


def test_a_file_that_transformers_cannot_read_is_refused(shared_data: Path, tmp_path: Path) -> None:
    vocabulary = read_gguf(shared_data / "vocabularies" / "ggml-vocab-refact.gguf")
    reason = "gguf cannot be converted for PyTorch: GGUF model with architecture refact is not "
    with pytest.raises(ModelError, match=reason):
        convert(vocabulary, tmp_path, on_and_on)
    assert left_in(tmp_path) == []
