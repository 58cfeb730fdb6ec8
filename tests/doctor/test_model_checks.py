"""The chosen model: whether it is there, whole, known, and fits the memory."""

from pathlib import Path

import planted
import pytest
from msgspec.structs import replace

from assistant.backends.base import ModelSpec, Runtime
from assistant.doctor.check import Status
from assistant.doctor.children import Child
from assistant.doctor.model import Model, check_memory, check_model, read_model
from assistant.doctor.vocabulary import PROBE, vocabulary_checks
from assistant.model_store.local_models import find_model

MIB = 1 << 20


def starter(**chosen: int) -> Model:
    found = read_model("starter", lambda: ModelSpec(find_model("starter"), **chosen))  # type: ignore[arg-type]  # only numbers are chosen
    assert isinstance(found, Model)
    return found


def test_the_starter_is_whole() -> None:
    found = check_model(starter(window=1024))
    assert found.status is Status.OK
    for fact in ("(starter)", "architecture llama", "Q4_1", "window 1,024 of 8,192 tokens"):
        assert fact in found.says


def test_a_model_that_is_not_there_is_said_with_what_to_type() -> None:
    found = check_model(read_model("x", lambda: ModelSpec(find_model("/nonexistent/x.gguf"))))
    assert found.status is Status.FAILED
    assert "there is no model /nonexistent/x.gguf" in found.says
    assert "-m starter" in found.hint


def test_a_download_that_was_cut_is_found(tmp_path: Path) -> None:
    whole = planted.write_model(tmp_path / "whole.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[:-100])
    found = check_model(read_model(str(cut), lambda: ModelSpec(cut)))
    assert found.status is Status.FAILED
    assert "download it again" in found.hint


def test_a_model_without_a_window_is_not_what_it_seems(tmp_path: Path) -> None:
    path = planted.write_model(tmp_path / "m.gguf")
    path.write_bytes(path.read_bytes().replace(b"llama.context_length", b"llama.context_lengtX"))
    found = check_model(read_model(str(path), lambda: ModelSpec(path)))
    assert (found.status, "LLMCHAT_WINDOW" in found.hint) == (Status.WARNING, True)
    assert "does not say how large its window is" in found.says


# ── memory ──────────────────────────────────────────────────────────────────────────────────


def test_the_whole_window_fits_a_large_memory(tmp_path: Path) -> None:
    found = check_memory(starter(), planted.machine(tmp_path))
    assert found.status is Status.OK
    assert "8.6 GB free" in found.says
    assert "8,192 tokens" in found.says


def test_a_memory_too_small_for_the_window_is_a_warning(tmp_path: Path) -> None:
    root = planted.machine(tmp_path, free=450 * MIB)
    found = check_memory(starter(), root)
    assert found.status is Status.WARNING
    assert "with a window of 8,192 tokens needs" in found.says
    assert "LLMCHAT_WINDOW=" in found.hint
    assert "swap" not in found.hint


def test_a_memory_too_small_for_anything_fails_and_swap_is_no_way_out(tmp_path: Path) -> None:
    root = planted.machine(tmp_path, free=50 * MIB, swap=planted.GIB)
    found = check_memory(starter(), root)
    assert found.status is Status.FAILED
    assert "52 MB are free" in found.says
    assert "swap does not help" in found.hint


def test_a_model_folder_is_looked_at_as_well(tmp_path: Path) -> None:
    spec = ModelSpec(
        planted.write_folder(tmp_path / "tiny"), runtime=Runtime.TORCH, device="cpu", dtype="f32"
    )
    model = read_model("hf:tiny", lambda: spec)
    assert isinstance(model, Model)
    assert "on PyTorch" in check_model(model).says
    assert check_memory(model, planted.machine(tmp_path / "large")).status is Status.OK
    small = planted.machine(tmp_path / "small", free=MIB)
    assert check_memory(model, small).status is Status.FAILED
    gpu = Model(model.asked, replace(spec, device="cuda"), model.file)
    assert check_memory(gpu, small).status is Status.WARNING


# ── what the child finds ────────────────────────────────────────────────────────────────────


def checks_of(path: Path) -> list[tuple[str, Status, str]]:
    with Child(PROBE, str(path)) as child:
        return [(c.name, c.status, c.says) for c in vocabulary_checks(child.answer())]


def test_the_starters_vocabulary_and_template_are_well() -> None:
    vocabulary, template = checks_of(find_model("starter"))
    assert vocabulary == ("vocabulary", Status.OK, "49,152 tokens, 17 of control")
    assert template[:2] == ("template", Status.OK)
    assert "keeps 17 spelled control tokens as text" in template[2]


def test_a_folder_is_tested_with_its_own_tokenizer(tmp_path: Path) -> None:
    vocabulary, template = checks_of(planted.write_folder(tmp_path / "tiny"))
    assert vocabulary == ("vocabulary", Status.OK, "259 tokens, 3 of control")
    assert template[:2] == ("template", Status.OK)


def test_an_architecture_that_llama_cpp_does_not_know_is_named(tmp_path: Path) -> None:
    (found,) = checks_of(planted.write_model(tmp_path / "m.gguf", "perceptron"))
    assert found[:2] == ("vocabulary", Status.FAILED)
    assert "perceptron" in found[2]


@pytest.mark.parametrize(
    ("body", "said"),
    [("kill -ILL $$", "built for another processor"), ("kill -ABRT $$", "killed by SIGABRT")],
)
def test_a_vocabulary_that_crashes_llama_cpp_is_said(tmp_path: Path, body: str, said: str) -> None:
    python = planted.script(tmp_path / "python", body)
    with Child(PROBE, "m.gguf", python=[str(python)]) as child:
        (found,) = vocabulary_checks(child.answer())
    assert (found.name, found.status) == ("vocabulary", Status.FAILED)
    assert said in found.says
