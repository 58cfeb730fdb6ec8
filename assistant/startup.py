"""The only place that wires: which model, which engine, which session."""

from assistant import paths
from assistant.backends.base import ModelSpec
from assistant.config import Settings
from assistant.conversation.session import Session
from assistant.engine.base import Engine
from assistant.engine.local import LocalEngine
from assistant.model_store.local_models import find_model


def choose_model(settings: Settings) -> ModelSpec:
    """Raises `ModelError` when there is no such model."""
    return ModelSpec(
        path=find_model(settings.model),
        window=settings.window,
        kv_type=settings.kv_type,
        threads=settings.threads,
        log=paths.writable(paths.state_folder()) / "llamacpp.log",
    )


def open_engine(spec: ModelSpec) -> Engine:
    """An engine that has not loaded its model yet."""
    return LocalEngine(spec)


def open_session(engine: Engine, settings: Settings) -> Session:
    return Session(engine, settings.sampling)
