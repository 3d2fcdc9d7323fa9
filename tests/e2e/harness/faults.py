"""A proxy before Prometheus that can go wrong in the ways that real ones do."""

from __future__ import annotations

import contextlib
import enum
import http.client
import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any, Self

from lab.ports import LOCALHOST

Answer = tuple[int, str, bytes]
"""HTTP status, content type and body."""
JSON = "application/json"
HANG_SECONDS = 60.0


class Fault(enum.StrEnum):
    """How the proxy answers."""

    NONE = "forward"
    DOWN = "down"
    UNAVAILABLE = "503"
    HANG = "hang"
    HTML = "html"
    EMPTY = "empty"
    NAN = "nan"
    INFINITE = "infinite"
    WARNINGS = "warnings"
    TRUNCATED = "truncated"
    DUPLICATE = "duplicate"


class FaultProxy:
    """Forwards to ``upstream`` while ``fault`` is NONE; may be changed at any time."""

    def __init__(self, upstream: str, fault: Fault = Fault.NONE) -> None:
        self._upstream = urllib.parse.urlsplit(upstream)
        self.fault = fault
        self.asked = 0
        """Requests that came in so far."""
        self._closing = threading.Event()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Hands every request to the proxy."""

            def do_POST(self) -> None:
                proxy._answer(self)

            def do_GET(self) -> None:
                proxy._answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer((LOCALHOST, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://{LOCALHOST}:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        self.asked += 1
        fault = self.fault
        if fault is Fault.DOWN:
            request.close_connection = True
            return
        if fault is Fault.HANG:
            self._closing.wait(HANG_SECONDS)
            request.close_connection = True
            return
        length = int(request.headers.get("Content-Length") or 0)
        asked = request.rfile.read(length)
        status, kind, body = _CANNED.get(fault) or self._forward(request, asked)
        if fault in _SPOILED and _FRESHNESS not in asked:
            body = _SPOILED[fault](body)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            request.send_response(status)
            request.send_header("Content-Type", kind)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

    def _forward(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> Answer:
        host, port = self._upstream.hostname or LOCALHOST, self._upstream.port
        connection = http.client.HTTPConnection(host, port, timeout=10)
        with contextlib.closing(connection):
            kind = request.headers.get("Content-Type") or "application/x-www-form-urlencoded"
            connection.request(request.command, request.path, body, {"Content-Type": kind})
            reply = connection.getresponse()
            return reply.status, reply.getheader("Content-Type") or JSON, reply.read()


def _edit(change: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
    def edited(body: bytes) -> bytes:
        document = json.loads(body)
        change(document)
        return json.dumps(document).encode()

    return edited


def _all_values(text: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for each in document["data"]["result"]:
            each["value"][1] = text

    return change


def _warn(document: dict[str, Any]) -> None:
    document["warnings"] = ["one of two stores did not answer"]


def _double(document: dict[str, Any]) -> None:
    document["data"]["result"] *= 2


_FRESHNESS = b"timestamp"
"""In the questions for the age of samples: they are answered soundly, so that values count."""
_EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
_CANNED: dict[Fault, Answer] = {
    Fault.UNAVAILABLE: (503, "text/plain", b"upstream connect error"),
    Fault.HTML: (200, "text/html", b"<html><body>Please log in</body></html>"),
    Fault.EMPTY: (200, JSON, _EMPTY),
}
_SPOILED: dict[Fault, Callable[[bytes], bytes]] = {
    Fault.NAN: _edit(_all_values("NaN")),
    Fault.INFINITE: _edit(_all_values("+Inf")),
    Fault.WARNINGS: _edit(_warn),
    Fault.TRUNCATED: lambda body: body[: len(body) // 2],
    Fault.DUPLICATE: _edit(_double),
}
