"""All checks in their order: what is known at once first, then what child processes find out."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from assistant.backends.base import Runtime
from assistant.doctor.check import Check, Status
from assistant.doctor.children import PATIENCE_SECONDS, PYTHON, Child
from assistant.doctor.engines import check_engine
from assistant.doctor.folders import folder_checks
from assistant.doctor.llamacpp_build import PROBE as LLAMACPP_PROBE
from assistant.doctor.llamacpp_build import check_llamacpp
from assistant.doctor.model import Model, check_memory, check_model
from assistant.doctor.processor import check_processor
from assistant.doctor.programs import check_editor, check_git
from assistant.doctor.python import check_python
from assistant.doctor.pytorch import IMPORT_SECONDS, check_pytorch
from assistant.doctor.pytorch import PROBE as PYTORCH_PROBE
from assistant.doctor.settings import (
    PromptState,
    check_environment,
    check_prompts,
    check_settings,
)
from assistant.doctor.terminal import Terminal, check_characters, check_terminal
from assistant.doctor.vocabulary import PROBE as TEMPLATE_PROBE
from assistant.doctor.vocabulary import vocabulary_checks
from assistant.engine.remote_spec import RemoteSpec
from assistant.errors import AssistantError


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at.

    `load` reads the settings and raises `UsageError`; `settings` are the names of all of them.
    `find_model` is asked when they are valid; `python` is the command that runs children.
    """

    load: Callable[[], object]
    settings: Collection[str]
    find_model: Callable[[], Model | RemoteSpec | AssistantError]
    prompts: Callable[[], Iterable[PromptState]]
    terminal: Terminal
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Sequence[str] = PYTHON


def examine(subject: Subject) -> Iterator[Check]:
    """Every check as soon as it is known. What cannot be looked at is left out."""
    with ExitStack() as children:
        start = partial(_start, children, subject.python)
        llamacpp = start(LLAMACPP_PROBE)
        yield check_python()
        settings = check_settings(subject.load)
        yield settings
        model = None if settings.status is Status.FAILED else subject.find_model()
        template = start(TEMPLATE_PROBE, str(model.spec.path)) if isinstance(model, Model) else None
        needs_torch = isinstance(model, Model) and model.spec.runtime is Runtime.TORCH
        torch = start(PYTORCH_PROBE, *(["import"] if needs_torch else []))
        yield from _quick_checks(subject)
        if model is not None:
            yield check_model(model)
        if isinstance(model, Model):
            yield check_memory(model)
        answer = llamacpp.answer()
        build = check_llamacpp(answer)
        yield build
        yield check_processor(str(answer.content.get("system_info", "")))
        if template is not None and (needs_torch or build.status is not Status.FAILED):
            yield from vocabulary_checks(template.answer())
        yield check_pytorch(torch.answer(), is_needed=needs_torch)


def _start(children: ExitStack, python: Sequence[str], probe: str, *arguments: str) -> Child:
    seconds = IMPORT_SECONDS if arguments == ("import",) else PATIENCE_SECONDS
    return children.enter_context(Child(probe, *arguments, python=python, seconds=seconds))


def _quick_checks(subject: Subject) -> Iterator[Check]:
    yield check_environment(subject.environment, subject.settings)
    yield check_prompts(subject.prompts)
    yield from folder_checks()
    yield check_engine()
    yield check_terminal(subject.terminal)
    yield check_characters(subject.terminal)
    yield check_git(subject.environment)
    yield check_editor(subject.environment)
