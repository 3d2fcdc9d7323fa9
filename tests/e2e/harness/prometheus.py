"""A real Prometheus for one test alone, which may be stopped or left without samples."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Sequence
from typing import Any

import yaml

from lab import binaries, config, processes
from lab.cluster import Lab
from lab.ports import LOCALHOST, free_port


class OwnPrometheus:
    """Scrapes the same pods as the lab's; nobody else is disturbed when it stops."""

    def __init__(self, lab: Lab, folder: pathlib.Path) -> None:
        self._lab = lab
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOCALHOST}:{self._port}"

    def start(self, *, scrape: bool = True, alerts: Sequence[dict[str, Any]] = ()) -> None:
        """Start it on the data that it has; without ``scrape`` its samples only grow old.

        ``alerts`` are alerting rules, evaluated as often as it scrapes.
        """
        rules = config.rules()
        if alerts:
            rules["groups"].append({"name": "alerts", "rules": list(alerts)})
        documents = {
            "prometheus.yaml": config.prometheus(self._lab.ports, scrape=scrape),
            "rules.yaml": rules,
        }
        for name, document in documents.items():
            (self._folder / name).write_text(yaml.safe_dump(document, sort_keys=False))
        command = [
            str(binaries.locate("prometheus")),
            f"--config.file={self._folder}/prometheus.yaml",
            f"--storage.tsdb.path={self._folder}/data",
            "--storage.tsdb.retention.time=60d",
            f"--web.listen-address={LOCALHOST}:{self._port}",
            "--log.level=warn",
        ]
        log = self._folder / "prometheus.log"
        self._process = processes.start(command, log)
        processes.wait_for(f"{self.url}/-/ready", log)

    def load(self, openmetrics: str) -> None:
        """Put samples of the past into its data, before it is started."""
        text = self._folder / "history.om"
        text.write_text(openmetrics)
        program = str(binaries.locate("promtool"))
        arguments = ["create-blocks-from", "openmetrics", str(text), str(self._folder / "data")]
        processes.run([program, "tsdb", *arguments])

    def stop(self) -> None:
        """End it in good order; its data stays."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None
