"""A file as it is and as an answer would make it. Nothing is written here."""

import os
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from assistant.attachments.decoding import decode_text
from assistant.code_blocks import extract_code
from assistant.edits.answer_code import replacing_code
from assistant.edits.file_names import relative_name, shown_file, shown_name
from assistant.edits.file_replacement import read_current, real_path
from assistant.edits.fitting import fit_code, usual_line_end
from assistant.edits.losses import describe_loss
from assistant.edits.unified_diff import LineCounts, count_changes, diff_files
from assistant.errors import InputError
from assistant.messages import Attachment, SourceFile


@dataclass(frozen=True, slots=True)
class Proposal:
    """A file as it is and as it would be.

    `shown` is its name as one line of visible text, and what it leads to if it `is_link`; `old`
    is None for a new file; `encoding` is what both hold beside a byte order mark. `target` is
    what stood behind every link when the file was read, None when nobody looked. `loses_much`
    is a sentence when the answer seems to be only a part of what it replaces, else "".
    """

    path: Path
    shown: str
    old: bytes | None
    new: bytes
    encoding: str
    is_link: bool = False
    target: Path | None = None
    loses_much: str = ""

    @property
    def is_unchanged(self) -> bool:
        return self.old == self.new

    def diff(self) -> str:
        """A unified diff that `patch -p1` and `git apply` take, if the file is UTF-8."""
        return diff_files(self.path, self.old, self.new, self.encoding)

    def count(self) -> LineCounts:
        """How many lines `diff` adds and removes."""
        return count_changes(self.old, self.new, self.encoding)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file would be written: `path` as it was named, `target` behind every link.

    `is_link`: it, or a folder between it and the current one, is a symbolic link; `shown` then
    says where that leads. `old` is what is there now, None for nothing.
    """

    path: Path
    target: Path
    shown: str
    old: bytes | None
    is_link: bool


def propose_change(attachment: Attachment, answer: str) -> Proposal:
    """The attached text replaced by the code of an answer (its Markdown text).

    Raises `InputError` when there is no file, or the answer holds no code that could replace it.
    """
    source = attachment.source
    if source is None:
        raise InputError(f"{attachment.name} is no file that could be changed", "name a file")
    name = shown_file(source.path)
    is_link, target = _leads_elsewhere(source.path), real_path(source.path, name)
    shown = _with_target(name, target) if is_link else name
    whole = _decode(source, name)
    before, old, after = _cut(whole, source.lines)
    fitted = fit_code(replacing_code(answer, old, name), old, usual_line_end(whole))
    text = before + fitted + after
    return Proposal(
        path=source.path,
        shown=shown,
        old=source.data,
        new=_encode(text, source, name),
        encoding=source.encoding,
        is_link=is_link,
        target=target,
        loses_much=describe_loss(source.path.name, old, fitted, whole, text),
    )


def propose_file(name: str, answer: str) -> Proposal:
    """The file `name`, which may exist, with nothing but the code of an answer.

    Without a fence the whole answer is code. What is there keeps its encoding and line ends.
    Raises `InputError` when `name` cannot be a file, or there is no code.
    """
    place = find_place(name)
    code = extract_code(answer)
    if not code.strip():
        raise InputError(f"the answer holds no code for {place.shown}", "ask again")
    now = decode_text(place.old or b"", place.shown)
    source = SourceFile(place.path, place.old or b"", now.encoding, now.mark)
    text = fit_code(code, "", usual_line_end(now.text))
    return Proposal(
        path=place.path,
        shown=place.shown,
        old=place.old,
        new=_encode(text, source, place.shown),
        encoding=source.encoding,
        is_link=place.is_link,
        target=place.target,
        loses_much=describe_loss(place.path.name, now.text, text, now.text, text),
    )


def propose_text(name: str, text: str) -> Proposal:
    """The file `name`, which may exist, with this text as it is, in UTF-8.

    Raises `InputError` when `name` cannot be a file.
    """
    place = find_place(name)
    return Proposal(
        path=place.path,
        shown=place.shown,
        old=place.old,
        new=text.encode("utf-8", "replace"),
        encoding="utf-8",
        is_link=place.is_link,
        target=place.target,
    )


def find_place(name: str) -> Place:
    """Where `-w FILE` would write. Raises `InputError` when it cannot be a file."""
    if not name or name.endswith("/"):
        raise InputError(f"{name or 'an empty name'} is no file", "name a file: -w FILE")
    path = _expanded(name)
    shown = shown_file(path)
    target = real_path(path, shown)
    if not target.parent.is_dir():
        folder = shown_file(target.parent)
        raise InputError(
            f"there is no folder {folder} for {shown}", f"mkdir -p {quote(str(target.parent))}"
        )
    is_link = _leads_elsewhere(path)
    shown = _with_target(shown, target) if is_link else shown
    return Place(path, target, shown, read_current(target, shown), is_link)


def _leads_elsewhere(path: Path) -> bool:
    """Whether the file, or a folder on the way to it from the current one, is a symbolic link.

    Links above the current folder are the user's own way of getting there.
    """
    name = Path(relative_name(path))
    on_the_way = () if name.is_absolute() else name.parents
    return any(map(os.path.islink, (name, *on_the_way)))


def _with_target(name: str, target: Path) -> str:
    return f"{name} (a link to {shown_name(str(target))})"


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as err:  # no such user
        raise InputError(
            f"{name} cannot be written: {err}", "write the folder's full name"
        ) from err


def _decode(source: SourceFile, shown: str) -> str:
    """The text of a file, which must be what `_encode` turns into the same bytes again."""
    try:
        text = source.data[len(source.mark) :].decode(source.encoding)
        if _encode(text, source, shown) == source.data:
            return text
    except UnicodeDecodeError:
        pass
    raise InputError(
        f"{shown} cannot be written back byte for byte in {source.encoding}",
        f"convert it first: iconv -f {source.encoding} -t UTF-8",
    )


def _encode(text: str, source: SourceFile, shown: str) -> bytes:
    try:
        return source.mark + text.encode(source.encoding)
    except UnicodeEncodeError as err:
        char = err.object[err.start]
        raise InputError(
            f"{shown} is in {source.encoding}, which has no {char} (U+{ord(char):04X})",
            f"convert it first: iconv -f {source.encoding} -t UTF-8",
        ) from err


def _cut(text: str, lines: tuple[int, int] | None) -> tuple[str, str, str]:
    """What stands before the lines, the lines, and what stands behind; None: all are meant."""
    if lines is None:
        return "", text, ""
    first, last = lines
    every = [line + "\n" for line in text.split("\n")]
    every[-1] = every[-1][:-1]
    return "".join(every[: first - 1]), "".join(every[first - 1 : last]), "".join(every[last:])
