"""The chat on a terminal that changes its size, with answers and pastes that are too much."""

import random
import re
from pathlib import Path

from conftest import SCALE
from full_screen import assert_answers_keys, assert_whole, talking
from hostile_text import ATTACKS, EVERYTHING, HIDDEN

from assistant.conversation.records import State, StoredMessage
from assistant.conversation.store import Store

CTRL_B, CTRL_Q, ESCAPE = "\x02", "\x11", "\x1b"
# What Textual sends: colours, places, its modes, its questions, the keyboard and the pointer.
OWN = re.compile(
    rb"\x1b\[[0-9;]*m|\x1b\[\d+;\d+H|\x1b\[\?(?:25|7|100[0346]|1015|1016|1049|2004|2026|2048)[hl]"
    rb"|\x1b\[\?20(?:26|48)\$p|\x1b\[>\d+u|\x1b\[<u|\x1b\]22;[a-z-]*(?:\x1b\\|\x07)"
)


def last_branch() -> list[StoredMessage]:
    store = Store.open()
    latest = store.latest()
    path = store.path(latest.name) if latest is not None else []
    store.close()
    return path


def assert_harmless(written: bytes) -> None:
    rest = OWN.sub(b"", written).decode("utf-8").replace("\r\n", "")
    found = HIDDEN.search(rest)
    assert found is None, (found[0], rest[max(0, found.start() - 60) : found.end() + 20])
    assert "\r" not in rest


# ── much ────────────────────────────────────────────────────────────────────────────────────


def test_a_very_long_answer_leaves_the_keys_alone(tmp_path: Path) -> None:
    tokens = int(20_000 * SCALE)
    words = (f"**word{n}**\n\n" if n % 50 == 0 else f"word{n} " for n in range(tokens))
    answer = "".join(words) + "\n\nThe end of it."
    with talking(answer, tmp_path, environment={"PIECE": "4", "SLOWLY": "0.0002"}) as chat:
        chat.wait_until_ready()
        chat.ask("Go on.")
        chat.wait_for(lambda: chat.last_row.startswith("writing"))
        assert_answers_keys(chat, "αβγδ")
        chat.wait_for(lambda: chat.last_row.startswith("ready"))
        chat.wait_for_text("The end of it.")
        assert_whole(chat)
        chat.press(CTRL_Q)
        assert chat.wait_for_end() == 0
    kept = last_branch()[-1]
    assert (kept.state, kept.text) == (State.COMPLETE, answer)


def test_a_very_long_code_block_leaves_the_keys_alone(tmp_path: Path) -> None:
    lines = int(1_600 * SCALE)
    code = "".join(f"    value_{n} = compute(value_{n - 1}, 'text')  # {n}\n" for n in range(lines))
    answer = f"Here:\n\n```python\ndef f():\n{code}```\n"
    with talking(answer, tmp_path, environment={"PIECE": "4", "SLOWLY": "0.0005"}) as chat:
        chat.wait_until_ready()
        chat.ask("Code?")
        chat.wait_for(lambda: chat.last_row.startswith("writing"))
        assert_answers_keys(chat, "αβγδ")
        chat.wait_for(lambda: chat.last_row.startswith("ready"))
        chat.wait_for_text(f"# {lines - 1}")
        assert_whole(chat)
    assert last_branch()[-1].text == answer.removesuffix("\n") or last_branch()[-1].text == answer


def test_a_megabyte_is_pasted_and_asked_about(tmp_path: Path) -> None:
    lines = int(25_000 * max(SCALE, 0.2))
    text = "a line with \x1b[31mcolour\x1b[0m and \x1b]0;title\x07 text\r" * lines
    with talking("Yes.", tmp_path) as chat:
        chat.wait_until_ready()
        chat.paste(text)
        chat.wait_for_text("pasted text 1", f"{lines:,} lines")
        assert_whole(chat)
        assert_answers_keys(chat, "αβγδ")
        chat.ask(" what is this?")
        chat.wait_for_text("Yes.")
        chat.wait_until_ready()
        assert_harmless(chat.written)
    question, answer = last_branch()
    assert "what is this?" in question.text
    assert answer.text == "Yes."


# ── sizes ───────────────────────────────────────────────────────────────────────────────────


def test_a_storm_of_sizes_leaves_a_whole_screen(tmp_path: Path) -> None:
    choice = random.Random(4)
    sizes = [(choice.randint(20, 300), choice.randint(5, 100)) for _ in range(96)]
    answer = "Some **bold** words, 中文 and 🎉.\n\n```python\nx = 1\n```\n\n" * 400
    with talking(answer, tmp_path, environment={"SLOWLY": "0.005"}) as chat:
        chat.wait_until_ready()
        chat.ask("Go on.")
        chat.wait_for(lambda: chat.last_row.startswith("writing"))
        for columns, rows in [(20, 5), *sizes, (1, 1), (3, 2), (300, 100)]:
            chat.resize(columns, rows)
            chat.read(0.02)
        chat.press(ESCAPE)
        for columns, rows in ((60, 15), (300, 100), (80, 24)):
            chat.look_anew(columns, rows)
            chat.wait_for_text("stopped", "ready")
            assert_whole(chat)
        chat.press(CTRL_Q)
        assert chat.wait_for_end() == 0
        chat.assert_restored()


# ── hostile text ────────────────────────────────────────────────────────────────────────────

BROKEN = (
    "[/] [bold]x[/bold] [@click=app.quit]y[/] ```python\n[/red]\n**never *ends _ | a | b\n|--\n"
)


def test_nothing_that_is_said_steers_the_terminal(tmp_path: Path) -> None:
    answer = EVERYTHING + "".join(ATTACKS) + BROKEN + "".join(ATTACKS)
    folder = tmp_path / "in \x1b]0;x\x07\u202e [red] \x9b31m"
    folder.mkdir()
    name = "evil\x1b]0;x\x07\u202e[bold]\x9b31m.py"
    (folder / name).write_text("x = 1  # " + "".join(ATTACKS) + BROKEN)
    with talking(
        answer,
        tmp_path / "engine",
        current_folder=folder,
        columns=120,
        rows=50,
    ) as chat:
        chat.wait_until_ready()
        chat.paste("".join(ATTACKS) + BROKEN.replace("\n", " ") + " why?")
        chat.wait_for_text("why?")
        chat.press("\r")
        chat.wait_for_text("tokens/s", "elif.exe", r"\x1b]0;title")
        chat.wait_until_ready()
        chat.press("@ev")
        chat.wait_for_text("[bold]")
        chat.press("\t\r")
        chat.wait_for(lambda: len(last_branch()) == 4)
        chat.wait_until_ready()
        (tmp_path / "said").write_text(answer)
        chat.ask(f"!cat {tmp_path}/said; ls")
        chat.wait_for_text("exit code 0")
        for line in ("/context", "/history", "/details", f"/attach no{ATTACKS[0][:1]}"):
            chat.ask(line)
            chat.wait_until_quiet()
        chat.press(CTRL_B)
        chat.wait_until_quiet()
        chat.press(ESCAPE)
        chat.press(CTRL_Q)
        assert chat.wait_for_end() == 0
        assert_harmless(chat.written)
        chat.assert_restored()
