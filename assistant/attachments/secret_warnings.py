"""What is said of secrets in attached text before it is sent."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from assistant.attachments.secrets import Secret, find_secrets
from assistant.messages import Attachment

MAX_WARNINGS = 10  # attachments; of a folder the others are counted


class Destination(Struct, frozen=True):
    """Where attached text goes beside the model."""

    leaves_machine: bool = False
    is_kept: bool = True


def secret_warnings(attachments: Sequence[Attachment], where: Destination) -> Iterator[str]:
    """A line for each attachment that seems to hold secrets, and none of the secrets themselves."""
    found = [(one, secrets) for one in attachments if (secrets := find_secrets(one.text))]
    for attachment, secrets in found[:MAX_WARNINGS]:
        yield f"{_holds(attachment, secrets)}; {_goes(where, len(secrets))}"
    if len(found) > MAX_WARNINGS:
        yield f"{len(found) - MAX_WARNINGS:,} more look as if they held secrets"


def _holds(attachment: Attachment, secrets: Sequence[Secret]) -> str:
    first, others = secrets[0], len(secrets) - 1
    lines = attachment.source.lines if attachment.source else None
    line = first.line + (lines[0] - 1 if lines else 0)
    more = f", and {others:,} more" if others else ""
    return f"{attachment.name}, line {line} looks like a secret ({first.kind}){more}"


def _goes(where: Destination, secrets: int) -> str:
    goes, leaves = ("it goes", "leaves") if secrets == 1 else ("they go", "leave")
    history = " and into the history" if where.is_kept else ""
    away = f", and {leaves} this machine" if where.leaves_machine else ""
    return f"{goes} to the model{history}{away}"
