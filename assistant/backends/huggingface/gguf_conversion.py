"""A GGUF file as a model folder, unpacked once and kept in the cache.

The work is done by a child process, which can be ended at any time and takes its memory with it.
What it does is in gguf_unpacking.py; here it is started, watched and its folder put in place.
"""

import fcntl
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import IO

import assistant
from assistant.backends.base import OnProgress
from assistant.errors import ModelError, NotEnoughMemory
from assistant.events import ModelLoading
from assistant.model_store.gguf_file import GgufFile
from assistant.model_store.machine import available_bytes
from assistant.paths import writable

CHILD = "assistant.backends.huggingface.gguf_unpacking"
FOLDER = "torch-1"  # in the cache; another number when what is written changes
UNFINISHED = ".unpacking-"
WEIGHTS = "model.safetensors"
NEEDED = ("config.json", WEIGHTS, "tokenizer.json")
LOCK_TRIES = 3  # another process may remove a new folder before it is locked
POLL_SECONDS = 0.1  # how soon a conversion can be given up
BESIDE_WEIGHTS = 64 << 20  # bytes of disk: tokenizers and the like
WORKING_BYTES = 1 << 30  # of memory: Python, the libraries, and the largest tensor meanwhile
HINT = "ask it without hf:, or take the model as a folder of safetensors: -m hf:PATH"

REPORT = re.compile(rb"([a-z]+) ([01]\.\d{4})")  # a line that the child writes
MAX_LINE_BYTES = 100


class Step(StrEnum):
    """What the child is doing."""

    VOCABULARY = "vocabulary"
    WEIGHTS = "weights"
    SAVING = "saving"


# What a step is called, and where its shares begin and end among all of them.
STEPS = {
    Step.VOCABULARY: ("converting the tokenizer (once)", 0.0, 0.2),
    Step.WEIGHTS: ("unpacking the weights (once)", 0.2, 0.85),
    Step.SAVING: ("saving them (once)", 0.85, 1.0),
}


def convert(file: GgufFile, cache: Path, on_progress: OnProgress) -> Path:
    """The model's folder below the cache, made now if it is not there yet.

    `on_progress` hears shares that rise to 1, and gives up by returning False. Processes that
    convert the same file at once all work, and one of their folders stays. Raises `ModelError`
    when transformers cannot read such a file, no space is left, or loading was given up, and
    `NotEnoughMemory` when the unpacked weights would not fit.
    """
    done = cache / FOLDER / file.fingerprint
    if _is_whole(done):
        return done
    root = writable(cache / FOLDER)
    done = root / file.fingerprint
    if _is_whole(done):
        return done
    _refuse_impossible(file, root)
    try:
        _remove_abandoned(root)
        with _unfinished_folder(root) as folder:
            _run_child(file, folder, on_progress)
            _publish(folder, done)
    except OSError as err:
        raise ModelError(f"{root} cannot be written: {err.strerror or err}", HINT) from err
    on_progress(ModelLoading(STEPS[Step.SAVING][0], 1.0))
    return done


def _is_whole(folder: Path) -> bool:
    """Complete since it got its name; but people and programs clear caches."""
    return all((folder / name).is_file() for name in NEEDED)


def _refuse_impossible(file: GgufFile, root: Path) -> None:
    if file.metadata.get("split.count", 1) not in (0, 1):
        raise ModelError(f"{file.path.name} is one part of a split model", HINT)
    weights = _weight_bytes(file)
    free = shutil.disk_usage(root).free
    if weights + BESIDE_WEIGHTS > free:
        raise ModelError(
            f"{file.path.name} takes {_size(weights)} when unpacked, and {_size(free)} are free "
            f"in {root}",
            "free some space, or set LLMCHAT_HOME to a folder on another disk; or ask without hf:",
        )
    memory = available_bytes()
    if weights + WORKING_BYTES > memory:
        raise NotEnoughMemory(
            f"{file.path.name} takes {_size(weights + WORKING_BYTES)} of memory to unpack, and "
            f"{_size(memory)} are free",
            "close other programs, or ask without hf:",
        )


def _weight_bytes(file: GgufFile) -> int:
    return file.parameters * (4 if file.quantisation == "F32" else 2)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


