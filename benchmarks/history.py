"""What does it cost to remember: opening, searching and storing among 100,000 messages?

The history is written anew by every run, 10,000 conversations that `history_corpus` makes up.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from random import Random

from assistant.backends.base import SamplingOptions
from assistant.conversation.records import State, Writing
from assistant.conversation.store import Store
from assistant.messages import Message, Part, Role
from benchmarks.history_corpus import (
    chinese_sentences,
    corpus,
    english_sentences,
    lines_of_code,
)
from benchmarks.measure import detail, show, spread

CONVERSATIONS = 10_000
OPENINGS, QUERIES_OF_A_KIND, ANSWERS = 15, 60, 10
TOKENS, TOKENS_PER_SECOND = 400, 50  # of an answer; a token is four characters
CHECKPOINT_SECONDS = 0.5
DELETIONS = 3
WRITING = Writing("m", "f", "t", "b", SamplingOptions(), TOKENS, 1, 0, (1,), "p")
# A fresh process that keeps a question and begins its answer: milliseconds for SQLite, the rest.
FRESH = """
import sys, time
from benchmarks.history import keep_question
from assistant.conversation.store import Store
started = time.perf_counter()
from assistant.conversation import opening, places
imported = time.perf_counter()
store = Store.open()
opened = time.perf_counter()
keep_question(store)
done = time.perf_counter()
print((imported - started) * 1e3, (opened - imported) * 1e3, (done - opened) * 1e3)
"""


def main() -> None:
    with private_home():
        build()
        opening()
        searching()
        storing()
        fresh_question()
        deleting()


@contextmanager
def private_home() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as home:
        os.environ["LLMCHAT_HOME"] = home
        try:
            yield
        finally:
            del os.environ["LLMCHAT_HOME"]


def build() -> None:
    started = time.perf_counter()
    with closing(Store.open()) as store:
        with store.together():
            for conversation, messages in corpus(CONVERSATIONS):
                store.add_whole(conversation, messages)
        seconds = time.perf_counter() - started
        stats = store.stats()
    share = stats.index_bytes / stats.text_bytes
    megabytes = [
        round(size / 1e6) for size in (stats.text_bytes, stats.index_bytes, stats.file_bytes)
    ]
    detail(f"{stats.messages:,} messages written in {seconds:.0f} s")
    detail(
        f"text {megabytes[0]} MB, both indexes {megabytes[1]} MB ({share:.2f} times the text), "
        f"all {megabytes[2]} MB"
    )


def opening() -> None:
    times = []
    for _ in range(OPENINGS):
        started = time.perf_counter()
        store = Store.open()
        latest = store.latest()
        assert latest is not None
        assert len(store.path(latest.name)) == latest.messages
        times.append((time.perf_counter() - started) * 1e3)
        store.close()
    detail(f"ms to open: {spread(times)}; the first {times[0]:.1f}")
    show("the latest of 10,000 conversations", max(times), 50, at_most=True, unit="ms")


def searching() -> None:
    """Every query once; each kind counts the same."""
    times: dict[str, list[float]] = {}
    worst = (0.0, "")
    with closing(Store.open()) as store:
        for kind, queries in all_queries().items():
            for query in queries:
                started = time.perf_counter()
                store.search(query)
                took = (time.perf_counter() - started) * 1e3
                times.setdefault(kind, []).append(took)
                worst = max(worst, (took, query))
        started = time.perf_counter()
        store.search("=>")
        signs = time.perf_counter() - started
    for kind, of_kind in times.items():
        detail(f"ms for {kind}: {spread(of_kind)}")
    detail(f"the slowest: {worst[0]:.0f} ms for {worst[1]}; for signs, no word: {signs:.1f} s")
    every = [took for of_kind in times.values() for took in of_kind]
    show(
        "a search in 100,000 messages (median)",
        statistics.median(every),
        50,
        at_most=True,
        unit="ms",
    )


def storing() -> None:
    """An answer as it arrives at this speed, checkpointed as it is there."""
    text = "word" * TOKENS
    between = round(CHECKPOINT_SECONDS * TOKENS_PER_SECOND) * 4  # characters
    shares = []
    with closing(Store.open()) as store:
        name = keep_question(store)
        for _ in range(ANSWERS):
            started = time.perf_counter()
            message = store.begin_answer(name, 1, WRITING)
            for at in range(0, len(text), between):
                store.append(name, message.number, text[at : at + between])
            store.end_answer(name, message.number, State.COMPLETE, text, "", WRITING)
            seconds = time.perf_counter() - started
            shares.append(seconds / (TOKENS / TOKENS_PER_SECOND) * 100)
    detail(f"share of {TOKENS / TOKENS_PER_SECOND:.0f} s: {spread(shares)} %")
    median = statistics.median(shares)
    show("storing an answer while it comes", median, 1, at_most=True, unit="% of decode")


def fresh_question() -> None:
    command = [sys.executable, "-c", FRESH]
    # With compiled files, as an installed llmchat has them.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": os.environ["LLMCHAT_HOME"]}
    ran = [
        subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, **compiled}
        )
        for _ in range(6)
    ][1:]
    columns = zip(*([float(word) for word in one.stdout.split()] for one in ran), strict=True)
    imported, opened, kept = (spread(column) for column in columns)
    detail(f"ms of a new process: import {imported}, open {opened}, keep a question {kept}")


def deleting() -> None:
    times = []
    with closing(Store.open()) as store:
        for conversation in store.conversations(DELETIONS, 100):
            started = time.perf_counter()
            store.delete([conversation.name])
            times.append(time.perf_counter() - started)
    detail(f"s to delete one conversation, its words too: {spread(times)}")


def keep_question(store: Store) -> str:
    """A new conversation with a question whose answer is about to come."""
    text = "How do I sort a list?"
    name = store.begin(text, "/home/me", date(2026, 3, 1)).name
    question = store.add_question(name, 0, text, (Message(Role.USER, (Part(text, "question"),)),))
    store.begin_answer(name, question.number, WRITING)
    return name


# ── queries ─────────────────────────────────────────────────────────────────────────────────


def all_queries() -> dict[str, list[str]]:
    random = Random(1)
    kinds: dict[str, Callable[[Random], str]] = {
        "words": a_word,
        "pieces of code": a_piece_of_code,
        "two Chinese characters": two_characters,
        "a word and two characters": lambda r: f"{a_word(r)} {two_characters(r)}",
    }
    return {kind: [make(random) for _ in range(QUERIES_OF_A_KIND)] for kind, make in kinds.items()}


def a_word(random: Random) -> str:
    return found(random, english_sentences(), "[A-Za-z]{3,}")


def two_characters(random: Random) -> str:
    return found(random, chinese_sentences(), "[\u4e00-\u9fff]{2}")


def a_piece_of_code(random: Random) -> str:
    """6 to 20 characters of a line, from anywhere in it."""
    line = found(random, lines_of_code(), '[^"]{20,}')
    length = min(random.randint(6, 20), len(line))
    start = random.randrange(len(line) - length + 1)
    return f'"{line[start : start + length].strip()}"'


def found(random: Random, texts: list[str], pattern: str) -> str:
    while True:
        if pieces := re.findall(pattern, random.choice(texts)):
            return str(random.choice(pieces)).strip()
