"""A real Prometheus over samples of the past, and recording rules evaluated over that past.

A rule that reads another's results can only be backfilled once those are there, so the rules are
sorted into levels: one run of ``promtool tsdb create-blocks-from rules`` for each.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import requests
import yaml

from lab import binaries, ports
from prunella.core.recording import manifests, rules

BLOCK = "768h"
"""One block for all the past: each is a query and a file."""
_RECORD = re.compile(r"prunella:[a-z_]+:[a-z_]+")


def levels(groups: Iterable[rules.Group]) -> list[list[rules.Group]]:
    """The groups, cut into stages that read only what the stages before have written."""
    left = [(group, rule) for group in groups for rule in group.rules]
    stages = []
    while left:
        missing = {rule.record for _, rule in left}
        ready = [pair for pair in left if not missing.intersection(_RECORD.findall(pair[1].expr))]
        if not ready:
            raise ValueError(f"rules that read each other: {sorted(missing)}")
        left = [pair for pair in left if pair not in ready]
        names = dict.fromkeys(group.name for group, _ in ready)
        stages.append([_part(name, ready) for name in names])
    return stages


def _part(name: str, ready: Sequence[tuple[rules.Group, rules.Rule]]) -> rules.Group:
    chosen = [(group, rule) for group, rule in ready if group.name == name]
    return rules.Group(name, chosen[0][0].interval, tuple(rule for _, rule in chosen))


def load(folder: pathlib.Path, text: str) -> None:
    """Write OpenMetrics text as blocks below ``folder``."""
    (folder / "samples.om").write_text(text)
    _create_blocks(folder, ["openmetrics", "samples.om", "data"])


def backfill(folder: pathlib.Path, groups: Iterable[rules.Group], start: float, end: float) -> None:
    """Evaluate the rules over the past, level by level, into the same blocks."""
    # Always the same file: a group's phase within its interval is a hash of both names.
    source = folder / "rules.yml"
    period = [f"--start={start:.0f}", f"--end={end:.0f}"]
    for stage in levels(groups):
        source.write_text(yaml.safe_dump(manifests.rules_file(stage)))
        with prometheus(folder) as url:
            _create_blocks(
                folder, ["rules", f"--url={url}", *period, "--output-dir=data", source.name]
            )


def _create_blocks(folder: pathlib.Path, arguments: Sequence[str]) -> None:
    command = [
        binaries.locate("promtool"),
        *("tsdb", "create-blocks-from", "--max-block-duration", BLOCK),
        *arguments,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    # It returns 0 also when rules could not be evaluated, and says so here.
    if done.returncode or "level=ERROR" in done.stderr:
        raise RuntimeError(f"promtool {' '.join(arguments)}:\n{done.stdout}{done.stderr}")


@contextlib.contextmanager
def prometheus(folder: pathlib.Path) -> Iterator[str]:
    """The URL of a Prometheus that serves the blocks below ``folder`` until the end."""
    config = folder / "prometheus.yml"
    config.write_text("global: {}\n")
    address = f"127.0.0.1:{ports.free_port()}"
    command = [
        binaries.locate("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_until_ready(f"http://{address}", process)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                if session.get(f"{url}/-/ready", timeout=5).ok:
                    return
            time.sleep(0.05)
    raise RuntimeError("Prometheus did not become ready: see prometheus.log")


def query_range(url: str, query: str, label: str, times: np.ndarray) -> dict[str, np.ndarray]:
    """The samples of each series on the grid ``times``, by the value of a label."""
    step = float(times[1] - times[0])
    parameters = {"query": query, "start": times[0], "end": times[-1], "step": step}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/api/v1/query_range", data=parameters, timeout=60).json()
    if answer["status"] != "success":
        raise RuntimeError(f"{answer['error']}: {query}")
    found = {}
    for series in answer["data"]["result"]:
        row = np.full(len(times), np.nan)
        moments = np.array([float(t) for t, _ in series["values"]])
        row[np.rint((moments - times[0]) / step).astype(int)] = [
            float(value) for _, value in series["values"]
        ]
        found[series["metric"].get(label, "")] = row
    return found
