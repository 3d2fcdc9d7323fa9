"""NetworkPolicies, evaluated as the API says (networking.k8s.io/v1).

A pod that no policy of a direction selects is open in it. Otherwise one rule of one policy
must allow the other side and the port. Both sides are asked: egress of the caller, ingress of
the callee, each after the Service's address has been replaced by the pod's.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from lab.shop.objects import Object, Picture, labels_of, selects


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """One end of a connection."""

    namespace: str
    name: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    """Named container ports, by name and protocol."""


def allows(picture: Picture, source: Peer | None, target: Peer, port: int, protocol: str) -> bool:
    """Whether a connection is let through; ``source`` None is somebody outside of the cluster."""
    if source is not None and source.namespace == target.namespace and source.name == target.name:
        return True
    wire = (port, protocol, target.ports)
    if source is not None and not _open(picture, source, target, "Egress", wire):
        return False
    return _open(picture, target, source, "Ingress", wire)


_Wire = tuple[int, str, Mapping[tuple[str, str], int]]


def _open(picture: Picture, subject: Peer, other: Peer | None, direction: str, wire: _Wire) -> bool:
    rules, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    isolated = False
    for policy in _selecting(picture, subject, direction):
        isolated = True
        namespace = policy["metadata"]["namespace"]
        for rule in policy["spec"].get(rules) or []:
            if _port_allowed(rule.get("ports"), wire) and _peer_allowed(
                picture, rule.get(peers), namespace, other
            ):
                return True
    return not isolated


def _selecting(picture: Picture, subject: Peer, direction: str) -> Iterator[Object]:
    for policy in picture.inside("NetworkPolicy", subject.namespace):
        spec = policy["spec"]
        if direction in _types(spec) and selects(spec.get("podSelector") or {}, subject.labels):
            yield policy


def _types(spec: Mapping[str, Any]) -> list[str]:
    """Without policyTypes: always ingress, and egress when there is an egress section."""
    found: list[str] | None = spec.get("policyTypes")
    return found or ["Ingress", *(["Egress"] if spec.get("egress") is not None else [])]


def _port_allowed(ports: list[Mapping[str, Any]] | None, wire: _Wire) -> bool:
    number, protocol, named = wire
    if not ports:
        return True
    for each in ports:
        if each.get("protocol", "TCP") != protocol:
            continue
        wanted = each.get("port")
        if isinstance(wanted, str):
            wanted = named.get((wanted, protocol), -1)
        if wanted is None or wanted <= number <= each.get("endPort", wanted):
            return True
    return False


def _peer_allowed(
    picture: Picture, peers: list[Mapping[str, Any]] | None, namespace: str, other: Peer | None
) -> bool:
    if not peers:
        return True
    return any(_matches(picture, each, namespace, other) for each in peers)


def _matches(
    picture: Picture, wanted: Mapping[str, Any], namespace: str, other: Peer | None
) -> bool:
    if (block := wanted.get("ipBlock")) is not None:
        return _in_block(block, other.address if other else "203.0.113.7")
    if other is None:
        return False
    if (selector := wanted.get("namespaceSelector")) is not None:
        if not selects(selector, _namespace_labels(picture, other.namespace)):
            return False
    elif other.namespace != namespace:
        return False
    pods = wanted.get("podSelector")
    return pods is None or selects(pods, other.labels)


def _namespace_labels(picture: Picture, name: str) -> Mapping[str, str]:
    found = picture.get("Namespace", "", name)
    return labels_of(found) if found else {"kubernetes.io/metadata.name": name}


def _in_block(block: Mapping[str, Any], address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
        if found not in ipaddress.ip_network(block["cidr"], strict=False):
            return False
        return all(
            found not in ipaddress.ip_network(each, strict=False)
            for each in block.get("except") or []
        )
    except ValueError:
        return False
