"""Settings become a model and an engine."""

from pathlib import Path

import pytest

from assistant.config import Settings
from assistant.errors import ModelError
from assistant.model_store.local_models import find_model
from assistant.startup import choose_model, open_engine


def test_settings_reach_the_model(private_home: Path) -> None:
    spec = choose_model(Settings(window=1024, kv_type="q8_0", threads=2))
    assert spec.path == find_model()
    assert (spec.window, spec.kv_type, spec.threads) == (1024, "q8_0", 2)
    assert spec.log == private_home / "state" / "llamacpp.log"


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelError):
        choose_model(Settings(model="/nonexistent/model.gguf"))


def test_an_engine_is_made_without_loading() -> None:
    engine = open_engine(choose_model(Settings()))
    with pytest.raises(ModelError, match="not loaded"):
        engine.measure(None)  # type: ignore[arg-type]  # never looked at
    engine.close()
