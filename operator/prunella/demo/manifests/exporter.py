# ruff: noqa: INP001 - it is mounted into pods as a file, and is no part of the package
"""A service that reports ten requests a second; 30 % of them fail when its release is bad.

Runs in the demo's pods, with the standard library alone.  RELEASE is the release's name.
"""

from __future__ import annotations

import http.server
import os
import time

PORT = 8080
RATE = 10.0
BAD_SHARE = 0.3


def page(release: str, seconds: float) -> str:
    """The metrics of a pod of this age; without failures there is no series of failures."""
    share = BAD_SHARE if "bad" in release else 0.0
    total = RATE * seconds
    lines = [
        "# TYPE app_up gauge",
        "app_up 1",
        "# TYPE app_http_requests_total counter",
        f'app_http_requests_total{{code="200"}} {total * (1 - share):.3f}',
    ]
    if share:
        lines.append(f'app_http_requests_total{{code="500"}} {total * share:.3f}')
    return "\n".join(lines) + "\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the metrics."""

    release = os.environ.get("RELEASE", "")
    began = time.monotonic()

    def do_GET(self) -> None:
        """Send the page in the text format of Prometheus."""
        body = page(self.release, time.monotonic() - self.began).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: a scrape every few seconds is no news."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", PORT), Handler).serve_forever()
