"""Where the resident engine of a model is found, and who owns what waits there.

A socket is called `BUILD-MODEL-FILE.sock`, three checksums: of this program, of what a model is
opened with, and of the file's size and time. So a front end never meets an engine of another
build, nor one that holds a file which has been replaced since.
"""

import os
import socket
import struct
import sys
import zlib
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
from msgspec.structs import replace

import assistant
from assistant import paths
from assistant.backends.base import ModelSpec
from assistant.errors import EngineUnreachable

BACKLOG = 256  # connections that wait to be taken
CONNECT_SECONDS = 10.0
NAME_BYTES = 3 * 8 + 2 + len(".sock")
SOL_LOCAL, LOCAL_PEERCRED, LOCAL_PEERPID = 0, 1, 2  # macOS, sys/un.h
CODE_FOLDERS = ("", "engine", "backends", "backends/huggingface", "model_store")


class Address(NamedTuple):
    """`socket` exists while an engine listens there."""

    socket: Path

    @classmethod
    def of(cls, spec: ModelSpec) -> Self:
        """Raises `UsageError` when there is no safe folder for it."""
        name = "-".join((_build(), _checksum(_identity(spec)), _checksum(_stamp(spec.path))))
        return cls(paths.socket_folder(NAME_BYTES) / f"{name}.sock")

    @property
    def lock(self) -> Path:
        """Held by who starts an engine here, or ends one."""
        return self.socket.with_suffix(".lock")

    @property
    def log(self) -> Path:
        """One for each model, whatever builds and files there were of it."""
        _build, model, _file = self.socket.stem.split("-")
        return log_folder() / f"engine-{model}.log"

    def replaces(self, other: "Address") -> bool:
        """Whether nobody will ask the other one again: an old build, or a replaced file."""
        build, model, _ = self.socket.stem.split("-")
        other_build, other_model, _ = other.socket.stem.split("-")
        return other != self and (other_build != build or other_model == model)


def log_folder() -> Path:
    return paths.state_folder() / "log"


def addresses() -> list[Address]:
    """Of all engines that listen, or died without a word; the oldest first."""
    try:
        folder = paths.socket_folder(NAME_BYTES)
        found = [path for path in folder.glob("*.sock") if path.stem.count("-") == 2]
        return [Address(path) for path in sorted(found, key=lambda path: path.lstat().st_mtime)]
    except OSError:
        return []


class Peer(NamedTuple):
    """Who is at the other end of a Unix socket."""

    pid: int
    uid: int

    @classmethod
    def of(cls, connection: socket.socket) -> Self:
        """For a listener's end, who called connect; for the other end, who called listen."""
        if sys.platform == "darwin":
            pid = connection.getsockopt(SOL_LOCAL, LOCAL_PEERPID)
            _version, uid = struct.unpack("Ii", connection.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, 8))
            return cls(pid, uid)
        size = struct.calcsize("3i")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, uid, _group = struct.unpack("3i", credentials)
        return cls(pid, uid)

    @property
    def is_us(self) -> bool:
        return self.uid == os.getuid()


def connect(address: Address) -> socket.socket | None:
    """None when nobody listens there. Raises `EngineUnreachable` when it is somebody else's."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_SECONDS)
        connection.connect(os.fspath(address.socket))
        peer = Peer.of(connection)
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        connection.close()
        return None
    except OSError as err:
        connection.close()
        raise EngineUnreachable(
            f"{address.socket}: {err.strerror or err}", "llmchat engine stop, or --no-resident"
        ) from err
    if not peer.is_us:
        connection.close()
        raise EngineUnreachable(f"{address.socket} belongs to somebody else", "--no-resident")
    return connection


def _identity(spec: ModelSpec) -> bytes:
    """What an engine must have been opened with to be the one that is wanted."""
    plain = replace(spec, log=None, snapshots=None, snapshot_bytes=0)
    return msgspec.msgpack.encode(plain, enc_hook=os.fsencode)


def _stamp(path: Path) -> bytes:
    """Changes when another file takes the place of the model's."""
    files = [path] if not path.is_dir() else sorted(path.iterdir())
    stats = [file.stat() for file in files]
    return repr([(s.st_size, s.st_mtime_ns, s.st_ino) for s in stats]).encode()


def _build() -> str:
    """This program: its version, its source files' times, and what it is installed beside."""
    home = Path(assistant.__file__).parent
    stamps: list[int] = []
    for folder in CODE_FOLDERS:
        with os.scandir(home / folder) as entries:
            stamps += [e.stat().st_mtime_ns for e in entries if e.name.endswith(".py")]
    libraries = Path(msgspec.__file__).parent.parent
    beside = (sys.prefix, libraries.stat().st_mtime_ns)
    return _checksum(repr((assistant.__version__, sorted(stamps), beside)).encode())


def _checksum(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"
