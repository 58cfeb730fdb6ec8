"""What `data/history-v1.db` holds, which the first version of the tables wrote. Never changed."""

from datetime import date

from assistant.backends.base import SamplingOptions
from assistant.conversation.records import Conversation, Kind, State, StoredMessage, Writing
from assistant.events import Reason, Usage
from assistant.messages import Message, Part, Role

WRITING = Writing(
    model="SmolLM2-135M-Instruct",
    fingerprint="c0ffee",
    template_hash="beef",
    build="b1",
    sampling=SamplingOptions(temperature=0.7, top_k=20, top_p=0.9, min_p=0.0, repeat_penalty=1.1),
    max_new_tokens=128,
    seed=42,
    candidate=1,
    prompt=(1, 3),
    prompt_hash="abad1dea",
    candidates=2,
    reason=Reason.LENGTH,
    token_ids=(12, 3456, 49151),
    usage=Usage(100, 60, 3, 0.125, 410.5, 51.25),
    error="none",
)
CONTENT = (
    Message(Role.SYSTEM, (Part("You are terse.", "prompt ask"), Part("Be kind.", "AGENTS.md"))),
    Message(Role.USER, (Part("How do I sort?", "question"), Part("sorted(x)", "sort.py"))),
)
CONVERSATIONS = (
    (
        Conversation(
            "k7m2q", "Sorting, 排序", "/home/me/code", date(2026, 11, 25), 1000.5, 2000.25, 5, 5
        ),
        (
            StoredMessage(1, 0, Kind.QUESTION, State.COMPLETE, "How do I sort?", 1000.5, CONTENT),
            StoredMessage(
                2,
                1,
                Kind.ANSWER,
                State.STOPPED,
                "With `sorted(x)`, 中文 🎉",
                1001.0,
                (),
                "Let me think.",
                WRITING,
            ),
            StoredMessage(3, 2, Kind.SUMMARY, State.COMPLETE, "Sorting.", 1002.0, covers=2),
            StoredMessage(4, 3, Kind.ANSWER, State.INTERRUPTED, "half", 1003.0, writing=WRITING),
            StoredMessage(5, 3, Kind.ANSWER, State.FAILED, "", 1004.0, writing=WRITING),
        ),
    ),
    (
        Conversation("x0000", "", "/", date(2025, 1, 2), 1.0, 1.5, 0, 0, "k7m2q.3"),
        (),
    ),
)
