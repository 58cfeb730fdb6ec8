"""The one file that imports llama_cpp: its ctypes functions, the native log, the abort flag."""

import ctypes
import importlib
import importlib.util
import os
import re
import sys
import types
from collections import deque
from pathlib import Path
from typing import Any, TextIO

from assistant.errors import ModelError

MAX_LOG_BYTES = 4 * 2**20
SEM_VALUE_MAX = 2**31 - 1  # POSIX semaphores on Linux, glibc and musl
DEBUG, ERROR, CONTINUED = 1, 4, 5  # enum ggml_log_level; 2 and 3 are info and warning


def _import_bindings() -> Any:
    """`llama_cpp.llama_cpp` without the package around it.

    The package's `__init__` imports numpy, Jinja and the `Llama` class, none of which is used
    here: 0.2 s and 23 MB of every cold start.
    """
    if "llama_cpp" in sys.modules:
        return importlib.import_module("llama_cpp.llama_cpp")
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("llama_cpp")
    package = types.ModuleType("llama_cpp")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules["llama_cpp"] = package
    try:
        return importlib.import_module("llama_cpp.llama_cpp")
    finally:
        del sys.modules["llama_cpp"]  # whoever imports the package later gets the real one


# How often libgomp looks whether the other threads have arrived before it lets others have the
# core. Its own 300,000 take a time slice at every barrier where another program computes, too.
SPINS = "2000"


def load_bindings() -> Any:
    """The ctypes module with the log callback set. Raises `ModelError` when it cannot load."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    try:
        lib = _import_bindings()
    except (ImportError, OSError, RuntimeError) as err:
        raise ModelError(
            f"llama.cpp cannot be loaded: {err}",
            "pip install --force-reinstall --no-cache-dir llama-cpp-python",
        ) from err
    native_log.attach(lib)
    return lib


def wrapper_version() -> str:
    """Of llama-cpp-python, which says which llama.cpp came with it; "" when it does not say.

    Read from its file: `importlib.metadata` takes 20 ms to import.
    """
    package = Path(importlib.import_module("llama_cpp.llama_cpp").__file__ or "").parent
    try:
        text = (package / "__init__.py").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    found = re.search(r"""__version__ = ["']([\w.+-]+)["']""", text)
    return found.group(1) if found else ""


def load_ggml() -> Any:
    """ggml's own library, for what llama.h does not tell: the devices."""
    load_bindings()
    folder = Path(importlib.import_module("llama_cpp.llama_cpp").__file__ or "").parent / "lib"
    return ctypes.CDLL(str(next(folder.glob("libggml.*"))))


class NativeLog:
    """What llama.cpp prints goes to a file, and the last lines stay in memory."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=200)
        self._file: TextIO | None = None
        self._level = 0
        self._callback: Any = None  # ctypes frees a callback that nobody refers to

    def attach(self, lib: Any) -> None:
        if self._callback is None:
            self._callback = lib.llama_log_callback(self._take)
        lib.llama_log_set(self._callback, ctypes.c_void_p(0))

    def write_to(self, path: Path) -> None:
        """Append from now on to this file; it starts afresh when it has grown large."""
        if self._file is not None:
            self._file.close()
        try:
            is_large = path.exists() and path.stat().st_size > MAX_LOG_BYTES
            # Like all that is kept, readable by its owner alone.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "a", encoding="utf-8")
            if is_large:
                self._file.truncate(0)
        except OSError:
            self._file = None  # a full disk must not keep a model from loading

    def last_errors(self) -> list[str]:
        return [line for level, line in self._lines if level == ERROR]

    def clear(self) -> None:
        self._lines.clear()

    def _take(self, level: int, text: bytes, _data: Any) -> None:
        self._level = self._level if level == CONTINUED else level
        if self._level == DEBUG:  # thousands of lines while a model loads
            return
        line = text.decode("utf-8", "replace").rstrip("\n")
        self._lines.append((self._level, line))
        if self._file is not None and line.strip("."):
            try:
                self._file.write(line + "\n")
                if self._level == ERROR:
                    self._file.flush()
            except (OSError, ValueError):
                self._file = None


native_log = NativeLog()


class AbortFlag:
    """Stops a native call from another thread, and counts how far it got.

    ggml asks an abort callback before every graph node. A Python callback would take the GIL
    hundreds of times per token, so the callback is libc's `sem_post` on a semaphore of ours:
    it returns 0 (go on) and counts the nodes; on a semaphore at its maximum it returns -1
    (stop). Where there are no unnamed semaphores (macOS) it is `strlen` on a two-byte
    buffer: "" goes on, "\\x01" stops, nothing is counted.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None)
        self._memory = ctypes.create_string_buffer(64)  # sizeof(sem_t) is 32 on 64-bit Linux
        self.address = ctypes.addressof(self._memory)
        self._counts = sys.platform == "linux" and libc.sem_init(self._memory, 0, 0) == 0
        self._libc = libc
        native = libc.sem_post if self._counts else libc.strlen
        self.function = ctypes.cast(native, ctypes.c_void_p).value or 0

    def raise_(self) -> None:
        if self._counts:
            self._libc.sem_init(self._memory, 0, SEM_VALUE_MAX)
        else:
            self._memory[0] = b"\x01"

    def lower(self) -> None:
        if self._counts:
            self._libc.sem_init(self._memory, 0, 0)
        else:
            self._memory[0] = b"\x00"

    def is_raised(self) -> bool:
        return self.nodes() == SEM_VALUE_MAX if self._counts else self._memory[0] != b"\x00"

    def nodes(self) -> int:
        """Graph nodes computed since the flag was lowered; 0 where nothing counts them."""
        if not self._counts:
            return 0
        value = ctypes.c_int()
        self._libc.sem_getvalue(self._memory, ctypes.byref(value))
        return value.value
