"""Audit events as the API server posts them."""

from __future__ import annotations

import json
from typing import Any

from tests.adapters.intake import bodies

Raw = dict[str, Any]
EDIT = "/apis/apps/v1/namespaces/shop/deployments/cart?fieldManager=kubectl-edit"


def ref(**fields: str) -> Raw:
    """Deployment cart of the shop."""
    named = {"resource": "deployments", "namespace": "shop", "name": "cart", "apiGroup": "apps"}
    return {key: value for key, value in {**named, **fields}.items() if value}


def event(seconds: float = -1, **fields: Any) -> Raw:
    """A patch of Deployment cart by ada, at level Metadata, so many seconds from START."""
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "7f4fb40d-06ec-4bb6-a7d6-18f5a3b4fe9b",
        "stage": "ResponseComplete",
        "requestURI": EDIT,
        "verb": "patch",
        "user": {"username": "ada", "groups": ["shop-team", "system:authenticated"]},
        "sourceIPs": ["10.0.0.7"],
        "userAgent": "kubectl/v1.35.4 (linux/amd64) kubernetes/4cb5f07",
        "objectRef": ref(),
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": bodies.time(seconds)[:26] + "Z",
        "stageTimestamp": bodies.time(seconds + 0.01)[:26] + "Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
        **fields,
    }


def body(*events: Raw, **fields: Any) -> bytes:
    """A list of events as it is posted."""
    kind = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}}
    return json.dumps({**kind, "items": list(events), **fields}).encode()
