"""What is said about the messages of a conversation, wherever they are shown."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from assistant.conversation.message_names import join_name
from assistant.conversation.records import Conversation, Kind, State, StoredMessage
from assistant.events import Reason
from assistant.messages import Role

# Of what a person typed; "prompt NAME" is a prompt file's.
OWN_SOURCES = ("question", "system", "language", "user")

STATES = {
    State.STREAMING: "still being written",
    State.STOPPED: "stopped",
    State.INTERRUPTED: "interrupted: llmchat ended in the middle of it",
    State.FAILED: "failed",
}
REASONS = {
    Reason.LENGTH: "cut: max_tokens were written",
    Reason.DEADLINE: "cut: the time was up",
    Reason.REPEATING: "stopped: it went round in circles",
    Reason.CONTEXT_FULL: "cut: the model's window was full",
}


class Branch(Struct, frozen=True):
    """The messages from the first one to a last one. `versions`: see `versions_of`."""

    conversation: Conversation
    messages: tuple[StoredMessage, ...]
    versions: Mapping[int, tuple[int, ...]]


class Attached(Struct, frozen=True):
    """`text` as it was sent, perhaps in a code fence."""

    name: str
    text: str

    @property
    def size_bytes(self) -> int:
        return len(self.text.encode(errors="replace"))


def versions_of(messages: Iterable[StoredMessage]) -> dict[int, tuple[int, ...]]:
    """For the number of each message all that stand in its place, itself among them."""
    places: dict[tuple[int, Kind], list[int]] = {}
    for message in messages:
        places.setdefault((message.parent, message.kind), []).append(message.number)
    return {number: tuple(numbers) for numbers in places.values() for number in numbers}


def author(message: StoredMessage) -> str:
    match message.kind:
        case Kind.QUESTION:
            return "You"
        case Kind.SUMMARY:
            return "Summary"
        case Kind.ANSWER:
            return (message.writing.model if message.writing else "") or "Answer"


def attached(message: StoredMessage) -> Sequence[Attached]:
    """What a question brought along."""
    texts: dict[str, str] = {}
    for sent in message.content:
        for part in sent.parts if sent.role is Role.USER else ():
            if part.source not in OWN_SOURCES and not part.source.startswith("prompt "):
                texts[part.source] = texts.get(part.source, "") + part.text
    return [Attached(name, text) for name, text in texts.items()]


def notes(message: StoredMessage, branch: Branch) -> list[str]:
    """What has to be known before reading it."""
    name = branch.conversation.name
    said = []
    versions = branch.versions.get(message.number, ())
    if len(versions) > 1:
        names = ", ".join(join_name(name, number) for number in versions)
        said.append(f"{len(versions)} versions: {names}")
    if message.kind is Kind.SUMMARY:
        covered = join_name(name, message.covers)
        verb = "stands for" if message.text else "there is no summary: the model no longer sees"
        said.append(f"{verb} everything up to {covered}")
    return said


def ending(message: StoredMessage) -> str:
    """What was not as it should be about its end; "" when nothing was."""
    writing = message.writing
    if message.state is State.FAILED and writing and writing.error:
        return f"failed: {writing.error}"
    if message.state in STATES:
        return STATES[message.state]
    return REASONS.get(writing.reason, "") if writing and writing.reason else ""


def title_of(conversation: Conversation) -> str:
    """One line, never empty."""
    return " ".join(conversation.title.split()) or conversation.name
