"""Objects as the API server shows them, for the tests of the journal."""

from __future__ import annotations

import copy
import datetime
from typing import Any

from prunella.core.changes import entry, kinds
from prunella.core.changes.values import Change

Manifest = dict[str, Any]
NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)
RULES = entry.Journalling()
WORKLOAD = "Deployment"


def metadata(name: str, uid: str = "u-1", **more: Any) -> Manifest:
    """The metadata of an object of the shop."""
    return {
        "name": name,
        "namespace": "shop",
        "uid": uid,
        "resourceVersion": "10",
        "creationTimestamp": "2026-03-01T10:00:00Z",
        **more,
    }


def deployment(**meta: Any) -> Manifest:
    """Deployment checkout with one container."""
    container = {
        "name": "app",
        "image": "registry.example/shop/checkout:1.4.2",
        "env": [{"name": "CART_ADDR", "value": "cart:8080"}],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
    }
    return {
        "metadata": metadata(
            "checkout",
            generation=3,
            annotations={"deployment.kubernetes.io/revision": "3"},
            managedFields=[manager("kubectl", "11:00:00")],
            **meta,
        ),
        "spec": {
            "replicas": 2,
            "template": {
                "metadata": {"labels": {"app": "checkout"}},
                "spec": {"containers": [container]},
            },
        },
        "status": {"observedGeneration": 3, "readyReplicas": 2},
    }


def config_map(**data: str) -> Manifest:
    """ConfigMap flags."""
    return {"metadata": metadata("flags", "u-2"), "data": data}


def manager(
    name: str, time: str | None, fields: Manifest | None = None, subresource: str = ""
) -> Manifest:
    """An entry of managedFields; without fields it owns the pod template's images."""
    container = {'k:{"name":"app"}': {"f:image": {}}}
    template = {"f:spec": {"f:template": {"f:spec": {"f:containers": container}}}}
    return {
        "manager": name,
        "operation": "Update",
        "fieldsV1": fields if fields is not None else template,
        **({"time": f"2026-03-01T{time}Z"} if time else {}),
        **({"subresource": subresource} if subresource else {}),
    }


def image_of(manifest: Manifest) -> Manifest:
    """The first container, to be changed in place."""
    found: Manifest = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


def later(manifest: Manifest, version: int = 11, **meta: Any) -> Manifest:
    """A copy of a newer version."""
    made = copy.deepcopy(manifest)
    made["metadata"] |= {"resourceVersion": str(version), **meta}
    return made


def change(
    old: Manifest,
    new: Manifest,
    kind: str = WORKLOAD,
    rules: entry.Journalling = RULES,
    *,
    late: bool = False,
) -> Change | None:
    """The entry that an object's change from one to the other makes."""
    each = kinds.BY_NAME[kind]
    was, seen = entry.sight(each, old, rules), entry.sight(each, new, rules)
    if was.fingerprint == seen.fingerprint:
        return None
    return entry.modified(each, was, seen, entry.Occasion(new, NOW, late), rules)
