"""The only place that wires: which model, which engine, which session."""

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assistant import paths
from assistant.backends.base import ModelSpec, Runtime
from assistant.config import Settings
from assistant.engine import spawn
from assistant.engine.base import Engine
from assistant.engine.remote_spec import (
    REMOTE_PREFIX,
    RemoteSpec,
    read_remote_spec,
    refuse_bare_url,
)
from assistant.errors import InputError, UsageError
from assistant.model_store.local_models import TORCH_PREFIX, find_model, find_torch_model
from assistant.trust import project_notes

if TYPE_CHECKING:
    from assistant.conversation.message_names import MessageName
    from assistant.conversation.records import Conversation
    from assistant.conversation.session import Session
    from assistant.conversation.store import Store


def choose_model(settings: Settings) -> ModelSpec | RemoteSpec:
    """Raises `ModelError` when there is no such model, `UsageError` when settings contradict it."""
    if settings.model.startswith(TORCH_PREFIX):
        return _choose_torch_model(settings)
    if settings.int8:
        raise UsageError(
            "8 bits (--int8, LLMCHAT_INT8) are for hf: models, which run on PyTorch",
            "-m hf:PATH --int8",
        )
    if settings.model.startswith(REMOTE_PREFIX):
        return read_remote_spec(
            settings.model, window=settings.window, key_file=settings.api_key_file
        )
    refuse_bare_url(settings.model)
    return ModelSpec(
        path=find_model(settings.model),
        window=settings.window,
        kv_type=settings.kv_type,
        threads=settings.threads,
        log=paths.writable(paths.state_folder()) / "llamacpp.log",
    )


def _choose_torch_model(settings: Settings) -> ModelSpec:
    if settings.kv_type != "f16":
        raise UsageError(
            f"LLMCHAT_KV_TYPE={settings.kv_type}: on PyTorch keys and values have the type of "
            "the weights",
            "unset LLMCHAT_KV_TYPE",
        )
    return ModelSpec(
        path=find_torch_model(settings.model.removeprefix(TORCH_PREFIX)),
        window=settings.window,
        threads=settings.threads,
        runtime=Runtime.TORCH,
        device=settings.device,
        dtype=settings.dtype,
        int8=settings.int8,
    )


def open_engine(spec: ModelSpec | RemoteSpec, settings: Settings) -> Engine:
    """An engine that has not loaded its model yet: in a process that stays, unless told not to.

    Raises `UsageError` when there is no safe place for its socket.
    """
    if isinstance(spec, RemoteSpec):
        from assistant.engine.remote import RemoteEngine  # few ask a server

        spawn.dismiss()
        return RemoteEngine(spec)
    if settings.resident and hasattr(socket, "AF_UNIX"):
        from assistant.engine.client import ResidentEngine

        spec = replace(spec, snapshots=snapshot_folder(), snapshot_bytes=settings.snapshot_size)
        return ResidentEngine(spec, settings.keep_alive)
    from assistant.engine.local import LocalEngine

    spawn.dismiss()
    return LocalEngine(spec)


def snapshot_folder() -> Path:
    """Where the KV states of the models are kept."""
    return paths.cache_folder() / "kv"


def open_session(
    engine: Engine,
    settings: Settings,
    *,
    resume: "MessageName | None" = None,
    has_notes: bool = True,
    kept: "Callable[[], Store] | None" = None,
) -> "Session":
    """A new conversation, or an old one that goes on from its last message, or a certain one.

    `has_notes`: those of a project that the user trusts join a first question. `kept` opens a store
    that other sessions share; without it the session has its own. Raises `InputError` when there
    is no such conversation.
    """
    from assistant.conversation.session import Session  # the engine loads meanwhile

    opened = kept or partial(open_store, settings)
    conversation, leaf = None, None
    if resume is not None:
        store = opened()
        conversation, leaf = _resumed(resume, store, settings), resume.number
        opened = lambda: store  # noqa: E731 # it is open already
    return Session(
        engine,
        settings.sampling,
        opened,
        conversation,
        leaf,
        notes=project_notes() if has_notes else (),
        when_full=settings.when_full,
        keeps_state=settings.history,
    )


def open_store(settings: Settings) -> "Store":
    """What is remembered; without history that of this process alone."""
    from assistant.conversation.store import Store  # SQLite: not before something is kept

    return Store.open() if settings.history else Store.in_memory()


def _resumed(resume: "MessageName", store: "Store", settings: Settings) -> "Conversation":
    """Without history it goes on in a copy."""
    from assistant.conversation.store import Store

    if settings.history:
        return _meant(resume, store)
    with suppress(InputError):
        return _meant(resume, store)  # of this process alone
    lasting = Store.open()
    try:
        conversation = _meant(resume, lasting)
        return store.add_whole(conversation, lasting.messages(conversation.name))
    finally:
        lasting.close()


def _meant(resume: "MessageName", store: "Store") -> "Conversation":
    found = store.find(resume.conversation) if resume.conversation else store.latest()
    if found is None:
        raise InputError("there is no conversation to go on with", 'llmchat "…" begins one')
    return found
