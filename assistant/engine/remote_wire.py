"""What goes to a server that speaks OpenAI's API and what comes back, as bytes and as values.

Formats: https://platform.openai.com/docs/api-reference and, for the stream,
https://html.spec.whatwg.org/multipage/server-sent-events.html. Servers differ; what is missing
here is left at its default, and what is more is not looked at.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import DecodeError, Raw, Struct, ValidationError, convert, field, json

from assistant.backends.base import SamplingOptions
from assistant.engine.base import GenerationRequest
from assistant.events import TokenLogprob, WrittenToken
from assistant.messages import RawPrompt

FRAME_BYTES = 8 * 2**20  # one event of a stream, at most
UNKNOWN_TOKEN = -1  # the API tells a token's text; few servers tell its id, too
END = "[DONE]"


class WireError(Exception):
    """The server sent something else than the API says; the message says what, in words."""


# ── what is asked ───────────────────────────────────────────────────────────────────────────


def path_of(request: GenerationRequest) -> str:
    """Where a request is posted, below the server's URL."""
    return "/completions" if isinstance(request.prompt, RawPrompt) else "/chat/completions"


def request_body(request: GenerationRequest, model: str, seed: int) -> bytes:
    """JSON. What OpenAI's own API does not know is sent only when it is not the default."""
    body: dict[str, Any] = {
        "model": model,
        **_prompt(request),
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": request.max_new_tokens,
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "seed": seed,
        **_extensions(request.sampling),
    }
    if request.stop:
        body["stop"] = list(request.stop)
    if request.candidates > 1:
        body["n"] = request.candidates
    if request.top_logprobs is not None:
        body |= _logprobs(request)
    return json.encode(body)


def _prompt(request: GenerationRequest) -> dict[str, Any]:
    prompt = request.prompt
    if isinstance(prompt, RawPrompt):
        return {"prompt": prompt.text or list(prompt.token_ids)}
    messages = [{"role": one.role.value, "content": one.text} for one in prompt.messages]
    return {"messages": messages}


def _extensions(chosen: SamplingOptions) -> dict[str, Any]:
    """As vLLM, SGLang and llama.cpp call them."""
    usual = SamplingOptions()
    more: dict[str, Any] = {}
    if chosen.top_k != usual.top_k:
        more["top_k"] = chosen.top_k or -1  # 0 is an error in some versions
    if chosen.min_p != usual.min_p:
        more["min_p"] = chosen.min_p
    if chosen.repeat_penalty != usual.repeat_penalty:
        more["repetition_penalty"] = chosen.repeat_penalty
        more["repeat_penalty"] = chosen.repeat_penalty
    return more


def _logprobs(request: GenerationRequest) -> dict[str, Any]:
    if isinstance(request.prompt, RawPrompt):
        return {"logprobs": request.top_logprobs}
    return {"logprobs": True, "top_logprobs": request.top_logprobs}


# ── server-sent events ──────────────────────────────────────────────────────────────────────


class EventParser:
    """Bytes in any pieces → the data of each event. Raises `WireError` for one that is too long.

    Comments and other fields are dropped. Line ends are LF, CR LF and CR, and nothing else: text
    in JSON may hold other characters that end lines.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[str] = []
        self._size = 0  # of _data, in bytes
        self._is_after_cr = False

    def feed(self, piece: bytes) -> Iterator[str]:
        if self._is_after_cr:
            piece, self._is_after_cr = piece.removeprefix(b"\n"), not piece
        for line in piece.splitlines(keepends=True):  # of bytes: at LF, CR LF and CR only
            self._rest += line
            if len(self._rest) + self._size > FRAME_BYTES:
                raise WireError(f"an event of more than {FRAME_BYTES // 2**20} MiB")
            if line.endswith((b"\n", b"\r")):
                self._is_after_cr = line.endswith(b"\r")
                whole, self._rest = bytes(self._rest).rstrip(b"\r\n"), bytearray()
                yield from self._take(whole)
            else:
                self._is_after_cr = False

    def finish(self) -> Iterator[str]:
        """What an end without a blank line leaves."""
        whole, self._rest = bytes(self._rest), bytearray()
        yield from self._take(whole)
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[str]:
        if not line:
            data, self._data, self._size = "\n".join(self._data), [], 0
            if data:
                yield data
            return
        name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        value = value.removeprefix(b" ")
        if name == b"error":  # how early versions of llama-server ended a stream
            value = b'{"error":' + value + b"}"
        elif name != b"data":
            return
        self._data.append(value.decode("utf-8", "replace"))
        self._size += len(value)


# ── what is answered ────────────────────────────────────────────────────────────────────────


class _Delta(Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(Struct):
    index: int = 0
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _CachedTokens(Struct):
    cached_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _CachedTokens | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    object: str | None = None
    message: str | None = None
    code: Any = None


class Piece(Struct, frozen=True):
    """What one event adds to one candidate; `ending` is the API's word for why it is over."""

    candidate: int
    text: str
    reasoning: str
    ending: str
    logprobs: tuple[WrittenToken, ...] = ()


