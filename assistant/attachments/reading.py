"""What a user named becomes attachments: files, lines, symbols, folders, standard input."""

import os
from collections.abc import Sequence
from typing import IO

from msgspec.structs import replace

from assistant.attachments.attached import Attached as Attached
from assistant.attachments.decoding import MAX_BYTES
from assistant.attachments.files import TextFile, read_file
from assistant.attachments.languages import language_of
from assistant.attachments.line_ranges import check_lines, cut_lines
from assistant.attachments.names import STDIN, Named, is_folder, parse_name
from assistant.attachments.stdin import read_stdin
from assistant.errors import InputError
from assistant.messages import Attachment


def attach(names: Sequence[str], stdin: IO[bytes] | None, max_bytes: int = MAX_BYTES) -> Attached:
    """What the names stand for, in their order; what is named twice is attached once.

    A name is a file, `FILE:10-40`, `FILE::symbol`, a folder, or "-" for `stdin`. A file, all of
    standard input and all of a folder have at most `max_bytes` each. Raises `InputError`.
    """
    parts = [_read(name, stdin, max_bytes) for name in dict.fromkeys(names)]
    attachments = [one for part in parts for one in part.attachments]
    if len(parts) > 1:
        attachments = list({_identity(one): one for one in reversed(attachments)}.values())[::-1]
    notices = dict.fromkeys(notice for part in parts for notice in part.notices)
    return Attached(tuple(attachments), tuple(notices))


def _identity(attachment: Attachment) -> object:
    """The same for the same text of the same file, however it was named."""
    source = attachment.source
    return (os.path.realpath(source.path), source.lines) if source else attachment.name


def _read(name: str, stdin: IO[bytes] | None, max_bytes: int) -> Attached:
    if name == STDIN:
        given = read_stdin(stdin, max_bytes)
        if not given.attachments:
            raise InputError(
                "there is nothing on standard input", "pipe text into it: cat FILE | …"
            )
        return given
    if not name:
        raise InputError("a file's name is empty", "name a file, or leave the option out")
    named = parse_name(name)
    if is_folder(named.path) and named == Named(name):
        from assistant.attachments.folders import read_folder  # few attach one

        files, notices = read_folder(name, max_bytes)
        return Attached(tuple(_attachment(file) for file in files), notices)
    file = read_file(named.path, max_bytes)
    attachment = _part(file, named)
    notice = file.notice if file.text else "it is empty"
    return Attached((attachment,), (f"{file.name}: {notice}",) if notice else ())


def _part(file: TextFile, named: Named) -> Attachment:
    """The whole file, or the lines or the symbol of it that were named."""
    if named.lines is not None:
        lines = check_lines(named.lines, file.text, file.name)
        first, last = lines
        shown = f"{first}" if named.lines[1] == first == last else f"{first}-{last}"
        return _attachment(file, lines, f"{file.name}:{shown}")
    if named.symbol is not None:
        from assistant.attachments.symbols import find_symbol, shown_lines  # few attach one

        found = find_symbol(file.text, file.name, named.symbol)
        title = f"{file.name}::{found.name} ({shown_lines(found.lines)})"
        return _attachment(file, found.lines, title)
    return _attachment(file)


def _attachment(file: TextFile, lines: tuple[int, int] | None = None, name: str = "") -> Attachment:
    return Attachment(
        name or file.name,
        file.text if lines is None else cut_lines(file.text, lines),
        language_of(file.name),
        replace(file.source, lines=lines) if lines else file.source,
    )
