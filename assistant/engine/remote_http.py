"""One HTTP request to a server, on a connection of its own that any thread may cut.

The only file that imports httpx2. No redirect is followed, no cookie kept, nothing unpacked.
"""

import errno
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx2

from assistant.engine.remote_errors import is_web_page, status_error
from assistant.engine.remote_spec import RemoteSpec
from assistant.engine.remote_wire import read_error
from assistant.errors import AssistantError, EngineUnreachable, UsageError

BODY_BYTES = 4 * 2**20  # of an answer that is not a stream, at most
STREAM_BYTES = 256 * 2**20  # of one that is


class Exchange:
    """One request and its answer: `read` it as a whole, or `stream` it. Used once."""

    def __init__(self, spec: RemoteSpec, url: str, body: bytes | None = None) -> None:
        self._spec = spec
        self._url = url
        self._body = body
        self._guard = threading.RLock()  # for what follows; a signal may cut inside it
        self._socket: socket.socket | None = None
        self._is_cut = False

    def cut(self) -> None:
        """Ends it now, from any thread; who waits for it gets an error."""
        with self._guard:
            self._is_cut = True
            connection = self._socket
        if connection is not None:
            _shut(connection)

    def read(self) -> bytes:
        """The whole answer. Raises `AssistantError` for any status but 200."""
        with self._answer() as response:
            return _limited(response)

    @contextmanager
    def stream(self) -> Iterator[Iterator[bytes]]:
        """Pieces of the answer, once its head has come.

        Raises `AssistantError` for any status but 200, and for what is no stream of events.
        """
        with self._answer() as response:
            kind = response.headers.get("content-type", "").lower()
            if "html" in kind or "json" in kind:
                raise self._no_stream(kind, _limited(response))
            yield self._pieces(response)

    def _pieces(self, response: httpx2.Response) -> Iterator[bytes]:
        size = 0
        with self._translated():
            for piece in response.iter_raw():
                size += len(piece)
                if size > STREAM_BYTES:
                    raise EngineUnreachable(
                        f"{self._spec.url} does not stop sending", "look at the server's log"
                    )
                yield piece

    def _no_stream(self, kind: str, body: bytes) -> AssistantError:
        if is_web_page(kind, body) or read_error(body) is not None:
            return status_error(self._spec, 404, {"content-type": kind}, body)
        return EngineUnreachable(
            f"{self._spec.url} does not stream its answers", "take a server that does"
        )

    @contextmanager
    def _answer(self) -> Iterator[httpx2.Response]:
        with (
            self._translated(),
            _client(self._spec) as client,
            client.stream(
                "GET" if self._body is None else "POST",
                self._url,
                content=self._body,
                headers=_headers(self._spec, has_body=self._body is not None),
                extensions={"trace": self._on_trace},
            ) as response,
        ):
            if response.status_code != 200:
                raise status_error(
                    self._spec, response.status_code, _lower(response), _limited(response)
                )
            yield response

    def _on_trace(self, _step: str, facts: Mapping[str, Any]) -> None:
        """Told of every step; each new connection, and its TLS, comes as a `return_value`."""
        connection = getattr(facts.get("return_value"), "get_extra_info", lambda _name: None)(
            "socket"
        )
        if isinstance(connection, socket.socket):
            with self._guard:
                self._socket = connection
                is_cut = self._is_cut
            if is_cut:
                _shut(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as err:
            raise _unreachable(self._spec, err) from err
        except (ImportError, ValueError, OSError) as err:  # proxies and certificates by environment
            raise EngineUnreachable(
                f"no connection to {self._spec.host} can be set up: {err}",
                "check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE",
            ) from err


def _client(spec: RemoteSpec) -> httpx2.Client:
    # Certificates take 70 ms to read.
    needs_certificates = spec.url.startswith("https:") or not spec.goes_direct
    return httpx2.Client(
        verify=httpx2.create_ssl_context(needs_certificates),
        timeout=httpx2.Timeout(spec.silence_seconds, connect=spec.connect_seconds),
        follow_redirects=False,
        mounts={f"all://{httpx2.URL(spec.url).netloc.decode()}": None} if spec.goes_direct else {},
    )


def _headers(spec: RemoteSpec, *, has_body: bool) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity", "User-Agent": "llmchat"}
    headers["Accept"] = "text/event-stream, application/json" if has_body else "application/json"
    if has_body:
        headers["Content-Type"] = "application/json"
    if spec.api_key is not None:
        headers["Authorization"] = f"Bearer {spec.api_key.reveal()}"
    return headers


def _lower(response: httpx2.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _limited(response: httpx2.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_raw():
        body += piece[: BODY_BYTES - len(body)]
        if len(body) == BODY_BYTES:
            break
    return bytes(body)


def _shut(connection: socket.socket) -> None:
    """Wakes who reads it; the base class's own, because a TLS socket's would change under it."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


# ── what went wrong ─────────────────────────────────────────────────────────────────────────


def _unreachable(spec: RemoteSpec, err: Exception) -> AssistantError:
    alive = f"is it running? curl {spec.url}/models"
    match err:
        case httpx2.ConnectTimeout():
            said = f"{spec.host} did not take the connection in {spec.connect_seconds:g} s"
            return EngineUnreachable(said, alive)
        case httpx2.ReadTimeout():
            said = f"the server said nothing for {spec.silence_seconds:g} s"
            return EngineUnreachable(f"{spec.host}: {said}", "look at the server's log")
        case httpx2.ConnectError():
            return _not_connected(spec, err, alive)
        case httpx2.ProxyError():
            return EngineUnreachable(
                f"the proxy does not let llmchat through to {spec.host}: {err}",
                f"NO_PROXY={httpx2.URL(spec.url).host} llmchat …",
            )
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol():
            return UsageError(f"{spec.url} cannot be asked: {err}", "check the URL and proxies")
    return EngineUnreachable(
        f"{spec.host} broke the connection off", "look at the server's log, then ask again"
    )


def _not_connected(spec: RemoteSpec, err: Exception, alive: str) -> EngineUnreachable:
    cause: BaseException | None = err
    while cause is not None:  # through httpx2 and httpcore2, down to what the system said
        if isinstance(cause, ssl.SSLCertVerificationError):
            return EngineUnreachable(
                f"the certificate of {spec.host} is not trusted: {cause.verify_message}",
                "SSL_CERT_FILE=your-authority.pem llmchat …",
            )
        if isinstance(cause, ssl.SSLError):
            return EngineUnreachable(
                f"{spec.host} does not speak TLS ({cause.reason or 'no reason given'})",
                "http:// instead of https://, if it is in your own network",
            )
        if isinstance(cause, socket.gaierror):
            return EngineUnreachable(f"no host {spec.host} is known", "check the name of the host")
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return EngineUnreachable(f"nothing listens on {spec.host}", alive)
        cause = cause.__cause__ or cause.__context__
    return EngineUnreachable(f"{spec.host} cannot be reached: {err}", alive)
