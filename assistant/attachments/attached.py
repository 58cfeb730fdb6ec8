"""What reading gives back: the attachments, and what the user should know about them."""

from msgspec import Struct

from assistant.messages import Attachment


class Attached(Struct, frozen=True):
    """`notices` are whole sentences of one line each, in the order of what was named."""

    attachments: tuple[Attachment, ...] = ()
    notices: tuple[str, ...] = ()
