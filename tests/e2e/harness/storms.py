"""Storms: many alerts of one cause, built from the pods that are really there. Pure.

They are told to a real Alertmanager (`alertmanager.py` beside this), which groups and posts them.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tests.e2e.harness import manifests

Alert = dict[str, Any]
Pod = Mapping[str, Any]
ROUTES = tuple(f"/api/v1/{name}" for name in ("cart", "items", "orders", "prices", "users"))
RELEASE_ALERTS = ("HighErrorRate", "HighLatency", "ErrorBudgetBurn", "ProbeFailing")
PACKET_ALERTS = ("TCPRetransmitsHigh", "ProbeFailing", "HighLatency", "ConnectionsReset")
CALLER_ALERTS = ("HighErrorRate", "UpstreamTimeouts")
NODE_ALERTS = ("NodeNetworkReceiveErrs", "NodeNetworkTransmitErrs")
ZONE, RACK = "topology.kubernetes.io/zone", "topology.kubernetes.io/rack"
HOST = "kubernetes.io/hostname"
POOL = "stories.example/pool"


def rack_node(name: str, rack: str, pool: str) -> manifests.Document:
    """A node of kwok's in a rack, for nobody but what tolerates its pool."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {RACK: rack, POOL: pool, HOST: name}},
        "spec": {"taints": [{"key": POOL, "value": pool, "effect": "NoSchedule"}]},
    }


def in_pool(document: manifests.Document, pool: str) -> manifests.Document:
    """A workload whose pods run on the nodes of a pool only, as many on each as on another."""
    template = document["spec"]["template"]
    template["metadata"]["labels"][POOL] = pool
    template["spec"] |= {
        "nodeSelector": {POOL: pool},
        "tolerations": [{"key": POOL, "value": pool, "effect": "NoSchedule"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 2,
                "topologyKey": HOST,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {POOL: pool}},
            }
        ],
    }
    return document


def fleet(count: int, commit: str, replicas: int = 2) -> list[manifests.Document]:
    """So many Deployments ``svc-00`` ..., all sound, each with a commit and a tier."""
    found = []
    for number in range(count):
        made = manifests.workload(f"svc-{number:02d}", "v1", replicas=replicas)
        made["metadata"]["annotations"] = {"prunella.dev/tier": "standard"}
        made["spec"]["template"]["metadata"]["annotations"] = {"app.kubernetes.io/commit": commit}
        found.append(made)
    return found


def release_patch(name: str, tag: str, commit: str) -> manifests.Document:
    """A strategic patch that brings another image and says from which commit it was built."""
    container = {"name": "app", "image": manifests.image(name, tag)}
    annotations = {"app.kubernetes.io/commit": commit}
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": [container]}}
    return {"spec": {"template": template}}


def of_release(pods: Sequence[Pod], count: int, at: float) -> list[Alert]:
    """``count`` alerts of a bad release: its pods, route by route, alert by alert."""
    routes = (f"{route}/{number}" for number in itertools.count() for route in ROUTES)
    found = (
        _alert(name, _pod_labels(pod), at, route=route)
        for route in routes
        for name in RELEASE_ALERTS
        for pod in pods
    )
    return list(itertools.islice(found, count))


def of_racks(
    nodes: Sequence[Mapping[str, Any]],
    pods: Sequence[Pod],
    racks: Collection[str],
    count: int,
    at: float,
    callers: Sequence[manifests.Document] = (),
) -> list[Alert]:
    """``count`` alerts of racks whose switches drop packets.

    Their nodes, ``callers`` elsewhere that time out, and the pods on the nodes, in turns.
    """
    inside = {each["metadata"]["name"] for each in nodes if _labels(each).get(RACK) in racks}
    there = [each for each in pods if each["spec"].get("nodeName") in inside]
    found = itertools.chain(
        _of_nodes(sorted(inside), at), _of_callers(callers, at), _of_lossy_pods(there, at)
    )
    return list(itertools.islice(found, count))


def _of_nodes(names: Sequence[str], at: float) -> Iterator[Alert]:
    for name, node in itertools.product(NODE_ALERTS, names):
        yield _alert(name, {"node": node}, at, device="eth0")


def _of_callers(callers: Sequence[manifests.Document], at: float) -> Iterator[Alert]:
    for name, each in itertools.product(CALLER_ALERTS, callers):
        place = {"namespace": each["metadata"]["namespace"], "deployment": each["metadata"]["name"]}
        yield _alert(name, place, at)


def _of_lossy_pods(pods: Sequence[Pod], at: float) -> Iterator[Alert]:
    """Without pods there is nothing to repeat."""
    if not pods:
        return
    for number in itertools.count():
        for name, pod in itertools.product(PACKET_ALERTS, pods):
            yield _alert(name, _pod_labels(pod), at, peer=f"10.0.0.{number}")


def resolved(alerts: Sequence[Alert], at: float) -> list[Alert]:
    """The same alerts, over since ``at``."""
    return [{**each, "endsAt": _moment(at)} for each in alerts]


def _alert(name: str, place: Mapping[str, str], at: float, **more: str) -> Alert:
    labels = {"alertname": name, "severity": "warning", **place, **more}
    where = ", ".join(f"{key} {value}" for key, value in {**place, **more}.items())
    annotations = {"summary": f"{name}: {where}"}
    return {"labels": labels, "annotations": annotations, "startsAt": _moment(at)}


def _pod_labels(pod: Pod) -> dict[str, str]:
    metadata = pod["metadata"]
    return {"namespace": metadata["namespace"], "pod": metadata["name"]}


def _labels(found: Mapping[str, Any]) -> Mapping[str, str]:
    labels: Mapping[str, str] = found["metadata"].get("labels") or {}
    return labels


def _moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()
