"""An engine that asks a server with OpenAI's API: vLLM, SGLang, llama-server and their like.

The weights are somewhere else, and so is the tokenizer: counts before an answer are estimates.
"""

import re
import secrets
import threading
from collections.abc import Iterator, Sequence

from assistant.backends.base import Abilities, BackendInfo
from assistant.engine.base import GenerationRequest, Measure
from assistant.engine.remote_errors import NotThere
from assistant.engine.remote_spec import REMOTE_PREFIX, RemoteSpec
from assistant.engine.remote_stream import RemoteAnswerStream
from assistant.engine.remote_wire import ListedModel, WireError, read_models, read_props_window
from assistant.errors import (
    AssistantError,
    EngineFailed,
    EngineUnreachable,
    ModelError,
    UsageError,
)
from assistant.events import ModelLoading
from assistant.messages import ChatPrompt, PartTokens, Prompt, Rendered

UNKNOWN_WINDOW = 8192  # tokens, when neither the server nor the settings say
BYTES_PER_TOKEN = 3.5  # of code and of most languages, for tokenizers of today
WIDE = re.compile("[\u2e80-\U0003ffff]")  # Chinese, Japanese, Korean, emoji: about a token each
MESSAGE_TOKENS = 5  # what a chat template puts around a message
MODELS_SHOWN = 10
LOOK_SECONDS = 0.2


class RemoteEngine:
    """See `Engine`. `load()` first: it finds the model and its window."""

    def __init__(self, spec: RemoteSpec) -> None:
        self._spec = spec
        self._guard = threading.Lock()  # for all that follows
        self._info: BackendInfo | None = None
        self._model = ""  # as the server calls it
        self._failure: AssistantError | None = None
        self._loader: threading.Thread | None = None
        self._stage = f"asking {spec.host}"
        self._is_closed = False
        self._streams: set[RemoteAnswerStream] = set()

    # ── loading and closing ─────────────────────────────────────────────────────────────────

    def load(self) -> Iterator[ModelLoading]:
        """Ask at once; the iterator ends when the answer is there. Closed before, it gives up.

        Raises `EngineUnreachable`, `ModelError`, and `UsageError` when httpx2 is not installed.
        """
        with self._guard:
            if self._is_closed:
                raise _closed()
            if self._loader is None:
                self._loader = threading.Thread(target=self._load, name="remote", daemon=True)
                self._loader.start()
            loader = self._loader
        return self._loading_steps(loader)

    def _loading_steps(self, loader: threading.Thread) -> Iterator[ModelLoading]:
        told = ""
        try:
            loader.join(LOOK_SECONDS / 4)
            while loader.is_alive():
                if told != self._stage:
                    told = self._stage
                    yield ModelLoading(told)
                loader.join(LOOK_SECONDS)
        finally:
            if loader.is_alive():
                self.close()
        if self._info is not None and told != self._stage != f"asking {self._spec.host}":
            yield ModelLoading(self._stage)  # what has to be assumed
        _ = self.info  # raises what went wrong

    def _load(self) -> None:
        try:
            model, window = self._choose(self._listed())
            if not window:
                window = UNKNOWN_WINDOW
                self._stage = (
                    f"{self._spec.host} does not say how large its window is: "
                    f"{window:,} tokens are assumed (LLMCHAT_WINDOW says otherwise)"
                )
            with self._guard:
                self._model, self._info = model, _info(model, window)
        except AssistantError as err:
            self._failure = err
        except WireError as err:
            self._failure = EngineUnreachable(
                f"{self._spec.url} sent {err}", "is it a server with OpenAI's API?"
            )
        except Exception as err:
            self._failure = EngineFailed(f"{self._spec.host}: {type(err).__name__}", "ask again")

    def _listed(self) -> tuple[ListedModel, ...]:
        """The server's models; none when it has no such list and the model was named."""
        try:
            return read_models(self._get(f"{self._spec.url}/models"))
        except (NotThere, WireError):
            if self._spec.model:
                return ()
            raise

    def _choose(self, models: Sequence[ListedModel]) -> tuple[str, int]:
        """The model, and its window in tokens (0: unknown). Raises `ModelError`."""
        name, wanted = self._spec.model, self._spec.window
        if name and not models:
            return name, wanted
        found = [model for model in models if name in ("", model.name)]
        if len(found) != 1:
            raise _unclear(self._spec, models)
        window = found[0].window or self._window_of_slot() or found[0].most
        return found[0].name, min(wanted or window, window or wanted)

    def _window_of_slot(self) -> int:
        """What llama-server gives one request, in tokens; 0: it is another server."""
        try:
            return read_props_window(self._get(self._spec.url.removesuffix("/v1") + "/props"))
        except AssistantError:
            return 0

    def _get(self, url: str) -> bytes:
        try:
            from assistant.engine.remote_http import Exchange  # 0.2 s, beside other imports
        except ImportError as err:
            raise UsageError(
                f"models of a server ({REMOTE_PREFIX}) need httpx2, which is not installed",
                "pip install 'llmchat[remote]'",
            ) from err
        return Exchange(self._spec, url).read()

    def close(self) -> None:
        """What runs ends as failed."""
        with self._guard:
            self._is_closed = True
            streams = tuple(self._streams)
        for stream in streams:
            stream.end(_closed())

    @property
    def kept(self) -> None:
        """The server is somebody else's."""

    # ── what is known without asking ────────────────────────────────────────────────────────

    @property
    def info(self) -> BackendInfo:
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._is_closed:
            raise _closed()
        if self._info is None:
            raise ModelError("the model is not loaded", "call load() first")
        return self._info

    def measure(self, prompt: Prompt) -> Measure:
        """An estimate; what the server has cached is unknown."""
        _ = self.info
        parts = tuple(_estimated(prompt))
        tokens = sum(part.tokens for part in parts)
        return Measure(tokens, parts, tokens_cached=0, seconds=None, is_exact=False)

    def render(self, prompt: Prompt) -> Rendered:  # noqa: ARG002 # the protocol's
        raise UsageError(
            "the exact prompt is known to the server alone, which has the template",
            "--dry-run shows what would be sent, and about how long it is",
        )

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:  # noqa: ARG002
        raise _known_there("tokens")

    def detokenize(self, token_ids: Sequence[int]) -> str:  # noqa: ARG002
        raise _known_there("tokens")

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:  # noqa: ARG002
        raise _known_there("scores")

    # ── generating ──────────────────────────────────────────────────────────────────────────

    def stream(self, request: GenerationRequest) -> RemoteAnswerStream:
        """Start a request; what the server refuses within two seconds is raised.

        Raises `PromptTooLong`, `UsageError`, `ModelError`, `EngineBusy`, `EngineUnreachable`.
        """
        _ = self.info
        _check(request)
        seed = secrets.randbits(32) if request.seed is None else request.seed % 2**32
        with self._guard:
            if self._is_closed:
                raise _closed()
            stream = RemoteAnswerStream(self._spec, self._model, request, seed, self._forget)
            self._streams.add(stream)
        stream.wait_for_head()
        return stream

    def _forget(self, stream: RemoteAnswerStream) -> None:
        with self._guard:
            self._streams.discard(stream)


