"""Bytes of a file or of standard input → text, or the reason why they are no text."""

import codecs

from assistant.errors import InputError

MAX_BYTES = 10 << 20
BINARY_HEAD_BYTES = 8 << 10
MAX_INVALID_SHARE = 0.3  # of the characters

# UTF-32's little-endian mark begins with UTF-16's, so it is looked for first.
MARKS = (
    (codecs.BOM_UTF8, "utf-8", ""),
    (codecs.BOM_UTF32_LE, "utf-32-le", "read as UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "read as UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "read as UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "read as UTF-16"),
)


def decode_text(data: bytes, name: str) -> tuple[str, str]:
    """The text, and a notice ("" for plain UTF-8) of how else it was read.

    A byte order mark decides; then UTF-8; then Windows-1252, which covers Latin-1. Raises
    `InputError` for binary data: a NUL in the first 8 KiB, or over 30 % that is no UTF-8.
    """
    for mark, encoding, notice in MARKS:
        if data.startswith(mark):
            return _decode_marked(data[len(mark) :], encoding, name), notice
    if b"\0" in data[:BINARY_HEAD_BYTES]:
        raise _binary(name)
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    invalid = data.decode("utf-8", "replace").count("\ufffd")
    if invalid > MAX_INVALID_SHARE * len(data):
        raise _binary(name)
    try:
        return data.decode("cp1252"), "read as Windows-1252, because it is not UTF-8"
    except UnicodeDecodeError:  # five bytes mean nothing there
        return data.decode("latin-1"), "read as Latin-1, because it is not UTF-8"


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
            f"{name} begins like {encoding[:-3].upper()} and is not: {err.reason}",
            "convert it to UTF-8 first: iconv -t UTF-8",
        ) from err


def _binary(name: str) -> InputError:
    return InputError(
        f"{name} is binary, not text", "send text: for example the output of strings or xxd"
    )
