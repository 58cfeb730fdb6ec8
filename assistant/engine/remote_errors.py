"""What a server's refusal means: HTTP statuses and error bodies → our errors, with a next step.

Whatever a server says is masked and cut; it may have repeated the key.
"""

import re
from collections.abc import Mapping

from assistant.engine.remote_spec import KEY_VARIABLE, REMOTE_PREFIX, RemoteSpec
from assistant.engine.remote_wire import ServerError, read_error
from assistant.errors import (
    AssistantError,
    EngineBusy,
    EngineUnreachable,
    ModelError,
    PromptTooLong,
    UsageError,
)

SAID_CHARACTERS = 300  # of what a server says
SHORTER = "attach less, or ask for a shorter answer: -o max_tokens 256"

# Codes first, then the words of vLLM, SGLang, llama.cpp and OpenAI.
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size"
    r"|(maximum|available|model's|allowed) (context|sequence|input|prompt) (length|size)"
    r"|longer than the (model's|maximum)|exceeds? (the )?(model's )?context"
    r"|(reduce the length of|prompt is too long)",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(r"model_not_found|model.{0,300}(does not exist|not found)", re.I | re.S)
_LIMIT = re.compile(
    r"(?:context|sequence|input)[ _]?(?:length|size)?\D{0,40}?\b(\d{3,8}) tokens", re.I
)


class NotThere(EngineUnreachable):
    """The server answers, and has nothing at this address."""


def is_web_page(content_type: str, body: bytes) -> bool:
    return "html" in content_type.lower() or body.lstrip()[:5].lower() in (b"<html", b"<!doc")


def status_error(
    spec: RemoteSpec, status: int, headers: Mapping[str, str], body: bytes
) -> AssistantError:
    """The error for an answer whose status is not 200; the names of `headers` are lower case."""
    page = is_web_page(headers.get("content-type", ""), body)
    told = None if page else read_error(body)
    if told is None:
        words = body[:SAID_CHARACTERS].decode("utf-8", "replace")
        told = ServerError("it sent a web page" if page else words)
    if 300 <= status < 400:
        return _redirected(spec, status, headers.get("location", ""))
    if status >= 400 and (error := _known_error(spec, told)) is not None:
        return error
    said = _said(spec, told)
    match status:
        case 401 | 403:
            return _key_refused(spec, status, said)
        case 404 | 405:
            return _not_there(spec, status, said)
        case 429 | 503:
            return _busy(spec, said, headers.get("retry-after", ""))
        case _ if 400 <= status < 500:
            return UsageError(
                f"{spec.url} refuses the request (status {status}){said}",
                "check the options (-o …) and what the server supports",
            )
    return EngineUnreachable(
        f"{spec.url} failed (status {status}){said}", "look at the server's log, then ask again"
    )


def stream_error(spec: RemoteSpec, told: ServerError) -> AssistantError:
    """The error for one that came in the middle of an answer."""
    known = _known_error(spec, told)
    return known or EngineUnreachable(
        f"{spec.url} failed{_said(spec, told)}", "look at the server's log, then ask again"
    )


def _known_error(spec: RemoteSpec, told: ServerError) -> AssistantError | None:
    words = f"{told.code} {told.message}"
    if _TOO_LONG.search(words):
        return PromptTooLong(
            f"this does not fit the window of the server's model{_said(spec, told)}",
            SHORTER + _window_hint(told.message),
        )
    if _NO_MODEL.search(words):
        return ModelError(
            f"the server has no such model{_said(spec, told)}",
            f"curl {spec.url}/models lists them; -m {REMOTE_PREFIX}{spec.url}#NAME",
        )
    return None


def _window_hint(message: str) -> str:
    found = _LIMIT.search(message)
    return f"; LLMCHAT_WINDOW={found[1]} says it beforehand" if found else ""


def _said(spec: RemoteSpec, told: ServerError) -> str:
    """`: "…"`, in one line; "" when it said nothing."""
    words = " ".join(spec.masked(told.message or told.code).split())
    if len(words) > SAID_CHARACTERS:
        words = words[: SAID_CHARACTERS - 1] + "…"
    return f": {words}" if words else ""


def _redirected(spec: RemoteSpec, status: int, location: str) -> EngineUnreachable:
    where = spec.masked(location)[:SAID_CHARACTERS]
    return EngineUnreachable(
        f"{spec.url} sends llmchat elsewhere (status {status}{where and f', to {where}'}), "
        "where it does not follow",
        f"name the server itself: -m {REMOTE_PREFIX}URL",
    )


def _key_refused(spec: RemoteSpec, status: int, said: str) -> EngineUnreachable:
    what = "does not accept the API key" if spec.api_key else "wants an API key"
    return EngineUnreachable(
        f"{spec.url} {what} (status {status}){said}",
        f"export {KEY_VARIABLE}=…, or llmchat config set api_key_file FILE",
    )


def _not_there(spec: RemoteSpec, status: int, said: str) -> NotThere:
    hint = f"curl {spec.url}/models should list its models"
    if not spec.url.endswith("/v1"):
        hint = f"try -m {REMOTE_PREFIX}{spec.url}/v1"
    return NotThere(f"{spec.url} is no server with OpenAI's API (status {status}){said}", hint)


def _busy(spec: RemoteSpec, said: str, retry_after: str) -> EngineBusy:
    seconds = retry_after.strip()
    when = f"in {seconds} seconds" if seconds.isascii() and seconds.isdigit() else "in a while"
    return EngineBusy(f"{spec.url} is busy, or not ready{said}", f"ask again {when}")