def _info(model: str, window: int) -> BackendInfo:
    return BackendInfo(
        name=model.rsplit("/", 1)[-1] if model.startswith("/") else model,
        fingerprint="",
        parameters=0,
        size_bytes=0,
        window=window,
        device="remote",
        quantisation="",
        template_hash="",
        abilities=Abilities(trims=False, grammar=False, candidates=True, chat=True),
    )


def _unclear(spec: RemoteSpec, models: Sequence[ListedModel]) -> ModelError:
    """None, several, or another one than was named."""
    if not models:
        return ModelError(f"{spec.url} lists no model", f"name one: -m {REMOTE_PREFIX}{spec.url}#…")
    names = ", ".join(model.name[:100] for model in models[:MODELS_SHOWN])
    more = f" and {len(models) - MODELS_SHOWN} more" if len(models) > MODELS_SHOWN else ""
    what = f"has no model {spec.model}" if spec.model else f"has {len(models)} models"
    return ModelError(
        f"{spec.url} {what}; it lists {names}{more}",
        f"-m {REMOTE_PREFIX}{spec.url}#{models[0].name[:100]}",
    )


def _estimated(prompt: Prompt) -> Iterator[PartTokens]:
    if not isinstance(prompt, ChatPrompt):
        yield PartTokens(None, "prompt", len(prompt.token_ids) or estimate_tokens(prompt.text))
        return
    for number, message in enumerate(prompt.messages):
        for part in message.parts:
            yield PartTokens(number, part.source, estimate_tokens(part.text))
    yield PartTokens(None, "template", MESSAGE_TOKENS * (len(prompt.messages) + 1))


def estimate_tokens(text: str) -> int:
    """About how many tokens a model of today sees; at least 1, unless there is no text."""
    narrow = WIDE.sub("", text)
    wide = len(text) - len(narrow)
    size = len(narrow.encode("utf-8", "replace"))
    return max(1, round(wide + size / BYTES_PER_TOKEN)) if text else 0


def _check(request: GenerationRequest) -> None:
    if request.grammar:
        raise UsageError("a server's model cannot be bound to a grammar", "take a GGUF: -m PATH")
    if request.max_new_tokens < 1 or request.candidates < 1:
        raise UsageError("max_new_tokens and candidates must be 1 or more", "")


def _known_there(what: str) -> UsageError:
    return UsageError(f"{what} are known to the server alone", "take a model here: -m PATH")


def _closed() -> EngineFailed:
    return EngineFailed("the engine is closed", "ask again")
