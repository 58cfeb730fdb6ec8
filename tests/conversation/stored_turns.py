"""What tests keep in a store: turns, and how an answer came about."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

from assistant import paths
from assistant.backends.base import SamplingOptions
from assistant.conversation.records import State, StoredMessage, Writing
from assistant.conversation.store import Store
from assistant.events import Reason, Usage
from assistant.messages import Message, Part, Role

DAY = date(2026, 3, 1)
WRITING = Writing(
    model="starter",
    fingerprint="f1",
    template_hash="t1",
    build="b1",
    sampling=SamplingOptions(),
    max_new_tokens=64,
    seed=7,
    candidate=0,
    prompt=(1,),
    prompt_hash="p1",
)
ENDED = Writing(
    **{name: getattr(WRITING, name) for name in WRITING.__struct_fields__[:10]},
    reason=Reason.DONE,
    token_ids=(5, 6, 7),
    usage=Usage(12, 4, 3, 0.25, 100.0, 50.0),
)


def history() -> Path:
    """Where `Store.open` keeps it."""
    return paths.data_folder() / "history.db"


def files() -> list[Path]:
    """All that lies beside the history, it included."""
    return sorted(path for path in history().parent.iterdir() if path.is_file())


def question_of(text: str, **attached: str) -> tuple[Message, ...]:
    parts = [Part(content, name) for name, content in attached.items()]
    return (Message(Role.USER, (Part(text, "question"), *parts)),)


# What to make of `database.FIRST_SOUND_WAL`, so that this SQLite takes the one or the other.
WITH_JOURNAL, WITH_LOG = (99,), (0,)


def opened() -> closing[Store]:
    """The history of this test's home."""
    return closing(Store.open())


def begun(store: Store, title: str = "a title") -> str:
    """The name of a new conversation."""
    return store.begin(title, "/home/me", DAY).name


def ask(store: Store, name: str, text: str, parent: int = 0, **attached: str) -> StoredMessage:
    return store.add_question(name, parent, text, question_of(text, **attached))


def answer(
    store: Store,
    name: str,
    parent: int,
    text: str,
    reasoning: str = "",
    state: State = State.COMPLETE,
) -> StoredMessage:
    """As it is after it was written."""
    message = store.begin_answer(name, parent, WRITING)
    store.append(name, message.number, text, reasoning)
    store.end_answer(name, message.number, state, text, reasoning, ENDED)
    return store.path(name, message.number)[-1]


def turn(store: Store, name: str, question: str, text: str, parent: int = 0) -> StoredMessage:
    """The answer to a new question."""
    return answer(store, name, ask(store, name, question, parent).number, text)


def texts(messages: Sequence[StoredMessage]) -> list[str]:
    return [message.text for message in messages]


def python(program: str, *arguments: str, is_asked: bool = False) -> "subprocess.Popen[bytes]":
    """Another process, whose output is read; if it `is_asked` it reads what it is told."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE if is_asked else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent,
    )


def told_at_once(*children: "subprocess.Popen[bytes]") -> list[str]:
    """What processes say that begin at the same moment: each is told when it has said "ready"."""
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
    told = [child.communicate()[0].decode() for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    return told
