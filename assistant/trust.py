"""Which folders the user trusts, by their content: whatever changes is asked about again.

A project brings settings (.llmchat.toml), prompts (.llmchat/prompts/*.md) and notes (AGENTS.md,
LLMCHAT.md). What settings and prompts may do is checked where they are read; nothing here looks
inside.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from shlex import quote

from msgspec import Struct
from msgspec.structs import replace

from assistant import paths
from assistant.errors import AssistantError, InputError, UsageError
from assistant.safe_files import locked
from assistant.toml_files import read_toml, write_toml

SETTINGS_FILE = ".llmchat.toml"
PROMPTS_FOLDER = Path(".llmchat", "prompts")
NOTES_FILES = ("AGENTS.md", "LLMCHAT.md")
MAX_FILE_BYTES = 64 << 10
MAX_PROMPTS = 100
MAX_DECISIONS = 1_000  # older ones are asked about again
LOCK_SECONDS = 10.0  # writing takes milliseconds, unless the disk is slow
HEADER = "# What you answered about what folders bring: llmchat trust [--no]\n"

# Folder and content → trusted.
_Decisions = dict[tuple[str, str], bool]


class Note(Struct, frozen=True):
    """What a project wants said about it. `name` is one line of visible text: sub/AGENTS.md."""

    name: str
    text: str


class Project(Struct, frozen=True):
    """A folder that brings settings, prompts or notes.

    `notes` hold the text that `content_hash` was taken of. `problem`: why it can never be trusted.
    """

    folder: Path
    files: tuple[Path, ...]
    content_hash: str
    settings_file: Path | None
    prompts_folder: Path
    notes: tuple[Note, ...] = ()
    problem: str = ""

    @property
    def prompt_files(self) -> tuple[Path, ...]:
        return tuple(file for file in self.files if file.parent == self.prompts_folder)


def trust_file() -> Path:
    """Where the answers are kept."""
    return paths.state_folder() / "trust.toml"


def find_project(start: Path | None = None) -> Project | None:
    """The nearest folder, from the current one upwards, that brings settings or prompts.

    A repository (.git) is the highest folder looked at. None also where the current folder
    was deleted.
    """
    for folder in _upwards(start):
        if _settings(folder) or _prompts(folder):
            return _project(folder)
    return None


def find_projects(start: Path | None = None) -> tuple[Project, ...]:
    """Every folder whose content counts in the current one, the outermost first: that of
    `find_project`, and all that bring notes."""
    nearest = find_project(start)
    noted = _noted(start)
    if nearest is None or nearest.folder in (project.folder for project in noted):
        return noted
    return tuple(sorted((*noted, nearest), key=lambda project: len(project.folder.parts)))


def project_notes(start: Path | None = None) -> tuple[Note, ...]:
    """The notes of trusted folders, from the current one up to the repository, outermost first.

    Without a repository the home folder and the root are not looked at. A text that a folder
    has twice comes once.
    """
    projects = _noted(start)
    if not projects:
        return ()
    decisions = _read_decisions()[0]
    top = projects[0].folder
    return tuple(
        replace(note, name=_visible(str(project.folder.relative_to(top) / note.name)))
        for project in projects
        if not project.problem and decisions.get(_key(project))
        for note in project.notes
        if note.text.strip() and note == _first_with(note.text, project.notes)
    )


def trusted_project(start: Path | None = None) -> Project | None:
    """The project, if the user has said yes to what it contains now."""
    project = find_project(start)
    return project if project is not None and decision(project) else None


def decision(project: Project) -> bool | None:
    """None: the user was not asked yet about what it contains now."""
    if project.problem:
        return False
    return _read_decisions()[0].get(_key(project))


def is_answered(project: Project) -> bool:
    """Whether the user was asked about what it contains now, or has refused what cannot be read."""
    return _key(project) in _read_decisions()[0]


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


def _upwards(start: Path | None) -> Iterator[Path]:
    """The folders up to the repository, or up to the root where there is none."""
    try:
        here = (start or Path.cwd()).resolve()
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return
    for folder in (here, *here.parents):
        yield folder
        if os.path.lexists(folder / ".git"):
            return


def _noted(start: Path | None) -> tuple[Project, ...]:
    """The folders that bring notes, the outermost first."""
    folders = list(_upwards(start))
    if folders and not os.path.lexists(folders[-1] / ".git"):
        home = Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111 # Path raises without one
        folders = folders[: folders.index(home)] if home in folders else folders
    places = (folder for folder in reversed(folders) if folder != folder.parent)
    return tuple(_project(folder) for folder in places if _notes(folder))


def _settings(folder: Path) -> tuple[Path, ...]:
    file = folder / SETTINGS_FILE
    return (file,) if _is_file(file) else ()


def _prompts(folder: Path) -> tuple[Path, ...]:
    try:
        names = (folder / PROMPTS_FOLDER).iterdir()
        files = (path for path in names if path.suffix == ".md" and _is_file(path))
        return tuple(sorted(islice(files, MAX_PROMPTS + 1)))
    except OSError:
        return ()


def _notes(folder: Path) -> tuple[Path, ...]:
    return tuple(file for name in NOTES_FILES if _is_file(file := folder / name))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that may not be searched
        return False


def _project(folder: Path) -> Project:
    settings, prompts, notes = _settings(folder), _prompts(folder), _notes(folder)
    found = Project(
        folder=folder,
        files=(*settings, *prompts, *notes),
        content_hash="",
        settings_file=settings[0] if settings else None,
        prompts_folder=folder / PROMPTS_FOLDER,
    )
    try:
        if len(prompts) > MAX_PROMPTS:
            raise InputError(f"{found.prompts_folder} has more than {MAX_PROMPTS} prompts")
        contents = {file: _content(folder, file) for file in found.files}
        texts = tuple(Note(file.name, _text(file, contents[file])) for file in notes)
    except InputError as err:
        return replace(found, problem=err.message)
    return replace(found, content_hash=_hash(folder, contents), notes=texts)


def _text(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise InputError(f"{file} is not UTF-8") from err


def _first_with(text: str, notes: Iterable[Note]) -> Note:
    return next(note for note in notes if note.text == text)


def _visible(name: str) -> str:
    """One line: what hides or steers, and bytes that are no UTF-8, become escapes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in name
    )


def _hash(folder: Path, contents: Mapping[Path, bytes]) -> str:
    """Of names and contents, each after its length, so that no two projects share it."""
    import hashlib  # takes 5 ms, and most folders have no project

    digest = hashlib.sha256()
    for file, content in contents.items():
        for part in (os.fsencode(file.relative_to(folder)), content):
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
