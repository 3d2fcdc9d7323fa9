"""Manifests of a small shop, as tables of tests need them."""

from __future__ import annotations

from typing import Any

from prunella.core import model

Raw = dict[str, Any]


def ref(text: str) -> model.Ref:
    """``Kind/namespace/name`` as a Ref; ``Kind/name`` for what has no namespace."""
    kind, *place = text.split("/")
    return model.Ref(kind, place[0] if len(place) > 1 else "", place[-1])


def workload(text: str, env: dict[str, str] | None = None, **spec: Any) -> tuple[model.Ref, Raw]:
    """A workload whose pods have the label ``app: NAME``."""
    own = ref(text)
    variables = [{"name": name, "value": value} for name, value in (env or {}).items()]
    container = {"name": "app", "env": variables, **spec.pop("container", {})}
    template = {
        "metadata": {"labels": {"app": own.name}},
        "spec": {"containers": [container], **spec.pop("pod", {})},
    }
    return own, {
        "metadata": {"name": own.name, "namespace": own.namespace},
        "spec": {"template": template, **spec},
    }


def service(text: str, selector: dict[str, str] | None = None) -> tuple[model.Ref, Raw]:
    """A Service that selects ``app: NAME`` unless it is told otherwise."""
    own = ref(f"Service/{text}")
    chosen = {"app": own.name} if selector is None else selector
    return own, {"metadata": {"name": own.name}, "spec": {"selector": chosen}}


def pod(text: str, owner: str = "", node: str = "", **status: Any) -> tuple[model.Ref, Raw]:
    """A pod; its owner is ``Kind/name``."""
    own = ref(f"Pod/{text}")
    meta: Raw = {"name": own.name, "namespace": own.namespace}
    if owner:
        kind, name = owner.split("/")
        api_version = "batch/v1" if kind == "Job" else "apps/v1"
        meta["ownerReferences"] = [
            {"kind": kind, "name": name, "controller": True, "apiVersion": api_version}
        ]
        if kind == "ReplicaSet":
            meta["labels"] = {"pod-template-hash": name.rpartition("-")[2]}
    spec = {"nodeName": node} if node else {}
    return own, {"metadata": meta, "spec": spec, "status": status}


def node(name: str, labels: dict[str, str] | None = None, **status: Any) -> tuple[model.Ref, Raw]:
    """A node."""
    meta = {"name": name, "labels": labels or {}}
    return model.Ref("Node", "", name), {"metadata": meta, "status": status}


def other(text: str, **fields: Any) -> tuple[model.Ref, Raw]:
    """Any other object."""
    own = ref(text)
    return own, {"metadata": {"name": own.name, "namespace": own.namespace}, **fields}
