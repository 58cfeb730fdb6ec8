"""Which folders the user trusts, by their content: whatever changes is asked about again.

A project brings settings (.llmchat.toml) and prompts (.llmchat/prompts/*.md). What they may do
is checked where they are read; nothing here looks inside.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from shlex import quote

from msgspec import Struct

from assistant import paths
from assistant.errors import AssistantError, InputError, UsageError
from assistant.safe_files import locked
from assistant.toml_files import read_toml, write_toml

SETTINGS_FILE = ".llmchat.toml"
PROMPTS_FOLDER = Path(".llmchat", "prompts")
MAX_FILE_BYTES = 64 << 10
MAX_PROMPTS = 100
MAX_DECISIONS = 1_000  # older ones are asked about again
LOCK_SECONDS = 10.0  # writing takes milliseconds, unless the disk is slow
HEADER = "# What you answered about the settings and prompts of folders: llmchat trust [--no]\n"

# Folder and content → trusted.
_Decisions = dict[tuple[str, str], bool]


class Project(Struct, frozen=True):
    """A folder that brings settings or prompts. `problem`: why it can never be trusted."""

    folder: Path
    files: tuple[Path, ...]
    content_hash: str
    settings_file: Path | None
    prompts_folder: Path
    problem: str = ""


def trust_file() -> Path:
    """Where the answers are kept."""
    return paths.state_folder() / "trust.toml"


def find_project(start: Path | None = None) -> Project | None:
    """The nearest folder, from the current one upwards, that brings settings or prompts.

    A repository (.git) is the highest folder looked at. None also where the current folder
    was deleted.
    """
    try:
        here = (start or Path.cwd()).resolve()
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return None
    for folder in (here, *here.parents):
        if files := _files(folder):
            return _project(folder, files)
        if os.path.lexists(folder / ".git"):
            break
    return None


def trusted_project(start: Path | None = None) -> Project | None:
    """The project, if the user has said yes to what it contains now."""
    project = find_project(start)
    return project if project is not None and decision(project) else None


def decision(project: Project) -> bool | None:
    """None: the user was not asked yet about what it contains now."""
    if project.problem:
        return False
    return _read_decisions()[0].get(_key(project))


def decisions_problem() -> str:
    """Why the answers that were given cannot be read; empty when they can."""
    return _read_decisions()[1]


def remember(project: Project, *, is_trusted: bool) -> None:
    """Keeps the answer; a file of answers that cannot be read is moved aside.

    Raises `AssistantError` when nothing can be written: nobody has answered then.
    """
    if project.problem and is_trusted:
        raise InputError(project.problem, "a project that cannot be read cannot be trusted")
    with _alone():
        decisions, problem = _read_decisions()
        key = _key(project)
        decisions.pop(key, None)  # the newest stands last
        decisions[key] = is_trusted
        _save(dict(list(decisions.items())[-MAX_DECISIONS:]), is_broken=bool(problem))


# ── what a project contains ─────────────────────────────────────────────────────────────────


def _files(folder: Path) -> tuple[Path, ...]:
    settings = folder / SETTINGS_FILE
    try:
        names = (folder / PROMPTS_FOLDER).iterdir()
        prompts = sorted(
            islice((p for p in names if p.suffix == ".md" and _is_file(p)), MAX_PROMPTS + 1)
        )
    except OSError:
        prompts = []
    return (*([settings] if _is_file(settings) else []), *prompts)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that may not be searched
        return False


def _project(folder: Path, files: tuple[Path, ...]) -> Project:
    settings = folder / SETTINGS_FILE
    content_hash, problem = "", ""
    try:
        if len(files) > MAX_PROMPTS + (settings in files):
            raise InputError(f"{folder / PROMPTS_FOLDER} has more than {MAX_PROMPTS} prompts")
        content_hash = _hash(folder, files)
    except InputError as err:
        problem = err.message
    return Project(
        folder=folder,
        files=files,
        content_hash=content_hash,
        settings_file=settings if settings in files else None,
        prompts_folder=folder / PROMPTS_FOLDER,
        problem=problem,
    )


def _hash(folder: Path, files: Iterable[Path]) -> str:
    """Of names and contents, each after its length, so that no two projects share it."""
    import hashlib  # takes 5 ms, and most folders have no project

    digest = hashlib.sha256()
    for file in files:
        for part in (os.fsencode(file.relative_to(folder)), _content(folder, file)):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _content(folder: Path, file: Path) -> bytes:
    try:
        real = file.resolve()
        if not real.is_relative_to(folder):
            raise InputError(f"{file} is a link to {real}, outside of the project")
        # Neither a link nor a pipe that took the file's place meanwhile.
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as opened:  # noqa: PTH123 # a descriptor
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(f"{file} is no plain file")
            data = opened.read(MAX_FILE_BYTES + 1)
    except (OSError, RuntimeError) as err:
        raise InputError(f"{file} cannot be read: {getattr(err, 'strerror', err)}") from err
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{file} is larger than {MAX_FILE_BYTES >> 10} KiB")
    return data


# ── the answers ─────────────────────────────────────────────────────────────────────────────


def _key(project: Project) -> tuple[str, str]:
    # A name that is no UTF-8 has escapes; doubled backslashes keep it from looking like another.
    folder = str(project.folder).replace("\\", "\\\\")
    return folder.encode("utf-8", "backslashreplace").decode(), project.content_hash


def _read_decisions() -> tuple[_Decisions, str]:
    """The answers, oldest first, and what is wrong with their file."""
    path = trust_file()
    try:
        file = read_toml(path)
        if file is None:
            return {}, ""
        if path.stat().st_uid != os.getuid():
            return {}, f"{path} belongs to somebody else"
        rows = file.values.get("project", [])
        return {(row["folder"], row["content"]): row["is_trusted"] is True for row in rows}, ""
    except UsageError as err:
        return {}, err.message
    except (OSError, LookupError, TypeError):
        return {}, f"{path} is not what llmchat wrote"


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody else keeps an answer meanwhile, which would be lost. Raises `AssistantError`."""
    folder = paths.state_folder()
    if paths.writable(folder) != folder:
        raise AssistantError(
            f"{folder} cannot be written, so the answer does not count",
            "set LLMCHAT_HOME to a folder that you may write",
        )
    lock = folder / "trust.lock"
    with ExitStack() as held:
        try:
            held.enter_context(locked(lock, LOCK_SECONDS))
        except OSError as err:
            reason = err.strerror or f"another llmchat has held it for {LOCK_SECONDS:g} seconds"
            raise AssistantError(
                f"{lock}: {reason}, so the answer does not count",
                f"see who: fuser {quote(str(lock))}",
            ) from err
        yield


def _save(decisions: _Decisions, *, is_broken: bool) -> None:
    path = trust_file()
    if is_broken:
        try:
            path.replace(path.with_suffix(".broken"))
        except OSError as err:
            raise AssistantError(f"{path} cannot be moved aside: {err.strerror}") from err
    write_toml(path, HEADER + "".join(_row(*key, yes) for key, yes in decisions.items()))


def _row(folder: str, content: str, is_trusted: bool) -> str:
    import json  # takes 3 ms; its strings are TOML's but for DEL

    quoted = json.dumps(folder, ensure_ascii=False).replace("\x7f", "\\u007f")
    trusted = str(is_trusted).lower()
    return f'\n[[project]]\nfolder = {quoted}\ncontent = "{content}"\nis_trusted = {trusted}\n'
