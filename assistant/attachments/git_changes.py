"""What was changed and not committed, as an attachment: `git diff`, run so that nothing which the
repository brings is run by it."""

import os
import subprocess
from collections.abc import Sequence
from enum import StrEnum
from tempfile import TemporaryFile
from threading import Timer

from assistant.attachments.attached import Attached
from assistant.attachments.decoding import MAX_BYTES, too_large
from assistant.attachments.names import shown_name
from assistant.errors import InputError
from assistant.messages import Attachment

PATIENCE_SECONDS = 30.0
MAX_SETTINGS_BYTES = 1 << 20
MAX_COMPLAINT_BYTES = 2_000

# A repository's own settings may name programs: hooks, watchers, filters, ways to show a file.
NO_PROGRAMS = (
    "core.fsmonitor=",
    "core.hooksPath=/dev/null",
    "diff.autoRefreshIndex=false",
)
OUR_SHAPE = ("core.quotePath=false", "diff.noprefix=false", "diff.mnemonicPrefix=false")
OPTIONS = ("--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty")
ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # older gits fetch what a partial clone lacks
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}
OWN_SCOPES = ("system", "global", "command")  # of settings that are the user's
FILTERS = r"^filter\..*\.(clean|smudge|process|required)$"


class Changes(StrEnum):
    """Which changes; the value is the name that an attachment gets."""

    UNCOMMITTED = "git diff HEAD"
    STAGED = "git diff --staged"


def read_changes(which: Changes, max_bytes: int = MAX_BYTES) -> Attached:
    """The changes in the repository of the current folder.

    Raises `InputError` where there is no git, no repository or no change, or more than
    `max_bytes` of changes.
    """
    _require_repository()
    settings = _settings()
    against = "--cached" if which is Changes.STAGED else _head(settings)
    data = _git(["diff", *OPTIONS, against, "--"], settings, max_bytes)
    if len(data) > max_bytes:
        raise too_large(which.value, max_bytes)
    untracked = _untracked(settings) if which is Changes.UNCOMMITTED else ""
    if not data.strip():
        hint = "git add FILE puts new files in" if untracked else "git status"
        raise InputError(f"{which.value} is empty: {untracked or 'nothing has changed'}", hint)
    attachment = Attachment(which.value, data.decode("utf-8", "replace"), "diff")
    return Attached((attachment,), (f"{which.value}: {untracked}",) if untracked else ())


def _require_repository() -> None:
    """A folder that calls itself the repository of some other folder is none."""
    said = _git(["rev-parse", "--show-toplevel"], (), MAX_SETTINGS_BYTES)
    top = os.path.realpath(os.fsdecode(said.removesuffix(b"\n")))
    here = os.path.realpath(".")
    if os.path.commonpath([top, here]) != top:
        raise InputError(f"git says that this folder belongs to {top}", "git status")


def _settings() -> tuple[str, ...]:
    """What switches off everything that could be run."""
    known = ["config", "-z", "--includes", "--show-scope", "--name-only", "--get-regexp", FILTERS]
    words = os.fsdecode(_git(known, (), MAX_SETTINGS_BYTES, may_fail=True)).split("\0")
    pairs = zip(words[::2], words[1::2], strict=False)
    filters = sorted({name for scope, name in pairs if scope not in OWN_SCOPES})
    if any("=" in name for name in filters):  # -c would take the name to end there
        raise InputError("a filter of this repository has an odd name", "git config --local -l")
    return (*NO_PROGRAMS, *OUR_SHAPE, *(f"{name}=" for name in filters))


def _head(settings: Sequence[str]) -> str:
    """The last commit; nothing at all where there is none yet."""
    if _git(["rev-parse", "--verify", "--quiet", "HEAD"], settings, 100, may_fail=True):
        return "HEAD"
    empty = _git(["hash-object", "-t", "tree", "--stdin"], settings, 100)
    return empty.decode().strip()


def _untracked(settings: Sequence[str]) -> str:
    """How many new files no diff shows."""
    listed = _git(
        ["ls-files", "-z", "--others", "--exclude-standard"], settings, MAX_SETTINGS_BYTES
    )
    count = listed.count(b"\0")
    if not count:
        return ""
    return f"{count:,} new file{'s are' if count > 1 else ' is'} not in it"


def _git(
    arguments: Sequence[str], settings: Sequence[str], max_bytes: int, *, may_fail: bool = False
) -> bytes:
    """At most `max_bytes` + 1 of its output; none where it may fail, and does.

    Raises `InputError`.
    """
    chosen = [word for setting in settings for word in ("-c", setting)]
    with TemporaryFile() as said:
        try:
            process = subprocess.Popen(  # noqa: S603 # the user's own git
                ["git", "--no-pager", *chosen, *arguments],  # noqa: S607 # as above
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env={**os.environ, **ENVIRONMENT},
            )
        except FileNotFoundError as err:
            raise InputError("there is no git", "install git") from err
        except OSError as err:
            reason = err.strerror or str(err)
            raise InputError(f"git cannot be started: {reason}", "git --version") from err
        data, code = _output(process, max_bytes)
        said.seek(0)
        complaint = said.read(MAX_COMPLAINT_BYTES).decode("utf-8", "replace")
    if code == 0 or len(data) > max_bytes:
        return data
    if may_fail:
        return b""
    said_first = shown_name(complaint.partition("\n")[0].removeprefix("fatal: "))
    reason = "it takes too long" if code < 0 else said_first or f"it ended with {code}"
    raise InputError(f"git {arguments[0]}: {reason}", "git status")


def _output(process: subprocess.Popen[bytes], max_bytes: int) -> tuple[bytes, int]:
    """What it wrote, up to one byte too many, and its exit status."""
    assert process.stdout is not None
    limit = Timer(PATIENCE_SECONDS, process.kill)
    limit.start()
    try:
        with process:
            data = process.stdout.read(max_bytes + 1)
            if len(data) > max_bytes:
                process.kill()
        return data, process.returncode
    finally:
        limit.cancel()
