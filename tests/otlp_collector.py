"""A collector of OpenTelemetry's that keeps what it is sent; needs the extra ``otel``."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as proto
from opentelemetry.proto.trace.v1 import trace_pb2


def _lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names of headers as they are compared."""
    return {name.lower(): value for name, value in headers}


class Collector:
    """A receiver of OTLP over HTTP on a free port; it answers with one status."""

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[tuple[str, dict[str, str], proto.ExportTraceServiceRequest]] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                message = proto.ExportTraceServiceRequest.FromString(body)
                collector.requests.append((self.path, _lower(self.headers.items()), message))
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def spans(self) -> list[trace_pb2.Span]:
        """All spans that have come, in their order."""
        return [
            span
            for _, _, message in self.requests
            for some in message.resource_spans
            for each in some.scope_spans
            for span in each.spans
        ]

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
