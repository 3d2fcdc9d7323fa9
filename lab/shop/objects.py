"""What the data plane reads of the cluster: the objects as they are, and how selectors read.

Objects are kept as the API server's JSON. Nothing here talks to the API server: `lab.shop.api`
fills a `Picture`, tests fill one by hand.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace ("" for cluster-scoped objects) and name."""

SHOP_LABEL = "lab.prunella.dev/shop"
"""On namespaces, nodes and everything else cluster-scoped: the shop that it belongs to."""

KINDS = {
    "Pod": "/api/v1/pods",
    "Node": "/api/v1/nodes",
    "Namespace": "/api/v1/namespaces",
    "Service": "/api/v1/services",
    "ConfigMap": "/api/v1/configmaps",
    "Secret": "/api/v1/secrets",
    "PersistentVolumeClaim": "/api/v1/persistentvolumeclaims",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
    "Ingress": "/apis/networking.k8s.io/v1/ingresses",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/networkpolicies",
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
}
"""The kinds that are read, and where the API server lists them."""

_NO_ROUTES = {"ConfigMap", "Secret", "PersistentVolumeClaim", "Deployment", "StatefulSet"}
_NETWORK = frozenset(KINDS) - _NO_ROUTES


@dataclasses.dataclass(slots=True)
class Picture:
    """Every object that matters, by kind and key, with a counter of changes that routes need."""

    kinds: dict[str, dict[Key, Object]] = dataclasses.field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )
    network_version: int = 0
    """Counts up with each change that may alter who reaches whom."""

    def put(self, kind: str, found: Object) -> None:
        """Take in an object, new or changed."""
        self.kinds[kind][key_of(found)] = found
        self._count(kind)

    def drop(self, kind: str, key: Key) -> None:
        """Forget an object; one that is not there is fine."""
        self.kinds[kind].pop(key, None)
        self._count(kind)

    def replace(self, kind: str, found: Iterable[Object]) -> None:
        """Take a whole list as all that there is of a kind."""
        self.kinds[kind] = {key_of(each): each for each in found}
        self._count(kind)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None."""
        return self.kinds[kind].get((namespace, name))

    def all(self, kind: str) -> list[Object]:
        """Every object of a kind; a list, so that it may change meanwhile."""
        return list(self.kinds[kind].values())

    def inside(self, kind: str, namespace: str) -> Iterator[Object]:
        """The objects of a kind in one namespace."""
        return (each for key, each in self.kinds[kind].items() if key[0] == namespace)

    def shop_of(self, namespace: str) -> str | None:
        """The shop that a namespace belongs to, by its label."""
        found = self.get("Namespace", "", namespace)
        return labels_of(found).get(SHOP_LABEL) if found else None

    def shops(self) -> list[str]:
        """The names of all shops, sorted."""
        labels = (labels_of(each) for each in self.all("Namespace"))
        return sorted({found[SHOP_LABEL] for found in labels if SHOP_LABEL in found})

    def _count(self, kind: str) -> None:
        if kind in _NETWORK:
            self.network_version += 1


def key_of(found: Object) -> Key:
    """Namespace and name of an object."""
    metadata = found["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def labels_of(found: Object) -> Mapping[str, str]:
    """The labels of an object."""
    return found["metadata"].get("labels") or {}


def annotations_of(found: Object) -> Mapping[str, str]:
    """The annotations of an object."""
    return found["metadata"].get("annotations") or {}


def controller_of(found: Object) -> tuple[str, str] | None:
    """Kind and name of the owner that controls an object."""
    owners = found["metadata"].get("ownerReferences") or []
    return next(((each["kind"], each["name"]) for each in owners if each.get("controller")), None)


def workload_of(pod: Object) -> tuple[str, str] | None:
    """Kind and name of the workload of a pod: a ReplicaSet stands for its Deployment."""
    owner = controller_of(pod)
    if owner is None or owner[0] != "ReplicaSet":
        return owner
    suffix = f"-{labels_of(pod).get('pod-template-hash', '')}"
    return "Deployment", owner[1].removesuffix(suffix)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches; the empty one matches all, none (null) matches nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(each, labels) for each in selector.get("matchExpressions") or [])


def _expression(wanted: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(wanted["key"]), wanted.get("values") or []
    match wanted["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None


_SUFFIXES = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}
_QUANTITY = re.compile(r"([0-9.]+(?:e[0-9]+)?)([a-zA-Z]*)")


def quantity(text: str | float | None) -> float | None:
    """A Kubernetes quantity ("250m", "1.5Gi") as a number; None when there is none."""
    found = _QUANTITY.fullmatch(str(text)) if text is not None else None
    if found is None or found[2] not in _SUFFIXES:
        return None
    return float(found[1]) * _SUFFIXES[found[2]]


_DURATION = re.compile(r"([0-9.]+)(ms|s|m)?")


def seconds(text: str | None) -> float | None:
    """A duration ("200ms", "1.5s", "2m"; without a unit: seconds); None when there is none."""
    found = _DURATION.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}[found[2]]


def is_ready(pod: Object) -> bool:
    """Whether a pod's condition Ready is true."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
