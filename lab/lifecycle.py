"""Bring a lab up, take it down, and tell how it is."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from lab import binaries, config, layout, processes
from lab.binaries import LabError
from lab.cluster import MANIFESTS, Lab
from lab.layout import Layout

Say = Callable[[str], None]

COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok-controller",
    "prometheus",
    "alertmanager",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """What a lab is made of and which of its programs run (by name, with process id)."""

    layout: Layout
    running: dict[str, int]
    lab: Lab | None

    @property
    def is_up(self) -> bool:
        """Whether the start was finished and every program still runs."""
        return self.lab is not None and all(name in self.running for name in COMPONENTS)


def status(name: str | None = None) -> Status:
    """Look at a lab without changing it."""
    where = layout.locate(name)
    running = {program: pid for pid, program in processes.owned(where.folder).items()}
    lab = Lab.load(where.name) if where.state.exists() else None
    return Status(where, running, lab)


def up(name: str | None = None, *, nodes: int = 3, shop: bool = False, say: Say = print) -> Lab:
    """Bring the lab up, or return the one that runs already; with ``shop``, one fit for shops.

    Whatever interrupts the start (a failure, Ctrl-C, SIGTERM), no process and no file of it
    stays. What an earlier start left behind because it was killed hard is cleared first.
    Raises LabError.
    """
    where = layout.locate(name)
    _require_kubectl()
    binaries.build_all(say)
    with _only_one_start(where, say):
        if (found := _already_up(where, say)) is not None:
            _require_shop(where, shop=shop)
            return found
        started = time.monotonic()
        try:
            lab = _start(where, nodes, say, shop=shop)
        except BaseException:
            with _undisturbed():
                say(f"the start was interrupted, clearing lab {where.name} away ...")
                _clear(where)
            raise
        say(f"lab {where.name} is up after {time.monotonic() - started:.1f} s")
        return lab


def down(name: str | None = None, *, say: Say = print) -> None:
    """End every program of the lab and remove its folder; no lab there is fine too."""
    where = layout.locate(name)
    with _undisturbed():
        existed = where.folder.exists()
        ended = _clear(where)
    if existed or ended:
        say(f"lab {where.name} is down ({ended} processes ended)")
    else:
        say(f"lab {where.name} was not up")


def _require_shop(where: Layout, *, shop: bool) -> None:
    """Which nodes kwok cares for is settled when a lab is made."""
    if shop and not json.loads(where.state.read_text()).get("shop"):
        raise LabError(
            f"lab {where.name} was started without --shop: "
            f"run `python -m lab down --name {where.name}` first"
        )


def _require_kubectl() -> None:
    if shutil.which("kubectl") is None:
        raise LabError(
            "kubectl is not on the PATH: install it (https://kubernetes.io/docs/tasks/tools/)"
        )


def _already_up(where: Layout, say: Say) -> Lab | None:
    """The running lab; one that is there only in part is mended or cleared away."""
    found = status(where.name)
    if found.lab is None or not set(COMPONENTS[:5]) <= found.running.keys():
        if found.running or where.folder.exists():
            say(f"clearing away what is left of an earlier lab {where.name}")
            _clear(where)
        return None
    if "prometheus" not in found.running:
        found.lab.start_prometheus()
    if "alertmanager" not in found.running:
        found.lab.start_alertmanager()
    say(f"lab {where.name} is already up")
    return found.lab


def _start(where: Layout, nodes: int, say: Say, *, shop: bool) -> Lab:
    ports = processes.free_ports()
    lab = Lab(where, ports)
    _write_configuration(where, ports, shop=shop)
    say(f"lab {where.name}: starting etcd, kube-apiserver, its controllers and kwok ...")
    creation = _create_cluster(where)
    lab.start_prometheus(wait=False)
    lab.start_alertmanager(wait=False)
    _finish(creation, where)
    say(f"lab {where.name}: adding {nodes} nodes and the metrics of their pods ...")
    _kwokctl(where, "scale", "node", "--name", where.name, "--replicas", str(nodes))
    lab.apply(MANIFESTS / "metrics.yaml")
    lab.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
    say(f"lab {where.name}: waiting for Prometheus and Alertmanager ...")
    lab.wait_ready()
    _await_namespace_defaults(lab)
    _write_state(lab, nodes, shop=shop)
    return lab


def _await_namespace_defaults(lab: Lab, within: float = 30.0) -> None:
    """Pods are refused until the controller has made the namespace's service account."""
    deadline = time.monotonic() + within
    query = ("get", "serviceaccount", "default", "--namespace", "default")
    while lab.kubectl(*query, check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise LabError(f"the service account controller does not work; see {lab.layout.kwok}")
        time.sleep(0.2)


def _write_configuration(where: Layout, ports: config.Ports, *, shop: bool) -> None:
    documents = {
        where.kwokctl_config: config.kwokctl(where, ports, shop=shop),
        where.audit_policy: config.audit_policy(),
        where.prometheus / "prometheus.yaml": config.prometheus(ports),
        where.prometheus / "rules.yaml": config.rules(),
        where.alertmanager / "alertmanager.yaml": config.alertmanager(),
    }
    for path, document in documents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False))


def _create_cluster(where: Layout) -> subprocess.Popen[bytes]:
    command = [str(binaries.locate("kwokctl")), "create", "cluster", "--name", where.name]
    command += ["--config", str(where.kwokctl_config), "--kubeconfig", str(where.kubeconfig)]
    command += ["--wait", "90s"]
    return processes.start(command, where.logs, KWOK_WORKDIR=str(where.kwok))


def _finish(creation: subprocess.Popen[bytes], where: Layout, within: float = 180.0) -> None:
    try:
        code = creation.wait(timeout=within)
    except subprocess.TimeoutExpired:
        raise LabError(f"kwokctl did not finish within {within:.0f} s") from None
    if code != 0:
        lines = where.logs.read_text(errors="replace").splitlines()
        raise LabError(f"kwokctl could not create the cluster: {' / '.join(lines[-3:])}")


def _kwokctl(where: Layout, *arguments: str) -> None:
    command = [str(binaries.locate("kwokctl")), *arguments, "--config", str(where.kwokctl_config)]
    processes.run(command, KWOK_WORKDIR=str(where.kwok))


def _write_state(lab: Lab, nodes: int, *, shop: bool) -> None:
    """Rename into place: a reader sees either a whole lab or none."""
    where = lab.layout
    pids = {program: pid for pid, program in sorted(processes.owned(where.folder).items())}
    versions = {each.name: each.version for each in binaries.BINARIES}
    made = {"nodes": nodes, "shop": shop}
    state: dict[str, Any] = {**lab.endpoints(), **made, "pids": pids, "versions": versions}
    partial = where.state.with_suffix(".partial")
    partial.write_text(json.dumps(state, indent=2) + "\n")
    partial.replace(where.state)


def _clear(where: Layout) -> int:
    ended = processes.end_all(where.folder)
    shutil.rmtree(where.folder, ignore_errors=True)
    if where.folder.exists():
        raise LabError(f"{where.folder} could not be removed completely: remove it by hand")
    with contextlib.suppress(OSError):
        where.folder.parent.rmdir()
    return ended


@contextlib.contextmanager
def _only_one_start(where: Layout, say: Say) -> Iterator[None]:
    """Starts take turns: two of the same lab would fight, two others might choose one port."""
    root = where.folder.parent
    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another lab is starting, waiting for it ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        root.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C stop the clearing away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
