"""Children that crash, hang or talk nonsense are told apart, and none is left behind."""

from pathlib import Path
from time import monotonic

import planted
import pytest

from assistant.doctor.check import Status
from assistant.doctor.children import Child, ChildAnswer
from assistant.doctor.llamacpp_build import PROBE, check_llamacpp, rebuild_command


def answer_of(tmp_path: Path, body: str, seconds: float = 10) -> ChildAnswer:
    """Of a child that is this shell script instead of Python."""
    python = planted.script(tmp_path / "python", body)
    with Child(PROBE, python=[str(python)], seconds=seconds) as child:
        return child.answer()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("kill -SEGV $$", "it was killed by SIGSEGV"),
        ("kill -40 $$", "it was killed by signal 40"),
        ("echo one >&2; echo two >&2; exit 3", "it ended with 3: two"),
        ("exit 3", "it ended with 3: without a word"),
        ("echo hello", "it did not answer"),
        ("echo '[1]'", "it did not answer"),
        ("", "it did not answer"),
    ],
)
def test_how_a_child_ended_is_said(tmp_path: Path, body: str, problem: str) -> None:
    assert answer_of(tmp_path, body).problem == problem


def test_what_libraries_print_before_the_answer_is_skipped(tmp_path: Path) -> None:
    assert answer_of(tmp_path, "echo noise; echo '{\"a\": 1}'").content == {"a": 1}


def test_a_child_that_hangs_is_given_up_and_killed(tmp_path: Path) -> None:
    started = monotonic()
    found = answer_of(tmp_path, "exec sleep 60", seconds=0.2)
    assert found.problem == "it did not answer within 0.2 seconds"
    assert monotonic() - started < 10


def test_a_child_that_cannot_be_started_is_said() -> None:
    with Child(PROBE, python=["/nonexistent/python"]) as child:
        assert "cannot be started: No such file" in child.answer().problem


def test_nothing_is_imported_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    with Child("assistant.doctor.pytorch_probe") as child:
        assert child.answer().problem == ""


# ── llama.cpp ───────────────────────────────────────────────────────────────────────────────


def test_the_llama_cpp_of_this_machine_is_loaded() -> None:
    with Child(PROBE) as child:
        found = check_llamacpp(child.answer())
    assert (found.name, found.status) == ("llama.cpp", Status.OK)
    assert "llama-cpp-python 0." in found.says


def test_an_illegal_instruction_means_another_processor(tmp_path: Path) -> None:
    found = check_llamacpp(answer_of(tmp_path, "kill -ILL $$"))
    assert found.status is Status.FAILED
    assert "built for another processor" in found.says
    assert found.hint == rebuild_command()


def test_the_hint_compiles_the_installed_version_again() -> None:
    assert "-m pip install --force-reinstall --no-deps --no-cache-dir" in rebuild_command()
    assert "--no-binary llama-cpp-python llama-cpp-python==0." in rebuild_command()


@pytest.mark.parametrize("body", ["kill -SEGV $$", "exec sleep 60", "exit 1"])
def test_a_child_without_an_answer_has_not_loaded_llama_cpp(tmp_path: Path, body: str) -> None:
    found = check_llamacpp(answer_of(tmp_path, body, seconds=0.3))
    assert found.status is Status.FAILED
    assert found.says.startswith("llama.cpp cannot be loaded: it ")


def test_a_library_that_is_missing_is_named(tmp_path: Path) -> None:
    error = "llama.cpp cannot be loaded: libgomp.so.1: cannot open shared object file: No such file"
    found = check_llamacpp(ChildAnswer({"error": error, "hint": ""}))
    assert (found.status, found.says) == (Status.FAILED, error)
    assert found.hint.startswith("install the system's package that has libgomp.so.1; or ")


def test_an_import_that_fails_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "llama_cpp"
    broken.mkdir()
    (broken / "__init__.py").touch()
    (broken / "llama_cpp.py").write_text("raise ImportError('half of it is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Child(PROBE) as child:
        found = check_llamacpp(child.answer())
    assert found.status is Status.FAILED
    assert "half of it is missing" in found.says
    assert found.hint == rebuild_command()
