"""Conversations for tests: drawn ones of any shape and with odd texts, and one to look at."""

import string
from collections.abc import Callable
from datetime import date

from hypothesis import strategies as st

from assistant.backends.base import SamplingOptions
from assistant.conversation.history_files import Remembered
from assistant.conversation.records import Conversation, Kind, State, StoredMessage, Writing
from assistant.events import Reason, Usage
from assistant.messages import Message, Part, Role

ODD = 'a\0\x1b[31m\x85\u2028\u202e\ufeff\r\n\t`#"\\</é漢😀\U000e0041\ud7ff\uffff'
texts = st.one_of(
    st.text(st.sampled_from(ODD), max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
seconds = st.floats(0, 4e9)
counts = st.integers(0, 2**31 - 1)
ids = st.lists(counts, max_size=4).map(tuple)
rates = st.floats(0, 1e9)

parts = st.builds(Part, texts, texts)
messages_sent = st.builds(
    Message,
    st.sampled_from(Role),
    st.lists(parts, max_size=3).map(tuple),
    reasoning=texts,
    token_ids=ids,
    fingerprint=texts,
)
samplings = st.builds(SamplingOptions, st.floats(0, 5), counts, st.floats(0, 1))
usages = st.builds(Usage, counts, counts, counts, rates, rates, rates)
writings = st.builds(
    Writing,
    model=texts,
    fingerprint=texts,
    template_hash=texts,
    build=texts,
    sampling=samplings,
    max_new_tokens=counts,
    seed=st.integers(0, 2**32 - 1),
    candidate=st.integers(0, 7),
    prompt=ids,
    prompt_hash=texts,
    reason=st.none() | st.sampled_from(Reason),
    token_ids=ids,
    usage=st.none() | usages,
    error=texts,
)
names = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_lowercase),
    st.text(string.ascii_lowercase + string.digits, min_size=4, max_size=4),
)


@st.composite
def stored(draw: st.DrawFn, number: int) -> StoredMessage:
    """A message that belongs to one of those before it, or to none."""
    kind = draw(st.sampled_from(Kind))
    ended = [state for state in State if state is not State.STREAMING]
    return StoredMessage(
        number=number,
        parent=draw(st.integers(0, number - 1)),
        kind=kind,
        state=State.COMPLETE if kind is Kind.QUESTION else draw(st.sampled_from(ended)),
        text=draw(texts),
        created=draw(seconds),
        content=tuple(draw(st.lists(messages_sent, max_size=2))),
        reasoning=draw(texts),
        writing=None if kind is Kind.QUESTION else draw(st.none() | writings),
        covers=draw(st.integers(0, number - 1)) if kind is Kind.SUMMARY else 0,
    )


@st.composite
def remembered(draw: st.DrawFn, most: int = 6) -> Remembered:
    messages = tuple(draw(stored(number)) for number in range(1, draw(st.integers(0, most)) + 1))
    conversation = Conversation(
        name=draw(names),
        title=draw(texts),
        folder=draw(texts),
        first_day=draw(st.dates(date(1970, 1, 1), date(2999, 12, 31))),
        created=draw(seconds),
        updated=draw(seconds),
        messages=len(messages),
        leaf=draw(st.integers(1, len(messages))) if messages else 0,
        fork_of=draw(st.sampled_from(["", "abcde.4"])),
    )
    return Remembered(conversation, messages)


def several(most: int = 3) -> st.SearchStrategy[list[Remembered]]:
    """Each with a name of its own."""
    name_of: Callable[[Remembered], str] = lambda one: one.conversation.name  # noqa: E731
    return st.lists(remembered(), min_size=1, max_size=most, unique_by=name_of)


WRITING = Writing(
    model="SmolLM2-135M-Instruct",
    fingerprint="f",
    template_hash="t",
    build="b",
    sampling=SamplingOptions(),
    max_new_tokens=100,
    seed=7,
    candidate=0,
    prompt=(1,),
    prompt_hash="p",
    reason=Reason.DONE,
    token_ids=(1, 2, 3),
    usage=Usage(40, 10, 3, 0.5, 100.0, 20.0),
)


def question(number: int, parent: int, text: str, **files: str) -> StoredMessage:
    """`files`: names, of which _ is a dot, and texts."""
    sent = [Part(text, "question")]
    sent += [Part(f"```\n{held}\n```", name.replace("_", ".")) for name, held in files.items()]
    content = (Message(Role.USER, (*sent, Part("Explain.", "prompt explain"))),)
    return StoredMessage(
        number, parent, Kind.QUESTION, State.COMPLETE, text, 1_700_000_000.0 + number, content
    )


def answer(
    number: int,
    parent: int,
    text: str,
    state: State = State.COMPLETE,
    writing: Writing | None = WRITING,
    reasoning: str = "",
) -> StoredMessage:
    return StoredMessage(
        *(number, parent, Kind.ANSWER, state, text, 1_700_000_000.0 + number, (), reasoning),
        writing,
    )


def conversation(name: str = "k7m2q", title: str = "Sorting", **changes: object) -> Conversation:
    facts: dict[str, object] = {
        "folder": "/home/me/code",
        "first_day": date(2025, 1, 3),
        "created": 1_700_000_000.0,
        "updated": 1_700_000_100.0,
    }
    return Conversation(name, title, **{**facts, **changes})  # type: ignore[arg-type]  # by name


def talk(name: str = "k7m2q", title: str = "Sorting", text: str = "Use `sorted`.") -> Remembered:
    """A question with a file, an answer in two versions, of which the second goes on."""
    messages = (
        question(1, 0, "How do I sort a list?", app_py="x = [2, 1]"),
        answer(2, 1, "I do not know.", State.STOPPED),
        answer(3, 1, text),
        question(4, 3, "And in place?"),
        answer(5, 4, "```python\nx.sort()\n```"),
    )
    return Remembered(conversation(name, title, messages=5, leaf=5), messages)
