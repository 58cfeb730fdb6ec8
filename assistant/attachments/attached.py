"""What reading gives back: the attachments, and what the user should know about them."""

from dataclasses import dataclass

from assistant.messages import Attachment


@dataclass(frozen=True, slots=True)
class Attached:
    """`notices` are whole sentences of one line each, in the order of what was named."""

    attachments: tuple[Attachment, ...] = ()
    notices: tuple[str, ...] = ()
