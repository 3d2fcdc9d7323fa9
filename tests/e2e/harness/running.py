"""An operator process of a test's own, as the chart runs it: settings, token, `prunella run`."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Mapping
from typing import Any

import yaml

from lab import processes
from lab.ports import LOCALHOST, free_port
from tests.e2e.harness.waiting import wait_until

FAULTY = pathlib.Path(__file__).with_name("faulty.py")
PROGRAM = pathlib.Path(sys.executable).with_name("prunella")
START_SECONDS = 60.0
STOP_SECONDS = 30.0
SHOWN_LINES = 60


class Operator:
    """One operator. It may be stopped, killed and started again; its log goes on in one file."""

    def __init__(
        self, folder: pathlib.Path, kubeconfig: pathlib.Path, settings: Mapping[str, Any]
    ) -> None:
        self._folder = folder
        self._kubeconfig = kubeconfig
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "operator.log"
        folder.mkdir()
        own = {"httpHost": LOCALHOST, "httpPort": self._port, **settings}
        self._config.write_text(yaml.safe_dump(own))

    @property
    def _config(self) -> pathlib.Path:
        return self._folder / "settings.yaml"

    def start(self, *, fault: str = "", wait: bool = True) -> None:
        """Start it; with a ``fault`` of `faulty` it does not live, or hear, as it should."""
        if self.running:
            raise RuntimeError("the operator runs already")
        program = [sys.executable, "-P", str(FAULTY), fault] if fault else [str(PROGRAM), "run"]
        files = ["--config", str(self._config), "--kubeconfig", str(self._kubeconfig)]
        self._process = processes.start([*program, *files], self.log)
        if wait:
            self.wait_ready()

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def wait_ready(self) -> None:
        """Wait until it says that it is ready; fail when it ends instead."""

        def ready() -> bool:
            assert self.running, f"the operator ended:\n{self.tail()}"
            return self.probe("readyz")[0] == 200

        wait_until(ready, START_SECONDS, lambda: f"the operator is ready:\n{self.tail()}")

    def wait_dead(self, timeout: float = 120.0) -> int:
        """Wait until it has ended by itself; returns its exit code (negative: the signal)."""
        wait_until(lambda: not self.running, timeout, "the operator has ended by itself")
        return self._code()

    def use(self, kubeconfig: pathlib.Path) -> None:
        """Reach the API server by another way, from the next start on."""
        self._kubeconfig = kubeconfig

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        if self._process is None:
            raise RuntimeError("the operator was not started")
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, as the kernel would when memory runs out."""
        if self._process is not None and self.running:
            self._process.kill()
            self._process.wait(timeout=STOP_SECONDS)

    def stop(self) -> tuple[int, float]:
        """SIGTERM, as the kubelet would; returns the exit code and the seconds that it took."""
        if self._process is None:
            raise RuntimeError("the operator was not started")
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=STOP_SECONDS)
        return self._code(), time.monotonic() - began

    def probe(self, path: str) -> tuple[int, str]:
        """HTTP status and text of one of its endpoints; status 0 when nobody answers."""
        try:
            return 200, processes.fetch(f"http://{LOCALHOST}:{self._port}/{path}").decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def tail(self) -> str:
        """The newest lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-SHOWN_LINES:])

    def _code(self) -> int:
        if self._process is None or self._process.returncode is None:
            raise RuntimeError("the operator still runs")
        return self._process.returncode
