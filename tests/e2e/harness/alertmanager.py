"""A real Alertmanager for one test alone, and somebody who listens where it posts."""

from __future__ import annotations

import http.server
import json
import pathlib
import subprocess
import threading
from collections.abc import Sequence
from typing import Any, Self

import yaml

from lab import addons, binaries, processes
from lab.ports import LOCALHOST, free_port

Alert = dict[str, Any]


class OwnAlertmanager:
    """Posts what it is told to one webhook, grouped by namespace and alert, as people have it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOCALHOST}:{self._port}"

    def start(self, webhook: str, token: pathlib.Path | None = None) -> None:
        """Start it on the data that it has; ``token`` is a file with what it authorizes by."""
        document = addons.receiver(webhook, token)
        config = self._folder / "alertmanager.yaml"
        config.write_text(yaml.safe_dump(document, sort_keys=False))
        command = [
            str(binaries.locate("alertmanager")),
            f"--config.file={config}",
            f"--storage.path={self._folder}/data",
            f"--web.listen-address={LOCALHOST}:{self._port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]
        log = self._folder / "alertmanager.log"
        self._process = processes.start(command, log)
        processes.wait_for(f"{self.url}/-/ready", log)

    def post(self, alerts: Sequence[Alert]) -> None:
        """Tell it of alerts, as Prometheus does."""
        processes.post_json(f"{self.url}/api/v2/alerts", list(alerts))

    def alerts(self) -> list[Alert]:
        """The alerts that it holds now."""
        found: list[Alert] = json.loads(processes.fetch(f"{self.url}/api/v2/alerts"))
        return found

    def stop(self) -> None:
        """End it in good order; its data stays."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None


class Webhook:
    """Takes every notification and keeps it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Hands every body to the webhook."""

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                hook.bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer((LOCALHOST, 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOCALHOST}:{self._server.server_port}/alerts"

    def alerts(self, status: str = "firing") -> list[Alert]:
        """The latest state of each alert that came with this status, each once."""
        latest = {
            json.dumps(each["labels"], sort_keys=True): each
            for body in list(self.bodies)
            for each in body["alerts"]
        }
        return [each for each in latest.values() if each["status"] == status]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
