"""An HTTP server on 127.0.0.1 that behaves as badly as it is told to."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import http.server
import json
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Behaviour = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str]
    body: bytes
    connection: tuple[str, int]


@dataclasses.dataclass
class Server:
    """A running server: its address, what it does next, and what it was asked."""

    url: str
    behaviour: Behaviour
    requests: list[Request] = dataclasses.field(default_factory=list)
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    control: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        form = dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request("POST", self.path, headers, form, body, self.client_address)
        self.control.requests.append(request)
        with contextlib.suppress(OSError):
            self.control.behaviour(self)

    def do_GET(self) -> None:
        self.control.requests.append(Request("GET", self.path, {}, {}, b"", self.client_address))
        if self.path.startswith("/api/v1/rules"):
            with contextlib.suppress(OSError):
                self.control.behaviour(self)
            return
        send(b"followed")(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the tests look at the requests."""


class _QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: broken handshakes are what some tests are about."""


@contextlib.contextmanager
def serve(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server until the end of the block; with ``context`` it speaks TLS."""
    control = Server("", behaviour)
    handler = type("Handler", (_Handler,), {"control": control})
    with _QuietServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        control.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield control
        finally:
            control.stop.set()
            server.shutdown()
            thread.join()


def send(
    body: bytes, status: int = 200, kind: str = "application/json", **headers: str
) -> Behaviour:
    """Answer completely."""

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def answer(document: object, status: int = 200) -> Behaviour:
    """Answer with JSON."""
    return send(json.dumps(document).encode(), status)


def vector(
    *series: tuple[Mapping[str, str], str], warnings: object = None, infos: Sequence[str] = ()
) -> Behaviour:
    """Answer as Prometheus does to a query with a vector."""
    result = [{"metric": labels, "value": [1.5, value]} for labels, value in series]
    return answer(success("vector", result, warnings=warnings, infos=infos))


def success(kind: str, result: object, **more: Any) -> dict[str, Any]:
    """The document of a successful answer."""
    extra = {name: value for name, value in more.items() if value}
    return {"status": "success", "data": {"resultType": kind, "result": result}, **extra}


def error(kind: str, text: str, status: int) -> Behaviour:
    """Answer as Prometheus does when it refuses."""
    return answer({"status": "error", "errorType": kind, "error": text}, status)


def gzipped(body: bytes) -> Behaviour:
    """Answer compressed, although nobody asked for it."""
    return send(gzip.compress(body), Content_Encoding="gzip")


def chunked(body: bytes, size: int) -> Behaviour:
    """Answer in chunks without saying how many there will be."""

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(body), size):
            piece = body[start : start + size]
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    return behave


def silence(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Read the request and say nothing, until the server is stopped."""
    control: Server = handler.control  # type: ignore[attr-defined]
    control.stop.wait(10)
    handler.close_connection = True


def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Send a byte now and then: each in time, all together never."""
    control: Server = handler.control  # type: ignore[attr-defined]
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not control.stop.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def cut_off(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"status":"success","data":{')
    handler.close_connection = True


def hang_up(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def garbage(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Speak another protocol."""
    handler.wfile.write(b"220 mail ready\r\n")
    handler.close_connection = True


@contextlib.contextmanager
def closed_port() -> Iterator[str]:
    """An address where nobody listens, and nobody else can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextlib.contextmanager
def full_backlog() -> Iterator[str]:
    """An address that accepts no connection any more: packets get no answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
