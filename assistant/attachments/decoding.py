"""Bytes of a file or of standard input → text, or the reason why they are no text."""

import codecs

from msgspec import Struct

from assistant.errors import InputError

MAX_BYTES = 10 << 20
BINARY_HEAD_BYTES = 8 << 10
MAX_INVALID_SHARE = 0.3  # of the bytes, unless they read like a language

# UTF-32's little-endian mark begins with UTF-16's, so it is looked for first.
MARKS = (
    (codecs.BOM_UTF8, "utf-8", ""),
    (codecs.BOM_UTF32_LE, "utf-32-le", "read as UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "read as UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "read as UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "read as UTF-16"),
)


class Decoded(Struct, frozen=True):
    """`mark` and the text in Python's `encoding` are exactly the bytes that were read.

    `notice` says how they were read, unless they were plain UTF-8.
    """

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""
    notice: str = ""


def decode_text(data: bytes, name: str) -> Decoded:
    """The text of all of `data`.

    A byte order mark decides; then UTF-8; then the encoding in which it reads like a language;
    Windows-1252 when it reads like none. Raises `InputError` for binary data: a NUL in the
    first 8 KiB, or over 30 % that is neither UTF-8 nor a language.
    """
    for mark, encoding, notice in MARKS:
        if data.startswith(mark):
            return Decoded(
                _decode_marked(data[len(mark) :], encoding, name), encoding, mark, notice
            )
    if b"\0" in data[:BINARY_HEAD_BYTES]:
        return _decode_with_nuls(data, name)
    try:
        return Decoded(data.decode("utf-8"))
    except UnicodeDecodeError:
        return _decode_old(data, name)


def is_binary(head: bytes) -> bool:
    """Whether a file that begins with `head` (8 KiB, or all of it) is surely no text."""
    if b"\0" not in head or any(head.startswith(mark) for mark, _, _ in MARKS):
        return False
    return not _utf16_without_mark(head)


def too_large(name: str, max_bytes: int) -> InputError:
    return InputError(
        f"{name} is larger than {max_bytes / (1 << 20):g} MiB",
        f"send a part of it: head -n 500 {name} | llmchat …"
        if name != "stdin"
        else "send a part of it: … | head -n 500 | llmchat …",
    )


def _decode_marked(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as err:
        raise InputError(
            f"{name} begins like {encoding.removesuffix('-le').removesuffix('-be').upper()} "
            f"and is not: {err.reason}",
            "convert it to UTF-8 first: iconv -t UTF-8",
        ) from err


def _decode_with_nuls(data: bytes, name: str) -> Decoded:
    encoding = _utf16_without_mark(data[:BINARY_HEAD_BYTES])
    if encoding:
        try:
            text = data.decode(encoding)
            return Decoded(text, encoding, notice="read as UTF-16, although it does not say so")
        except UnicodeDecodeError:
            pass
    raise _binary(name)


def _utf16_without_mark(head: bytes) -> str:
    """UTF-16 when half of the characters or more are Latin ones and none is a control character."""
    low, high = head[::2], head[1::2]
    if low.count(0) and high.count(0):
        return ""
    zeros, encoding = max((high.count(0), "utf-16-le"), (low.count(0), "utf-16-be"))
    if 2 * zeros < len(low):
        return ""
    characters = head[: len(head) // 2 * 2].decode(encoding, "replace")
    is_text = all(c.isprintable() or c.isspace() or c == "\ufeff" for c in characters)
    return encoding if is_text and "\ufffd" not in characters[:-1] else ""


def _decode_old(data: bytes, name: str) -> Decoded:
    from assistant.attachments.encodings import guess  # takes 2 ms, and few files need it

    found = guess(data)
    if found is not None:
        notice = f"read as {found.shown}, because it is not UTF-8"
        return Decoded(found.text, found.encoding, notice=notice)
    invalid = data.decode("utf-8", "replace").count("\ufffd")
    if invalid > MAX_INVALID_SHARE * len(data):
        raise _binary(name)
    # Five bytes mean nothing in Windows-1252.
    for encoding, shown in (("cp1252", "Windows-1252"), ("latin-1", "Latin-1")):
        try:
            notice = f"read as {shown}, because it is not UTF-8"
            return Decoded(data.decode(encoding), encoding, notice=notice)
        except UnicodeDecodeError:
            continue
    raise AssertionError("Latin-1 reads any bytes")


def _binary(name: str) -> InputError:
    return InputError(
        f"{name} is binary, not text", "send text: for example the output of strings or xxd"
    )
