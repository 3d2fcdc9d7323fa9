"""The operator as the exam runs it: with the chart's own rights, and alerts by webhook."""

from __future__ import annotations

import contextlib
import pathlib
import secrets
from collections.abc import Iterator
from typing import Any

import yaml

from bench import operator_process
from bench.exam.shops import Items
from bench.exam.sightings import Watcher
from lab import addons, config, ports
from lab.cluster import Lab
from prunella.cli import kube
from prunella.core.changes import noise

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME, ACCOUNT = "prunella-system", "prunella"
CHAOS = "chaos.lab.prunella.dev/*"
INCIDENTS = "/apis/prunella.dev/v1alpha1/incidents"
ACTIONS = ("restore", "rollback", "restart", "evictPod", "scale")
"""What is enabled in the chart, restore for all of its kinds."""


def lists(lab: Lab) -> Items:
    """Ask the lab's API server for lists, as administrator; OSError when it does not answer."""
    api = kube.connect(lab.kubeconfig, None, HOME)

    def items(path: str) -> list[kube.Object]:
        try:
            return api.items(path)
        except kube.KubeError as error:
            raise OSError(str(error)) from error

    return items


@contextlib.contextmanager
def operating(lab: Lab, items: Items, *, heals: bool = False) -> Iterator[Watcher]:
    """Run the operator until the block ends; yields a watcher of its incidents, not started.

    With ``heals`` the chart enables actions; what is done the policies in the shops say.
    """
    install(lab, heals=heals)
    kubeconfig = lab.token_kubeconfig(ACCOUNT, HOME)
    port = ports.free_port()
    token = _token(lab)
    with operator_process.running(lab, settings(lab, port, token), kubeconfig):
        addons.send_alerts(lab, f"http://{config.LOCALHOST}:{port}/alertmanager", token)
        try:
            yield Watcher(lambda: items(INCIDENTS))
        finally:
            addons.send_alerts(lab, None)


def _token(lab: Lab) -> pathlib.Path:
    """A file with what Alertmanager shows the operator."""
    path = lab.layout.tokens / "alertmanager"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(32))
    return path


def install(lab: Lab, *, heals: bool = False) -> None:
    """CRDs and chart for the whole cluster; the chart's own pod runs nothing in a lab."""
    lab.kubectl("apply", "--server-side", "--filename", str(ROOT / "crds"))
    chart = str(ROOT / "charts" / "prunella")
    arguments = ("upgrade", "--install", ACCOUNT, chart, "--namespace", HOME)
    values = yaml.safe_load((ROOT / "charts" / "prunella" / "values.yaml").read_text())
    chosen = [f"actions.{each}=true" for each in ACTIONS]
    chosen += [f"restore.kinds.{kind}=true" for kind in values["restore"]["kinds"]]
    lab.helm(*arguments, "--create-namespace", *(("--set", ",".join(chosen)) if heals else ()))


def settings(lab: Lab, port: int, token: pathlib.Path) -> dict[str, Any]:
    """What is not as it comes: addresses, the lab's scrapes each 5 s, and chaos, which nobody sees.

    Annotations by which the lab is told to break something are no change that a person made. Fifty
    shops in a cluster need more actions an hour than one; for a namespace the limit is as it comes.
    """
    webhook = {
        "enabled": True,
        "host": config.LOCALHOST,
        "port": port,
        "bearerTokenFile": str(token),
    }
    return {
        "sources": {"default": {"url": lab.prometheus_url}},
        "alertmanager": {"url": lab.alertmanager_url},
        "intake": {"webhook": webhook},
        "diagnosis": {"stepSeconds": config.SCRAPE_SECONDS, "rateSeconds": 30},
        "journal": {"ignoredAnnotations": [*noise.IGNORED_ANNOTATIONS, CHAOS]},
        "limits": {"actionsPerClusterPerHour": 1000},
        "trust": {"allowHighRiskLive": True},
    }
