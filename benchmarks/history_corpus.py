"""A history of many conversations about code, the same ones for the same seed.

Questions and answers are sentences of this project's READMEs, English and Chinese, and of Python's
manual, with stretches of the standard library's source between them.
"""

import re
import sysconfig
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from pydoc_data.topics import topics
from random import Random

from assistant.backends.base import SamplingOptions
from assistant.conversation.records import Conversation, Kind, State, StoredMessage, Writing
from assistant.events import Reason, Usage
from assistant.messages import Message, Part, Role

ROOT = Path(__file__).parent.parent
FIRST_SECOND = 1_700_000_000.0
SECONDS_BETWEEN = 900.0
MESSAGES_EACH = 10
SHARE_CHINESE, SHARE_ATTACHED = 0.2, 0.15
USAGE = Usage(900, 700, 400, 0.5, 400.0, 50.0)


def corpus(conversations: int, seed: int = 0) -> Iterator[tuple[Conversation, list[StoredMessage]]]:
    """`MESSAGES_EACH` messages each, the oldest first."""
    random = Random(seed)
    now = FIRST_SECOND
    for number in range(conversations):
        messages = []
        for at in range(0, MESSAGES_EACH, 2):
            messages += _turn(random, at + 1, now + at)
        title = messages[0].text[:60]
        day = datetime.fromtimestamp(now, UTC).date()
        end = now + MESSAGES_EACH
        name = _name(number)
        yield (
            Conversation(name, title, "/home/me", day, now, end, MESSAGES_EACH, MESSAGES_EACH),
            messages,
        )
        now += SECONDS_BETWEEN


def lines_of_code() -> list[str]:
    return [line for file in _sources() for line in file]


@cache
def chinese_sentences() -> list[str]:
    return _sentences((ROOT / "README.zh-CN.md").read_text(), "[。；\n]")


@cache
def english_sentences() -> list[str]:
    """Those of the README, and of what Python says about its own language."""
    return _sentences("\n".join([(ROOT / "README.md").read_text(), *topics.values()]), r"[.;]\s")


def _turn(random: Random, number: int, now: float) -> list[StoredMessage]:
    sentences = chinese_sentences() if random.random() < SHARE_CHINESE else english_sentences()
    question = " ".join(random.choices(sentences, k=random.randint(1, 2)))
    prose = [" ".join(random.choices(sentences, k=random.randint(2, 6))) for _ in range(3)]
    answer = f"{prose[0]}\n\n```python\n{_code(random, 10, 40)}\n```\n\n{prose[1]}\n\n{prose[2]}\n"
    parts = [Part(question, "question")]
    if random.random() < SHARE_ATTACHED:
        parts.append(Part(_code(random, 40, 160), f"module_{random.randint(1, 400)}.py"))
    content = (Message(Role.USER, tuple(parts)),)
    asked = StoredMessage(number, number - 1, Kind.QUESTION, State.COMPLETE, question, now, content)
    written = _writing(random)
    answered = StoredMessage(
        number + 1, number, Kind.ANSWER, State.COMPLETE, answer, now + 1, writing=written
    )
    return [asked, answered]


def _writing(random: Random) -> Writing:
    ids = tuple(random.choices(range(49_152), k=random.randint(100, 500)))
    return Writing(
        model="SmolLM2-135M-Instruct",
        fingerprint="0123456789abcdef",
        template_hash="fedcba9876543210",
        build="1",
        sampling=SamplingOptions(),
        max_new_tokens=1024,
        seed=random.getrandbits(31),
        candidate=0,
        prompt=(1,),
        prompt_hash="0011223344556677",
        reason=Reason.DONE,
        token_ids=ids,
        usage=USAGE,
    )


def _code(random: Random, least: int, most: int) -> str:
    file = random.choice(_sources())
    start = random.randrange(len(file))
    return "\n".join(file[start : start + random.randint(least, most)])


def _name(number: int) -> str:
    return f"c{number:05d}"


@cache
def _sources() -> list[list[str]]:
    folder = Path(sysconfig.get_path("stdlib"))
    files = sorted(path for path in folder.rglob("*.py") if "site-packages" not in path.parts)
    texts = (path.read_text(errors="replace").splitlines() for path in files)
    return [lines for lines in texts if len(lines) > 1]


def _sentences(text: str, ends: str) -> list[str]:
    return [piece.strip() for piece in re.split(ends, text) if 5 < len(piece.strip()) < 400]
