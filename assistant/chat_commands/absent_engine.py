"""What stands in the place of an engine until there is one: past answers can be read meanwhile."""
# ruff: noqa: ARG002 # the names are the protocol's

from collections.abc import Iterator, Sequence

from assistant.backends.base import BackendInfo
from assistant.engine.base import AnswerStream, GenerationRequest, Kept, Measure
from assistant.errors import ModelError
from assistant.events import ModelLoading
from assistant.messages import Prompt, Rendered


class AbsentEngine:
    """See `Engine`: whoever asks it for anything is told that there is no model."""

    kept: Kept | None = None

    @property
    def info(self) -> BackendInfo:
        raise _no_model()

    def load(self) -> Iterator[ModelLoading]:
        raise _no_model()

    def measure(self, prompt: Prompt) -> Measure:
        raise _no_model()

    def render(self, prompt: Prompt) -> Rendered:
        raise _no_model()

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        raise _no_model()

    def detokenize(self, token_ids: Sequence[int]) -> str:
        raise _no_model()

    def stream(self, request: GenerationRequest) -> AnswerStream:
        raise _no_model()

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        raise _no_model()

    def close(self) -> None:
        """There is nothing to close."""


def _no_model() -> ModelError:
    return ModelError("no model is loaded", "/model NAME")
