"""A server that answers what a test scripts, byte for byte, and records what it was asked."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Step = bytes | threading.Event  # bytes to send, or what to wait for before the next ones


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, object]


@dataclass
class Script:
    """Replies by the end of a path. `is_cut`: connections that posted are reset at the end."""

    replies: Mapping[str, tuple[Step, ...]]
    is_cut: bool = False
    requests: list[Request] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)  # by a client that waited
    url: str = ""

    def asked(self, path: str) -> Request:
        """The last request for this path."""
        return [request for request in self.requests if request.path.endswith(path)][-1]


def reply(
    body: bytes | str, status: str = "200 OK", kind: str = "application/json", **headers: str
) -> tuple[bytes, ...]:
    """A whole answer, without a length: it ends with the connection."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", *lines, "", ""])
    return (head.encode(), body.encode() if isinstance(body, str) else body)


def events(*steps: Step | str) -> tuple[Step, ...]:
    """A stream of server-sent events; text is one event."""
    sent = (step if not isinstance(step, str) else f"data: {step}\n\n".encode() for step in steps)
    return (reply(b"", kind="text/event-stream")[0], *sent)


def delta(text: str = "", ending: str | None = None, index: int = 0) -> str:
    """A chunk of a chat's answer."""
    choice = {"index": index, "delta": {"content": text}, "finish_reason": ending}
    return json.dumps({"object": "chat.completion.chunk", "choices": [choice]})


def models(*names: str, **more: object) -> tuple[bytes, ...]:
    return reply(json.dumps({"data": [{"id": name, **more} for name in names]}))


@contextmanager
def serving(script: Script) -> Iterator[Script]:
    """Answers on a free port until the block ends."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        script.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        thread = threading.Thread(target=_accept, args=(listener, script, over))
        thread.start()
        try:
            yield script
        finally:
            over.set()
            thread.join()


def _accept(listener: socket.socket, script: Script, over: threading.Event) -> None:
    threads: list[threading.Thread] = []
    while not over.is_set():
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            thread = threading.Thread(target=_answer, args=(connection, script, over))
            threads.append(thread)
            thread.start()
    for thread in threads:
        thread.join()


def _answer(connection: socket.socket, script: Script, over: threading.Event) -> None:
    connection.settimeout(10)
    with connection, suppress(OSError):
        request = _read(connection)
        script.requests.append(request)
        known = [path for path in script.replies if request.path.endswith(path)]
        for step in script.replies[known[0]] if known else reply("no such page", "404 Not Found"):
            if isinstance(step, bytes):
                connection.sendall(step)
            else:
                _wait(connection, step, script, over)
        if script.is_cut and request.method == "POST":
            linger = b"\1\0\0\0\0\0\0\0"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def _wait(
    connection: socket.socket, event: threading.Event, script: Script, over: threading.Event
) -> None:
    connection.settimeout(0.01)
    while not (event.is_set() or over.is_set() or script.hung_up.is_set()):
        with suppress(TimeoutError):
            if not connection.recv(1):
                script.hung_up.set()
    connection.settimeout(10)


def _read(connection: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
        if data[:1] not in (b"G", b"P"):
            raise ConnectionError("this is no request")
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    exact = dict(line.split(": ", 1) for line in lines)
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    method, path, _ = first.split(" ")
    named = {name.lower(): value for name, value in exact.items()}
    return Request(method, path, named, json.loads(body) if body else {})
