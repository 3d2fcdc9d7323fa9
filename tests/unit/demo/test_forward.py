"""The way to the demo's Prometheus is open when it says so, and closed after the story."""

from __future__ import annotations

import pathlib
import socket
import sys
import textwrap

import pytest

from prunella import ports
from prunella.demo import forward

LISTENS = """
import pathlib, socket, sys, time
pathlib.Path(__file__).with_name("asked").write_text(" ".join(sys.argv[1:]))
port = next(each for each in sys.argv if each.endswith(":9090")).split(":")[0]
listener = socket.create_server(("127.0.0.1", int(port)))
while True:
    listener.accept()[0].close()
"""
ENDS = """
import sys
sys.exit("error: no such host\\nerror: deployments.apps prometheus not found")
"""
SLEEPS = "import time; time.sleep(60)"


def install(folder: pathlib.Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program named kubectl first in the path."""
    path = folder / "kubectl"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(program)}")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


async def test_way_is_open_for_as_long_as_it_is_needed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside the port answers; after it nobody listens. The cluster is the one that was chosen."""
    install(tmp_path, LISTENS, monkeypatch)
    port = forward.free_port()

    async with forward.to_prometheus(port, pathlib.Path("/k"), "kind-demo"):
        socket.create_connection((forward.LOCALHOST, port)).close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((forward.LOCALHOST, port))
    assert (
        "--kubeconfig=/k --context=kind-demo --namespace=prunella-demo "
        f"port-forward deployment/prometheus {port}:9090 --address=127.0.0.1"
    ) == (tmp_path / "asked").read_text()


async def test_missing_kubectl_is_one_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has no kubectl learns what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ports.ClusterError, match=r"missing: kubectl\. Install") as caught:
        async with forward.to_prometheus(forward.free_port()):
            pass
    assert "\n" not in str(caught.value)


FAILS = {
    "ends": (ENDS, "ended: error: deployments.apps prometheus not found"),
    "hangs": (SLEEPS, "does not listen"),
}


@pytest.mark.parametrize("name", FAILS)
async def test_way_that_does_not_open(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A kubectl that ends, or never listens, ends the demo with its last words."""
    program, words = FAILS[name]
    install(tmp_path, program, monkeypatch)
    monkeypatch.setattr(forward, "START_SECONDS", 10.0 if name == "ends" else 0.3)
    with pytest.raises(ports.ClusterError, match=words):
        async with forward.to_prometheus(forward.free_port()):
            pass
