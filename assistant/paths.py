"""The folders of llmchat: nobody else knows where things are.

XDG folders on Linux, Library folders on macOS; `LLMCHAT_HOME` moves all of them below one
folder. Asking for a folder creates nothing; `writable` creates it when something is saved.
"""

import os
import stat
import zlib
from contextlib import suppress
from pathlib import Path

from assistant.errors import UsageError

NAME = "llmchat"
LONGEST_SOCKET_PATH = 100  # bytes; the kernels take 104 to 108
KINDS = ("config", "data", "cache", "state", "runtime")


def config_folder() -> Path:
    """What the user writes: config.toml and prompts/."""
    return _folder("config")


def data_folder() -> Path:
    """What must not be lost: conversations, models, adapters."""
    return _folder("data")


def cache_folder() -> Path:
    """What can be made again: KV snapshots, indexes."""
    return _folder("cache")


def state_folder() -> Path:
    """What outlives a run and is of little worth elsewhere: logs, undo, trusted folders."""
    return _folder("state")


def runtime_folder() -> Path:
    """Sockets and locks; gone after a reboot."""
    return _folder("runtime")


def writable(folder: Path) -> Path:
    """The folder, created with mode 0700; a temporary folder of this user's if that fails.

    Compare what comes back with what was asked for to warn that the files will not last.
    Raises `UsageError` when not even the temporary folder can be made.
    """
    temporary = _temporary_place(folder)
    try:
        if folder != temporary:
            _create(folder)
            return folder
        reason = "there is no home folder"
    except OSError as err:
        reason = err.strerror or str(err)
    try:
        _create_owned(temporary)
    except OSError as err:
        raise UsageError(
            f"{folder} cannot be used ({reason}), nor can {temporary} ({err.strerror or err})",
            "set LLMCHAT_HOME to a folder that you may write",
        ) from err
    return temporary


def socket_folder(longest_name: int) -> Path:
    """A folder for Unix sockets with names of so many bytes, ours alone; created with mode 0700.

    The runtime folder; where its path is too long for a socket, or it is not ours, one below
    /tmp. Raises `UsageError` when that is not ours either.
    """
    folder, spare = runtime_folder(), _spare_socket_folder()
    if len(os.fsencode(folder)) + 1 + longest_name <= LONGEST_SOCKET_PATH:
        with suppress(OSError):
            _create(folder)
            _require_owned(folder)
            return folder
    try:
        spare.parent.mkdir(mode=0o700, exist_ok=True)
        _require_owned(spare.parent)
        spare.mkdir(mode=0o700, exist_ok=True)
        _require_owned(spare)
    except OSError as err:
        raise UsageError(
            f"neither {folder} nor {spare} can hold a socket ({err.strerror or err})",
            "set XDG_RUNTIME_DIR to a folder of yours, or --no-resident",
        ) from err
    return spare


def _spare_socket_folder() -> Path:
    """Not below TMPDIR, whose path may be long; one for each runtime folder that it stands for."""
    name = f"{zlib.crc32(os.fsencode(runtime_folder())):08x}"
    return Path("/tmp") / f"{NAME}-{os.getuid()}" / name  # noqa: S108 # see _require_owned


def is_temporary(folder: Path) -> bool:
    """Whether what is kept there may be gone after a reboot, because there is no better place."""
    return folder.is_relative_to(_temporary_root())


def _folder(kind: str) -> Path:
    home = os.environ.get("LLMCHAT_HOME", "")
    if home:
        return Path(os.path.abspath(os.path.expanduser(home))) / kind  # noqa: PTH100, PTH111 # without a home folder, Path raises
    if kind == "runtime":
        return _runtime_folder()
    import platformdirs  # takes 5 ms

    try:
        found = Path(getattr(platformdirs, f"user_{kind}_dir")(NAME, appauthor=False))
    except RuntimeError:  # there is no home folder
        found = Path()
    # Older versions answer with "~/…" then: never write below the current folder.
    return found if found.is_absolute() else _temporary_root() / kind


def _runtime_folder() -> Path:
    """Not by platformdirs: it warns, and falls back to a folder that anybody may own."""
    for place in (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}"):
        if Path(place).is_absolute() and os.access(place, os.W_OK | os.X_OK):
            return Path(place) / NAME
    return _temporary_root() / "runtime"


def _create(folder: Path) -> None:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(None, "a file is in its place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(None, "it may not be written")


def _temporary_root() -> Path:
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"{NAME}-{os.getuid()}"  # noqa: S108 # see _create_owned


def _temporary_place(folder: Path) -> Path:
    root = _temporary_root()
    if folder.is_relative_to(root):
        return folder
    for kind in KINDS:
        if folder.is_relative_to(_folder(kind)):
            return root / kind / folder.relative_to(_folder(kind))
    return root / folder.name


def _create_owned(folder: Path) -> None:
    """Anybody may write in /tmp, so what is there already must be ours and nobody else's."""
    root = _temporary_root()
    for place in reversed([folder, *folder.parents]):
        if not place.is_relative_to(root):
            continue
        place.mkdir(mode=0o700, exist_ok=True)
        _require_owned(place)


def _require_owned(place: Path) -> None:
    """Ours, no link to anywhere, and closed to everybody else."""
    status = place.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(None, f"{place} belongs to somebody else")
    if status.st_mode & 0o077:
        place.chmod(0o700)
