"""What does the full-screen chat cost, and how fast does it answer a key?"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.cli.chatting import ESCAPE_MS
from assistant.conversation.store import Store
from benchmarks.long_chat import open_and_scroll
from benchmarks.measure import BIN, RUNS, detail, show, spread
from benchmarks.terminals import OnTerminal

LETTERS = "αβγδεζηθικλμνξοπρστυφχψωабвгдежзийклмнопрстуфхцчшщъыьэюя"  # in no answer
PLACEHOLDER = b"about your code"
READY, WRITING = b"ready", b"writing"
STORY = "Explain in detail, with much code, how to write a text editor in Python."
LONG = " ".join(f"Point {number}: keep it simple and test it." for number in range(46))
ANSWER_TOKENS = 400
ESCAPE, ESCAPES = "\x1b", 40


def main() -> None:
    first_paint()
    keys_while_scripted()
    escape_to_stopped()
    cost_of_streaming()
    with real_home() as home:
        keys_while_decoding(home)
        decoding_with_and_without(home)
    idle()
    open_and_scroll()


# ── starting ────────────────────────────────────────────────────────────────────────────────


def first_paint() -> None:
    ours, peer = [], []
    with real_home() as home:
        for _ in range(RUNS + 1):
            chat = OnTerminal([str(BIN / "llmchat")], environment=home)
            ours.append(chat.wait_for(PLACEHOLDER))
            chat.close()
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
            peer.append(time.perf_counter() - began)
    ours, peer = ours[1:], peer[1:]
    detail(f"seconds: ours {spread(ours)}; import textual.app {spread(peer)}")
    ratio = statistics.median(ours) / statistics.median(peer)
    show("start to first paint, against import textual.app", ratio, 3, at_most=True)


# ── keys ────────────────────────────────────────────────────────────────────────────────────


def keys_while_scripted() -> None:
    with scripted(300, 9_000) as chat:
        begin_answer(chat, "Go on.")
        show_echo("while an engine writes 300 tokens/s", echoes(chat))


def keys_while_decoding(home: dict[str, str]) -> None:
    words = ["-o", "max_tokens=2000", "-o", "temperature=1"]
    chat = OnTerminal([str(BIN / "llmchat"), "chat", *words], environment=home)
    chat.wait_for(b"of 8,192")
    begin_answer(chat, STORY)
    show_echo("while the model decodes on every core", echoes(chat))
    chat.close()


def show_echo(when: str, seconds: list[float]) -> None:
    ms = sorted(1000 * one for one in seconds)
    p95 = ms[int(len(ms) * 0.95)]
    detail(f"ms: median {statistics.median(ms):.1f}, p95 {p95:.1f}, worst {ms[-1]:.1f}")
    show(f"key press to echo, p95, {when}", p95, 50, at_most=True, unit="ms")


def echoes(chat: OnTerminal) -> list[float]:
    """Seconds until each letter was drawn; a person types ten in a second."""
    found = []
    for letter in LETTERS:
        chat.read_for(0.1)
        before = len(chat.written)
        chat.send(letter)
        found.append(chat.wait_for(letter.encode(), since=before))
    return found


def escape_to_stopped() -> None:
    """From the key to the moment when the engine is told."""
    seconds = []
    with scripted(150, 9_000) as chat:
        for number in range(ESCAPES):
            begin_answer(chat, "Go on.")
            chat.read_for(0.3 + 0.007 * number)  # anywhere between two looks at what has come
            pressed, before = time.monotonic(), len(chat.written)
            chat.send(ESCAPE)
            chat.wait_for(READY, since=before)
            seconds.append(stops(chat)[-1] - pressed)
    ms = sorted(1000 * one for one in seconds)
    detail(f"ms: median {statistics.median(ms):.1f}, worst {ms[-1]:.1f}")
    p95 = ms[int(len(ms) * 0.95)]
    show("Esc to stopped, p95", p95, 50, at_most=True, unit="ms")


def stops(chat: OnTerminal) -> list[float]:
    """When the engine was told to stop, in seconds of `time.monotonic`."""
    home = Path(chat.environment["LLMCHAT_HOME"])
    return [float(line) for line in (home / "stopped").read_text().splitlines()]


# ── what it costs ───────────────────────────────────────────────────────────────────────────


def cost_of_streaming() -> None:
    with scripted(150, 3_000) as chat:
        begin_answer(chat, "Go on.")
        chat.read_for(1.0)
        share = share_of_core(chat, 15.0)
    show("screen while an answer streams at 150 tokens/s", share, 0.15, at_most=True, unit="cores")


def idle() -> None:
    with scripted(150, 10) as chat:
        chat.wait_for(READY)
        chat.read_for(2.0)
        share = share_of_core(chat, 10.0)
    show("idle chat", 100 * share, 1, at_most=True, unit="% of a core")


def share_of_core(chat: OnTerminal, seconds: float) -> float:
    before, began = chat.cpu_seconds, time.perf_counter()
    chat.read_for(seconds)
    return (chat.cpu_seconds - before) / (time.perf_counter() - began)


def decoding_with_and_without(home: dict[str, str]) -> None:
    """Alternating; each time it is a conversation of its own, and the same answer."""
    with_screen, without = [], []
    for _ in range(3):
        with_screen.append(decode_speed(home, on_screen))
        without.append(decode_speed(home, in_a_pipe))
    detail(f"tokens/s: with the screen {spread(with_screen)}; without {spread(without)}")
    ratio = statistics.median(with_screen) / statistics.median(without)
    show("decode with the chat on screen, against without", ratio, 0.85, at_most=False)


OPTIONS = ("-o", f"max_tokens={ANSWER_TOKENS}", "-o", "temperature=0.8", "-o", "seed=5")


def on_screen(home: dict[str, str]) -> None:
    chat = OnTerminal([str(BIN / "llmchat"), "chat", *OPTIONS], environment=home)
    chat.wait_for(b"of 8,192")
    begin_answer(chat, LONG)
    chat.wait_for(READY, since=len(chat.written))
    chat.close()


def in_a_pipe(home: dict[str, str]) -> None:
    command = [str(BIN / "llmchat"), LONG, "-q", *OPTIONS]
    subprocess.run(
        command,
        env={**os.environ, **home},
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        check=True,
    )


def decode_speed(home: dict[str, str], ask: Callable[[dict[str, str]], None]) -> float:
    """Tokens per second of the answer, as the engine has measured them."""
    ask(home)
    store = Store.open(Path(home["LLMCHAT_HOME"]) / "data" / "history.db")
    latest = store.latest()
    assert latest is not None
    answer = store.path(latest.name)[-1]
    store.close()
    assert answer.writing is not None
    assert answer.writing.usage is not None
    return answer.writing.usage.decode_tokens_per_second


# ── chats ───────────────────────────────────────────────────────────────────────────────────


@contextmanager
def scripted(rate: float, tokens: int) -> Iterator[OnTerminal]:
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "benchmarks.scripted_chat", str(rate), str(tokens)]
        environment = {"LLMCHAT_HOME": home, "STOPPED": f"{home}/stopped", "ESCDELAY": ESCAPE_MS}
        chat = OnTerminal(command, environment=environment)
        chat.wait_for(PLACEHOLDER)
        yield chat
        chat.close()


@contextmanager
def real_home() -> Iterator[dict[str, str]]:
    """A home of its own, and no engine left behind."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"LLMCHAT_HOME": home}
        yield environment
        stop = [str(BIN / "llmchat"), "engine", "stop", "-q"]
        subprocess.run(stop, env={**os.environ, **environment}, check=True)


def begin_answer(chat: OnTerminal, question: str) -> None:
    before = len(chat.written)
    chat.send(question + "\r")
    chat.wait_for(WRITING, since=before)