class Counted(Struct, frozen=True):
    """What the server counted, in tokens; the new ones of all candidates together."""

    prompt_tokens: int
    cached_tokens: int
    new_tokens: int


class ServerError(Struct, frozen=True):
    """What a server says went wrong; `code` is its name or number for it."""

    message: str
    code: str = ""


class Chunk(Struct, frozen=True):
    pieces: tuple[Piece, ...]
    counted: Counted | None = None
    error: ServerError | None = None


def read_chunk(data: str) -> Chunk:
    """One event of an answer. Raises `WireError`."""
    try:
        chunk = _chunk_decoder.decode(data)
    except (DecodeError, UnicodeError) as err:  # also when a field has another type
        raise WireError("something that is no part of an answer") from err
    if chunk.error or chunk.object == "error":
        return Chunk((), error=read_error(data))
    pieces = tuple(_piece(choice) for choice in chunk.choices or ())
    return Chunk(pieces, _counted(chunk.usage) if chunk.usage else None)


def _piece(choice: _Choice) -> Piece:
    delta = choice.delta or _Delta()
    return Piece(
        choice.index,
        delta.content or choice.text or "",
        delta.reasoning_content or delta.reasoning or "",
        choice.finish_reason or "",
        tuple(_written(choice.logprobs)) if choice.logprobs else (),
    )


def _counted(usage: _Usage) -> Counted:
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    counts = (usage.prompt_tokens, cached, usage.completion_tokens)
    return Counted(*(max(0, count or 0) for count in counts))


# ── log-probabilities ───────────────────────────────────────────────────────────────────────


class _Logprob(Struct):
    logprob: float
    id: int = UNKNOWN_TOKEN
    top_logprobs: list["_Logprob"] = field(default_factory=list)


class _Logprobs(Struct):
    """`content` is the chat's form; the others are that of plain completions."""

    content: list[_Logprob] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


def _written(logprobs: object) -> Iterator[WrittenToken]:
    try:
        found = convert(logprobs, _Logprobs)
    except ValidationError as err:
        raise WireError("log-probabilities in another form") from err
    for one in found.content or ():
        top = tuple(TokenLogprob(other.id, other.logprob) for other in one.top_logprobs)
        yield WrittenToken(one.id, one.logprob, top)
    plain, tops = found.token_logprobs or (), found.top_logprobs or ()
    for number, logprob in enumerate(plain):
        others = (tops[number] if number < len(tops) else None) or {}
        top = tuple(TokenLogprob(UNKNOWN_TOKEN, other) for other in others.values())
        yield WrittenToken(UNKNOWN_TOKEN, logprob or 0.0, top)


# ── errors ──────────────────────────────────────────────────────────────────────────────────


class _ErrorFields(Struct):
    message: Any = None
    detail: Any = None  # FastAPI's own errors
    code: Any = None
    type: Any = None


def read_error(body: str | bytes) -> ServerError | None:
    """The error in a JSON body; None when it is no such body."""
    try:
        outer = json.decode(body, type=dict[str, Raw])
    except (DecodeError, UnicodeError):
        return None
    inner: bytes | str | Raw = outer.get("error", body)
    try:
        text = json.decode(inner, type=str)
        return ServerError(text)
    except (DecodeError, UnicodeError):
        pass
    try:
        fields = json.decode(inner, type=_ErrorFields)
    except (DecodeError, UnicodeError):
        return None
    message = fields.message or fields.detail
    words = [str(word) for word in (fields.code, fields.type) if word]
    return ServerError(_as_text(message), " ".join(words)) if message or words else None


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.encode(value).decode() if value else ""


# ── models ──────────────────────────────────────────────────────────────────────────────────


class _Meta(Struct):
    n_ctx: int | None = None
    n_ctx_train: int | None = None


class _Model(Struct):
    id: str
    max_model_len: int | None = None
    meta: _Meta | None = None


class _Models(Struct):
    data: list[_Model]


class _Generation(Struct):
    n_ctx: int | None = None


class _Props(Struct):
    default_generation_settings: _Generation


class ListedModel(Struct, frozen=True):
    """`window` in tokens that the server gives a request, `most` that the model was made for;
    0: it does not say."""

    name: str
    window: int
    most: int


def read_models(body: bytes) -> tuple[ListedModel, ...]:
    """The answer of `/models`. Raises `WireError`."""
    try:
        models = json.decode(body, type=_Models).data
    except (DecodeError, UnicodeError) as err:
        raise WireError("something that is no list of models") from err
    return tuple(_listed(model) for model in models)


def _listed(model: _Model) -> ListedModel:
    meta = model.meta or _Meta()
    window, most = model.max_model_len or meta.n_ctx or 0, meta.n_ctx_train or 0
    return ListedModel(model.id, max(0, window), max(0, most))


def read_props_window(body: bytes) -> int:
    """Tokens of a slot in the answer of llama-server's `/props`; 0 when it is something else."""
    try:
        settings = json.decode(body, type=_Props).default_generation_settings
    except (DecodeError, UnicodeError):
        return 0
    return max(0, settings.n_ctx or 0)


_chunk_decoder = json.Decoder(_Chunk)
