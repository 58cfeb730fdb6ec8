"""What is remembered of conversations: plain records, which the store keeps and front ends show."""

from datetime import date
from enum import StrEnum

from msgspec import Struct

from assistant.backends.base import SamplingOptions
from assistant.events import Reason, Usage
from assistant.messages import Message


class Kind(StrEnum):
    QUESTION = "question"
    ANSWER = "answer"
    SUMMARY = "summary"  # of what came before, in the place of it


class State(StrEnum):
    """Of a message. Only answers and summaries are ever anything but complete."""

    STREAMING = "streaming"  # being written by a process that lives
    COMPLETE = "complete"
    STOPPED = "stopped"  # by the user
    INTERRUPTED = "interrupted"  # its process ended in the middle of it
    FAILED = "failed"


class Conversation(Struct, frozen=True):
    """`name` is what people type to mean it; it stays the same for ever, also on another machine.

    `created` and `updated` are seconds since the epoch. `leaf` is the number of the message with
    which its current branch ends, 0 while there is none. `fork_of` is "NAME.NUMBER", or "".
    """

    name: str
    title: str
    folder: str  # in which it was begun
    first_day: date
    created: float
    updated: float
    messages: int = 0
    leaf: int = 0
    fork_of: str = ""


class Writing(Struct, frozen=True):
    """What wrote an answer, and how: enough to write it again.

    `prompt` are the numbers of the messages that the prompt was made of, in order;
    `prompt_hash` is that of its token ids (`hash_of_ids`). It was one of `candidates` answers
    that were written at once. `prompt_hash`, `reason`, `token_ids` and `usage` are known when the
    answer has ended.
    """

    model: str
    fingerprint: str
    template_hash: str
    build: str
    sampling: SamplingOptions
    max_new_tokens: int
    seed: int
    candidate: int
    prompt: tuple[int, ...]
    prompt_hash: str = ""
    candidates: int = 1
    reason: Reason | None = None
    token_ids: tuple[int, ...] = ()
    usage: Usage | None = None
    error: str = ""


class StoredMessage(Struct, frozen=True):
    """A node in the tree of a conversation: messages with the same parent are versions.

    `number` counts from 1 in its conversation; `parent` 0: it is a first message. `text` is what
    a person reads and searches. Of a question, `content` is what is sent for it. A summary
    stands for everything up to the message `covers`.
    """

    number: int
    parent: int
    kind: Kind
    state: State
    text: str
    created: float
    content: tuple[Message, ...] = ()
    reasoning: str = ""
    writing: Writing | None = None
    covers: int = 0


class Hit(Struct, frozen=True):
    """A message that holds what was searched for."""

    conversation: Conversation
    message: StoredMessage


class HistoryStats(Struct, frozen=True):
    """`file_bytes` on disk, of which the two indexes of the search take `index_bytes`."""

    conversations: int
    messages: int
    text_bytes: int
    file_bytes: int
    index_bytes: int
    tokens_read: int
    tokens_written: int
