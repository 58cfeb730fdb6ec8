"""Standard input as an attachment. Whether to read it at all is the front end's decision."""

from typing import IO

from assistant.attachments.attached import Attached
from assistant.attachments.decoding import MAX_BYTES, decode_text, too_large
from assistant.errors import InputError
from assistant.messages import Attachment

NAME = "stdin"


def read_stdin(stream: IO[bytes] | None, max_bytes: int = MAX_BYTES) -> Attached:
    """Everything on `sys.stdin.buffer`; nothing when it is closed or holds only blanks.

    Reads at most `max_bytes` + 1, so that `yes |` ends. Raises `InputError`.
    """
    if stream is None:
        return Attached()
    try:
        data = stream.read(max_bytes + 1)
    except (OSError, ValueError) as err:  # ValueError: it was closed
        reason = getattr(err, "strerror", None) or str(err)
        raise InputError(
            f"standard input cannot be read: {reason}", "redirect it: < /dev/null"
        ) from err
    if len(data) > max_bytes:
        raise too_large(NAME, max_bytes)
    decoded = decode_text(data, NAME)
    if not decoded.text.strip():
        return Attached()
    notices = (f"{NAME}: {decoded.notice}",) if decoded.notice else ()
    return Attached((Attachment(NAME, decoded.text, ""),), notices)
