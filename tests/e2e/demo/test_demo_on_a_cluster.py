"""The demo on a cluster whose pods are real, with its own Prometheus: as on kind.

PRUNELLA_CLUSTER=kind or current plays it on the cluster of KUBECONFIG.  Without it the lab stands
in: there pods run nothing, so a stand-in for `kubectl port-forward` leads to the lab's Prometheus.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from prunella.cli import kube
from prunella.demo import ground, story
from tests.e2e.harness import lease
from tests.e2e.harness.running import PROGRAM

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

FORWARD = """
import socket, sys, threading
port = int(next(each for each in sys.argv if each.endswith(":9090")).split(":")[0])
listener = socket.create_server(("127.0.0.1", port))

def copy(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.close()

while True:
    client = listener.accept()[0]
    server = socket.create_connection(("127.0.0.1", PROMETHEUS))
    for pair in ((client, server), (server, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """Where the demo is played."""

    kubeconfig: pathlib.Path
    environment: dict[str, str]
    options: tuple[str, ...] = ()


@pytest.fixture
def cluster(tmp_path: pathlib.Path) -> Iterator[Cluster]:
    """The cluster of the environment, or a lab of its own with the stand-in for kubectl."""
    environment = {k: v for k, v in os.environ.items() if k != "PRUNELLA_PROMETHEUS"}
    chosen = environment.get("PRUNELLA_CLUSTER", "lab")
    if chosen != "lab":
        yes = ("--yes",) if environment.get("PRUNELLA_YES") else ()
        default = pathlib.Path.home() / ".kube" / "config"
        yield Cluster(pathlib.Path(environment.get("KUBECONFIG", default)), environment, yes)
        return
    with lease.leased(f"{environment.get('PRUNELLA_LAB', 'test')}-demo") as lab:
        program = tmp_path / "kubectl"
        code = FORWARD.replace("PROMETHEUS", str(lab.ports.prometheus))
        program.write_text(f"#!{sys.executable}\n{code}")
        program.chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{environment['PATH']}"
        yield Cluster(lab.kubeconfig, {**environment, "PATH": path})


def test_demo_heals_and_leaves_nothing(cluster: Cluster) -> None:
    """Given pods that are programs, when the demo is played, it is true and leaves no trace."""
    api = kube.connect(cluster.kubeconfig, None, None)
    before = {each["metadata"]["name"] for each in api.items(ground.DEFINITIONS)}

    done = subprocess.run(  # noqa: S603
        [
            *(str(PROGRAM), "demo", "--cluster=current", f"--kubeconfig={cluster.kubeconfig}"),
            *cluster.options,
        ],
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "healed and proved" in done.stdout
    assert {each["metadata"]["name"] for each in api.items(ground.DEFINITIONS)} == before
    names = {each["metadata"]["name"] for each in api.items(ground.NAMESPACES)}
    assert story.NAMESPACE not in names
