"""What a lab runs beside its control plane when asked for.

- *kube-state-metrics*: the real program; a Prometheus job of its own (``kube_*``).
- *the shop's data plane*: ``python -m lab.shop serve``; one for all shops of the lab.
- *alert rules*: files for the lab's Prometheus, which sends what fires to the lab's Alertmanager.
- *a webhook*: one receiver of the lab's Alertmanager, grouped as people group.

Each may be asked for again: what runs already stays as it is.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterable
from typing import Any

import yaml

from lab import binaries, config, processes
from lab.cluster import Lab

Document = dict[str, Any]

SHOP_RULES = pathlib.Path(__file__).parent / "shop" / "rules"
RESOURCES = (
    "deployments",
    "endpointslices",
    "horizontalpodautoscalers",
    "jobs",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "pods",
    "replicasets",
    "resourcequotas",
    "services",
    "statefulsets",
)
"""What the shop's rules ask about; each further one costs memory and samples."""
NODE_LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/rack")


def start_kube_state_metrics(lab: Lab) -> None:
    """Start kube-state-metrics as administrator and scrape it; LabError when it does not answer."""
    log = lab.layout.folder / "kube-state-metrics" / "kube-state-metrics.log"
    _start(lab, "kube-state-metrics", kube_state_metrics_command(lab), log)
    processes.wait_for(f"http://{config.LOCALHOST}:{lab.ports.kube_state_metrics}/livez", log)
    _scrape(lab, "kube-state-metrics", lab.ports.kube_state_metrics)


def start_shop(lab: Lab, *options: str) -> None:
    """Start the data plane of all shops, scrape it, and load the shop's alert rules.

    ``options`` are added to its command line. LabError when it does not get ready.
    """
    log = lab.layout.folder / "shop" / "shop.log"
    _start(lab, "shop", [*shop_command(lab), *options], log)
    processes.wait_for(f"http://{config.LOCALHOST}:{lab.ports.shop}/-/ready", log)
    _scrape(lab, "shop", lab.ports.shop)
    load_rules(lab, sorted(SHOP_RULES.glob("*.yaml")))


def kube_state_metrics_command(lab: Lab) -> list[str]:
    """Only what rules use, and the labels by which nodes are placed."""
    labels = ",".join(NODE_LABELS)
    return [
        str(binaries.locate("kube-state-metrics")),
        f"--kubeconfig={lab.kubeconfig}",
        f"--host={config.LOCALHOST}",
        f"--port={lab.ports.kube_state_metrics}",
        f"--telemetry-host={config.LOCALHOST}",
        f"--telemetry-port={lab.ports.kube_state_metrics_self}",
        f"--resources={','.join(RESOURCES)}",
        f"--metric-labels-allowlist=nodes=[{labels}]",
    ]


def shop_command(lab: Lab) -> list[str]:
    """The data plane of all shops, with the administrator's rights, as a kubelet has them."""
    address = f"{config.LOCALHOST}:{lab.ports.shop}"
    serve = ["serve", "--kubeconfig", str(lab.kubeconfig), "--listen", address]
    return [sys.executable, "-m", "lab.shop", *serve]


def load_rules(lab: Lab, files: Iterable[pathlib.Path]) -> None:
    """Copy rule files to the lab's Prometheus, which has them at once; LabError when it can't."""
    folder = lab.layout.prometheus / "alerts"
    folder.mkdir(parents=True, exist_ok=True)
    for each in files:
        (folder / each.name).write_text(each.read_text())
    _reload(lab.prometheus_url, "prometheus")


def send_alerts(lab: Lab, url: str | None, token: pathlib.Path | None = None) -> None:
    """Let the lab's Alertmanager post its alerts to ``url``; to nobody when that is None.

    ``token`` is a file whose content it sends as a bearer token.
    """
    document = config.alertmanager() if url is None else receiver(url, token)
    path = lab.layout.alertmanager / "alertmanager.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    _reload(lab.alertmanager_url, "alertmanager")


def receiver(url: str, token: pathlib.Path | None = None) -> Document:
    """Alertmanager's configuration: groups by namespace and alert, as people have them.

    The waits are those of a lab: they are 30 s, 5 min and 4 h where nobody sets them.
    """
    webhook: Document = {"url": url, "send_resolved": True}
    if token is not None:
        authorization = {"type": "Bearer", "credentials_file": str(token)}
        webhook["http_config"] = {"authorization": authorization}
    return {
        "route": {
            "receiver": "webhook",
            "group_by": ["namespace", "alertname"],
            "group_wait": "1s",
            "group_interval": "5s",
            "repeat_interval": "10m",
        },
        "receivers": [{"name": "webhook", "webhook_configs": [webhook]}],
    }


def job(name: str, port: int) -> Document:
    """A scrape job of one local target, whose series keep their own labels."""
    return {
        "job_name": name,
        "honor_labels": True,
        "static_configs": [{"targets": [f"{config.LOCALHOST}:{port}"]}],
    }


def _start(lab: Lab, program: str, command: list[str], log: pathlib.Path) -> None:
    if program not in processes.owned(lab.layout.folder).values():
        processes.start(command, log, PYTHONPATH=str(pathlib.Path(__file__).parents[1]))


def _scrape(lab: Lab, name: str, port: int) -> None:
    folder = lab.layout.prometheus / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    document = {"scrape_configs": [job(name, port)]}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    _reload(lab.prometheus_url, "prometheus")


def _reload(url: str, program: str) -> None:
    try:
        processes.fetch(f"{url}/-/reload", data=b"", seconds=10.0)
    except OSError as error:
        raise binaries.LabError(
            f"{program} did not take its new configuration ({error}): "
            f"see {program}.log in the lab's folder"
        ) from error
