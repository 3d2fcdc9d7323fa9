"""The operator as a process of its own, measured from outside."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import yaml

from lab import binaries, lifecycle, ports
from lab.cluster import Lab

ROOT = pathlib.Path(__file__).resolve().parents[1]
READY_SECONDS = 60
AS_IN_THE_IMAGE = {"PYTHONMALLOC": "malloc", "MALLOC_ARENA_MAX": "2"}
"""How the Dockerfile lets memory be given back."""
HOME = "prunella-system"
"""Where the operator keeps what is about no single namespace; the chart makes it elsewhere."""
UNLIMITED: dict[str, Any] = {
    "limits": {"actionsPerNamespacePerHour": 1000, "actionsPerClusterPerHour": 1000},
    "disruption": {key: {"max": 1000, "percent": 100} for key in ("namespace", "cluster")},
    "trust": {"allowHighRiskLive": True},
}
"""Settings of an operator that is measured, and not held up."""
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Operator:
    """A running `prunella run`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def cpu_seconds(self) -> float:
        """CPU time used so far, user and system."""
        return cpu_seconds(self.process.pid)

    def rss_mib(self) -> float:
        """Resident memory now."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(each for each in status.splitlines() if each.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def metrics(self) -> dict[str, float]:
        """The operator's own metrics by name with labels, as /metrics shows them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}


@contextlib.contextmanager
def running(
    lab: Lab, settings: dict[str, Any], kubeconfig: pathlib.Path | None = None
) -> Iterator[Operator]:
    """Run the operator on a lab until the block ends, as its administrator or by a kubeconfig."""
    port = ports.free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "settings.yaml"
        base = {"httpHost": "127.0.0.1", "httpPort": port, "logFormat": "text"}
        config.write_text(yaml.safe_dump({**base, **settings}))
        log = pathlib.Path(folder) / "log"
        program = pathlib.Path(sys.executable).with_name("prunella")
        command = [str(program), "run", "--config", str(config)]
        command += ["--kubeconfig", str(kubeconfig or lab.kubeconfig)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, env={**os.environ, **AS_IN_THE_IMAGE}
            )
        try:
            _wait_ready(process, port, log)
            yield Operator(process, port)
        finally:
            process.terminate()
            process.wait(30)


def _wait_ready(process: subprocess.Popen[bytes], port: int, log: pathlib.Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    sys.exit(f"the operator did not become ready:\n{log.read_text()[-3000:]}")


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, user and system."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


@contextlib.contextmanager
def own_lab(name: str) -> Iterator[Lab]:
    """A lab for one benchmark, with our definitions installed."""
    lifecycle.up(name)
    lab = Lab.load(name)
    try:
        for each in sorted((ROOT / "crds").glob("*.yaml")):
            lab.kubectl("apply", "--server-side", "-f", str(each))
        lab.kubectl("create", "namespace", HOME)
        yield lab
    finally:
        lifecycle.down(name)


def build_lab() -> None:
    """Build those of the lab's programs that are missing; ends with a line when that can't be."""
    try:
        binaries.build_all(lambda line: print(line, file=sys.stderr))
    except binaries.LabError as error:
        raise SystemExit(str(error)) from None


def machine() -> str:
    """The machine in one line, for the table's caption."""
    model = "unknown CPU"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, {platform.system()}"


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]
