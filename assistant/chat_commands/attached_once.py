"""What is attached in several ways is sent once."""

import os
from collections.abc import Sequence

from assistant.messages import Attachment


def attached_once(*attached: Sequence[Attachment]) -> tuple[Attachment, ...]:
    """In their order; the same part of the same file once."""
    unique: dict[object, Attachment] = {}
    for attachment in (one for some in attached for one in some):
        unique.setdefault(_identity(attachment), attachment)
    return tuple(unique.values())


def _identity(attachment: Attachment) -> object:
    source = attachment.source
    if source is None:
        return attachment.name, attachment.text
    return os.path.realpath(source.path), source.lines