# ── folders ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _unfinished_folder(root: Path) -> Iterator[Path]:
    """A new folder, locked while this process lives, and removed unless it was renamed."""
    for _ in range(LOCK_TRIES):
        folder = root / f"{UNFINISHED}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        lock = _lock(folder)
        if lock is not None:
            break
        shutil.rmtree(folder, ignore_errors=True)
    else:
        raise ModelError(
            f"{root} is on a file system without locks", "set LLMCHAT_HOME to a local folder"
        )
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """None when another process holds it, or has just removed it."""
    descriptor = None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            return descriptor
    except OSError:
        pass
    if descriptor is not None:
        os.close(descriptor)
    return None


def _remove_abandoned(root: Path) -> None:
    """What processes left behind that were killed; the others hold a lock."""
    for folder in root.glob(f"{UNFINISHED}*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _publish(folder: Path, done: Path) -> None:
    """By renaming, which happens as a whole. Whoever comes second takes the first one's."""
    if not _is_whole(folder):
        raise ModelError("the conversion for PyTorch left no model behind", HINT)
    if done.exists() and not _is_whole(done):
        shutil.rmtree(done, ignore_errors=True)
    try:
        folder.rename(done)
    except OSError:
        if not _is_whole(done):
            raise
    with suppress(OSError):
        descriptor = os.open(done.parent, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


# ── the child, seen from outside ────────────────────────────────────────────────────────────


def _run_child(file: GgufFile, folder: Path, on_progress: OnProgress) -> None:
    with tempfile.TemporaryFile() as errors, _child(file.path, folder, errors) as child:
        assert child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        progress = _Progress(folder / WEIGHTS, _weight_bytes(file))
        while True:
            with suppress(subprocess.TimeoutExpired):
                child.wait(POLL_SECONDS)
            progress.read(child.stdout)
            if not on_progress(progress.now()):
                raise ModelError("loading was given up")
            if child.returncode is not None:
                break
        if child.returncode != 0:
            reason = _reason(child.returncode, errors)
            raise ModelError(f"{file.path.name} cannot be converted for PyTorch: {reason}", HINT)


@contextmanager
def _child(source: Path, folder: Path, errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Killed on the way out. It ends by itself when its standard input does."""
    child = subprocess.Popen(  # noqa: S603 # this very Python
        [sys.executable, "-m", CHILD, str(source.absolute()), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=folder,  # which Python searches first
        env=_environment(),
        start_new_session=True,  # Ctrl-C is for us, and it is killed then
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()


def _environment() -> dict[str, str]:
    """Nothing is imported from the folder where llmchat was started."""
    ours = str(Path(assistant.__file__).parent.parent)
    paths = [ours, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TQDM_DISABLE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }


class _Progress:
    """What the child last reported; shares never fall."""

    def __init__(self, weights: Path, weight_bytes: int) -> None:
        self._weights = weights
        self._weight_bytes = max(1, weight_bytes)
        self._unread = b""
        self._step = Step.VOCABULARY
        self._share = 0.0

    def read(self, output: IO[bytes]) -> None:
        *lines, self._unread = (self._unread + (output.read() or b"")).split(b"\n")
        self._unread = self._unread[-MAX_LINE_BYTES:]
        for line in lines:
            report = REPORT.fullmatch(line)
            if report and report[1].decode() in set(Step):
                self._take(Step(report[1].decode()), float(report[2]))

    def now(self) -> ModelLoading:
        if self._step is Step.SAVING:  # one call that says nothing while it writes
            with suppress(OSError):
                self._take(Step.SAVING, self._weights.stat().st_size / self._weight_bytes)
        return ModelLoading(STEPS[self._step][0], self._share)

    def _take(self, step: Step, share: float) -> None:
        _, start, end = STEPS[step]
        total = start + min(1.0, share) * (end - start)
        if total >= self._share:
            self._step, self._share = step, total


def _reason(returncode: int, errors: IO[bytes]) -> str:
    """The last words of the child, or which signal ended it."""
    if returncode == -signal.SIGKILL:
        return "it was killed, most likely because the memory ran out"
    if returncode < 0:
        return f"it crashed ({signal.Signals(-returncode).name})"
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 4096))
    lines = errors.read().decode("utf-8", "replace").split("\n")
    said = [line.strip() for line in lines if line.strip()] or [f"exit status {returncode}"]
    words = re.sub(r"^[\w.]*(?:Error|Exception): ", "", said[-1])
    return "".join(c if c.isprintable() else " " for c in words)[:300]
