"""The operator as the exam runs it: with the chart's own rights, and alerts by webhook."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

from bench import operator_process
from bench.exam.shops import Items
from bench.exam.sightings import Watcher
from lab import addons
from lab.cluster import Lab
from prunella.cli import kube

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME, ACCOUNT = "prunella-system", "prunella"
INCIDENTS = "/apis/prunella.dev/v1alpha1/incidents"


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
def operating(lab: Lab, items: Items) -> Iterator[Watcher]:
    """Run the operator until the block ends; yields a watcher of its incidents, not started."""
    install(lab)
    kubeconfig = lab.token_kubeconfig(ACCOUNT, HOME)
    with operator_process.running(lab, settings(lab), kubeconfig) as operator:
        addons.send_alerts(lab, f"http://127.0.0.1:{operator.port}/alerts")
        try:
            yield Watcher(lambda: items(INCIDENTS))
        finally:
            addons.send_alerts(lab, None)


def install(lab: Lab) -> None:
    """CRDs and chart for the whole cluster; the chart's own pod runs nothing in a lab."""
    lab.kubectl("apply", "--server-side", "--filename", str(ROOT / "crds"))
    chart = str(ROOT / "charts" / "prunella")
    arguments = ("upgrade", "--install", ACCOUNT, chart, "--namespace", HOME)
    lab.helm(*arguments, "--create-namespace")


def settings(lab: Lab) -> dict[str, Any]:
    """What is not as it comes: where the lab's Prometheus and Alertmanager are."""
    return {
        "sources": {"default": {"url": lab.prometheus_url}},
        "alertmanager": {"url": lab.alertmanager_url},
    }
