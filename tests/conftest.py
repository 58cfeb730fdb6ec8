"""Fixtures that every test may use: a private home, the shared data, the starter model."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.backends.base import ModelSpec, Runtime
from assistant.backends.huggingface.gguf_conversion import convert
from assistant.engine.local import LocalEngine
from assistant.model_store.gguf_file import read_gguf
from assistant.model_store.local_models import find_model

ROOT = Path(__file__).parent.parent
SCALE = float(os.environ.get("LLMCHAT_TEST_SCALE", "0.1"))


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the files of the person who runs it, or takes all the cores."""
    home = tmp_path_factory.mktemp("llmchat-home")
    monkeypatch.setenv("LLMCHAT_HOME", str(home))
    monkeypatch.setenv("LLMCHAT_THREADS", "1")  # two collapse when something else runs beside
    monkeypatch.setenv("LLMCHAT_RESIDENT", "0")  # no test leaves an engine behind
    return home


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real chat templates and vocabularies; skipped where absent, unless the data is required."""
    folder = Path(os.environ.get("LLMCHAT_TEST_DATA", ROOT.parent / "shared" / "data"))
    if (folder / "chat_templates").is_dir():
        return folder
    reason = f"no test data in {folder} (set LLMCHAT_TEST_DATA)"
    if os.environ.get("LLMCHAT_REQUIRE_TEST_DATA"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def starter_spec() -> ModelSpec:
    """The starter model on one core."""
    return ModelSpec(find_model("starter"), threads=1)


@pytest.fixture(scope="session")
def starter_engine(starter_spec: ModelSpec) -> Iterator[LocalEngine]:
    """Loaded once; what earlier tests asked may still be cached."""
    engine = LocalEngine(starter_spec)
    for _ in engine.load():
        pass
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def torch_starter_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter model as PyTorch reads it, converted once: 15 seconds."""
    file = read_gguf(find_model("starter"))
    return convert(file, tmp_path_factory.mktemp("cache"), lambda _loading: True)


@pytest.fixture(scope="session")
def torch_starter_spec(torch_starter_folder: Path) -> ModelSpec:
    """The starter model on PyTorch, on one core."""
    return ModelSpec(torch_starter_folder, threads=1, runtime=Runtime.TORCH, dtype="f32")


@pytest.fixture(scope="session")
def torch_starter_engine(torch_starter_spec: ModelSpec) -> Iterator[LocalEngine]:
    """Loaded once; what earlier tests asked may still be cached."""
    engine = LocalEngine(torch_starter_spec)
    for _ in engine.load():
        pass
    yield engine
    engine.close()
