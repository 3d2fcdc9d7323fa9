"""How users come in: an Ingress names the Service for a host and a path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.shop.network import REFUSED, Network, Route
from lab.shop.objects import Object, Picture

NO_RULE = "404 from the ingress controller"
NO_BACKEND = "503 from the ingress controller"


def route(network: Network, namespace: str, host: str) -> Route:
    """Where requests of users for ``host`` land; a rule's path must be a prefix of all."""
    backend = _backend(network.picture, namespace, host)
    if backend is None:
        return Route(failure=NO_RULE)
    service = network.picture.get("Service", namespace, backend.get("name", ""))
    number = _port(service, backend.get("port") or {}) if service is not None else None
    if service is None or number is None:
        return Route(failure=NO_BACKEND)
    found = network.through(None, service, number)
    return Route(failure=NO_BACKEND) if found.failure == REFUSED else found


def _backend(picture: Picture, namespace: str, host: str) -> Mapping[str, Any] | None:
    for each in picture.inside("Ingress", namespace):
        for rule in each["spec"].get("rules") or []:
            if rule.get("host") not in (None, host):
                continue
            for path in _paths(rule):
                found: Mapping[str, Any] | None = path["backend"].get("service")
                return found
        if (default := (each["spec"].get("defaultBackend") or {}).get("service")) is not None:
            fallback: Mapping[str, Any] = default
            return fallback
    return None


def _paths(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for path in (rule.get("http") or {}).get("paths") or []:
        if path.get("path", "/") == "/" and path.get("pathType") != "Exact":
            yield path


def _port(service: Object, wanted: Mapping[str, Any]) -> int | None:
    """The number of a Service's port that is given by number or by name."""
    for each in service["spec"].get("ports") or []:
        if each["port"] == wanted.get("number") or (
            wanted.get("name") and each.get("name") == wanted["name"]
        ):
            return int(each["port"])
    return None
