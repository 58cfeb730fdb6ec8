"""Which server to ask, and with which key: `openai:URL#MODEL` and the key's file are parsed here.

Imports no HTTP library: every start of llmchat reads this file.
"""

import os
import re
import stat
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from assistant.errors import ModelError, UsageError

REMOTE_PREFIX = "openai:"  # before the URL of a server that speaks OpenAI's API
KEY_VARIABLE = "LLMCHAT_API_KEY"
KEY_BYTES = 16_384  # of a key's file, at most
SILENCE_SECONDS = 120.0  # a long prompt is read in silence
CONNECT_SECONDS = 10.0
EXAMPLE = f"llmchat -m {REMOTE_PREFIX}http://127.0.0.1:8000/v1 …"

# Compiled when they are used: few starts of llmchat ask a server. Narrow on purpose: two parsers
# must never read two hosts out of one URL.
_PLACE = r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
_PATH = r"[A-Za-z0-9_.~/%+:@-]*"
_MODEL = r"[^\x00-\x1f\x7f]{0,500}"
_KEY = r"[\x21-\x7e]+"
_NUMBER = r"(0[xX][0-9a-fA-F]*|[0-9]+)"  # a resolver reads it as an address
_PRIVATE_NETWORKS = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
    *("::1/128", "fc00::/7", "fe80::/10"),
)
_PRIVATE_DOMAINS = (".localhost", ".local", ".internal", ".home.arpa")  # never on the internet


class Secret:
    """Text that no message, log or traceback shows; `reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class RemoteSpec(Struct, frozen=True):
    """A server and one of its models ("": the only one that it has).

    `url` ends without a slash and holds no credentials. `window` in tokens (0: what the server
    says). The server may say nothing for `silence_seconds`.
    """

    url: str
    model: str = ""
    api_key: Secret | None = None
    window: int = 0
    silence_seconds: float = SILENCE_SECONDS
    connect_seconds: float = CONNECT_SECONDS

    @property
    def host(self) -> str:
        """With its port, as it was typed."""
        return urlsplit(self.url).netloc

    @property
    def goes_direct(self) -> bool:
        """Whether no proxy may stand between: on this machine, or where it could read the key."""
        url = urlsplit(self.url)
        return _is_loopback(url.hostname or "") or (
            url.scheme == "http" and self.api_key is not None
        )

    def masked(self, text: str) -> str:
        """What a server said, without the key that it may have repeated."""
        return text.replace(self.api_key.reveal(), "…") if self.api_key else text


def read_remote_spec(
    name: str,
    *,
    window: int = 0,
    key_file: str = "",
    environment: Mapping[str, str] = os.environ,
) -> RemoteSpec:
    """What `openai:URL#MODEL` means, with the key of the environment, or else of the file.

    Raises `UsageError`; no message holds a key or a password.
    """
    address, _, model = name.removeprefix(REMOTE_PREFIX).partition("#")
    url = _parse(address)
    if not re.fullmatch(_MODEL, model):
        raise UsageError("the model's name has a control character or is too long", EXAMPLE)
    key = _find_key(key_file, environment)
    if key is not None and url.scheme == "http" and not _is_private(url.hostname or ""):
        given = KEY_VARIABLE if environment.get(KEY_VARIABLE) else "api_key_file"
        raise UsageError(
            f"the API key ({given}) would go to {url.hostname} unencrypted",
            f"-m {REMOTE_PREFIX}https://{url.netloc}{url.path}, or leave the key out",
        )
    return RemoteSpec(url.geturl().rstrip("/"), model, key, window)


def leaves_machine(name: str) -> bool:
    """Whether what this model is asked goes to another machine."""
    if not name.startswith(REMOTE_PREFIX):
        return False
    return not _is_loopback(urlsplit(name.removeprefix(REMOTE_PREFIX)).hostname or "")


def refuse_bare_url(name: str) -> None:
    """Raises `ModelError` when a model's name is the URL of a server."""
    if name.startswith(("http://", "https://")):
        raise ModelError(
            "a URL is no model; one of a server needs openai: before it",
            f"llmchat -m {REMOTE_PREFIX}http://HOST:8000/v1 …",
        )


# ── the address ─────────────────────────────────────────────────────────────────────────────


def _parse(address: str) -> SplitResult:
    try:
        if any(character.isspace() or not character.isprintable() for character in address):
            raise ValueError  # urlsplit would drop some of them
        url = urlsplit(address)
        is_right = url.scheme in ("http", "https") and bool(re.fullmatch(_PATH, url.path))
        has_place = bool(re.fullmatch(_PLACE, url.netloc)) and url.port != 0
    except ValueError:
        raise _no_address() from None  # the error would show a password
    if "@" in url.netloc:
        raise UsageError(
            "a URL with a user or a password in it is not used",
            f"leave it out, and put the key into {KEY_VARIABLE}",
        )
    if not is_right or not has_place or url.query:
        raise _no_address()
    return url


def _no_address() -> UsageError:
    return UsageError(f"{REMOTE_PREFIX} needs the URL of a server, http:// or https://", EXAMPLE)


def _is_private(host: str) -> bool:
    """Whether only this machine or its own network answers to this name or address."""
    host = host.rstrip(".")
    try:
        address = ip_address(host)
    except ValueError:
        has_domain = "." in host
        return host.endswith(_PRIVATE_DOMAINS) or not (has_domain or re.fullmatch(_NUMBER, host))
    networks = (ip_network(network) for network in _PRIVATE_NETWORKS)
    return any(address in network for network in networks if network.version == address.version)


def _is_loopback(host: str) -> bool:
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


# ── the key ─────────────────────────────────────────────────────────────────────────────────


def _find_key(key_file: str, environment: Mapping[str, str]) -> Secret | None:
    if text := environment.get(KEY_VARIABLE, "").strip():
        return _checked(text, KEY_VARIABLE, f"export {KEY_VARIABLE}=…")
    if not key_file:
        return None
    return _checked(_read_key(key_file), f"api_key_file {key_file}", "put the key into one line")


def _checked(text: str, given_as: str, hint: str) -> Secret:
    """Raises `UsageError` for what no header may hold."""
    if not re.fullmatch(_KEY, text):
        raise UsageError(f"{given_as}: no API key looks like this", hint)
    return Secret(text)


def _read_key(name: str) -> str:
    """The text of a file that nobody else may read. Raises `UsageError`."""
    try:
        path = Path(name).expanduser()
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o077 and os.name == "posix":
                raise UsageError(f"others may read the API key in {path}", f"chmod 600 {path}")
            return file.read(KEY_BYTES).decode("ascii", "replace").strip()
    except (OSError, RuntimeError, ValueError) as err:  # no such user, a NUL in it
        reason = err.strerror if isinstance(err, OSError) else "no such file"
        raise UsageError(
            f"api_key_file {name}: {reason}", "llmchat config set api_key_file FILE"
        ) from err
