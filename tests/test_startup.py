"""Settings become a model and an engine."""

import socket
from pathlib import Path

import pytest

from assistant.backends.base import ModelSpec, Runtime
from assistant.config import Settings
from assistant.engine.client import ResidentEngine
from assistant.engine.local import LocalEngine
from assistant.errors import ModelError, UsageError
from assistant.model_store.local_models import find_model
from assistant.startup import choose_model, open_engine


def test_settings_reach_the_model(private_home: Path) -> None:
    spec = choose_model(Settings(window=1024, kv_type="q8_0", threads=2))
    assert isinstance(spec, ModelSpec)
    assert spec.path == find_model()
    assert (spec.window, spec.kv_type, spec.threads) == (1024, "q8_0", 2)
    assert spec.log == private_home / "state" / "llamacpp.log"
    assert spec.runtime is Runtime.LLAMACPP


def test_a_prefix_chooses_pytorch(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    settings = Settings(
        model=f"hf:{tmp_path}", window=1024, threads=2, device="cpu", dtype="f32", int8=True
    )
    assert choose_model(settings) == ModelSpec(
        tmp_path,
        window=1024,
        threads=2,
        runtime=Runtime.TORCH,
        device="cpu",
        dtype="f32",
        int8=True,
    )
    starter = choose_model(Settings(model="hf:starter"))
    assert isinstance(starter, ModelSpec)
    assert starter.path == find_model()


def test_settings_of_pytorch_do_not_hinder_a_gguf_file() -> None:
    spec = choose_model(Settings(device="cuda", dtype="bf16"))
    assert spec == choose_model(Settings())


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        (Settings(int8=True), "--int8", "-m hf:PATH --int8"),
        (Settings(model="hf:starter", kv_type="q8_0"), "LLMCHAT_KV_TYPE=q8_0", "unset "),
    ],
)
def test_settings_of_the_other_runtime_are_refused(
    settings: Settings, message: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        choose_model(settings)
    assert hint in caught.value.hint


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelError):
        choose_model(Settings(model="/nonexistent/model.gguf"))


def test_an_engine_is_made_without_loading() -> None:
    engine = open_engine(choose_model(Settings()), Settings(resident=False))
    with pytest.raises(ModelError, match="not loaded"):
        engine.measure(None)  # type: ignore[arg-type]  # never looked at
    engine.close()


def test_an_engine_stays_unless_told_not_to_or_there_are_no_unix_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = choose_model(Settings())
    assert isinstance(open_engine(spec, Settings()), ResidentEngine)
    assert isinstance(open_engine(spec, Settings(resident=False)), LocalEngine)
    monkeypatch.delattr(socket, "AF_UNIX")
    assert isinstance(open_engine(spec, Settings()), LocalEngine)
