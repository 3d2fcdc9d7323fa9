"""The operator as the exam runs it: with the chart's own rights, and alerts by webhook."""

from __future__ import annotations

import contextlib
import pathlib
import secrets
from collections.abc import Iterator
from typing import Any

from bench import operator_process
from bench.exam.shops import Items
from bench.exam.sightings import Watcher
from lab import addons, config
from lab.cluster import Lab
from prunella.cli import kube
from prunella.core.changes import noise

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME, ACCOUNT = "prunella-system", "prunella"
CHAOS = "chaos.lab.prunella.dev/*"
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
    port = operator_process.free_port()
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


def install(lab: Lab) -> None:
    """CRDs and chart for the whole cluster; the chart's own pod runs nothing in a lab."""
    lab.kubectl("apply", "--server-side", "--filename", str(ROOT / "crds"))
    chart = str(ROOT / "charts" / "prunella")
    arguments = ("upgrade", "--install", ACCOUNT, chart, "--namespace", HOME)
    lab.helm(*arguments, "--create-namespace")


def settings(lab: Lab, port: int, token: pathlib.Path) -> dict[str, Any]:
    """What is not as it comes: addresses, the lab's scrapes each 5 s, and chaos, which nobody sees.

    Annotations by which the lab is told to break something are no change that a person made.
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
    }
