"""NetworkPolicies that keep a caller from what it calls, or a workload from the cluster's DNS.

Evaluated as the API documents it: a pod that any policy selects for a direction may only do what
one of these allows; policies only add up, and one that selects nobody does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, read
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene

_INGRESS, _EGRESS = "Ingress", "Egress"
_NAMESPACE = "kubernetes.io/metadata.name"
DNS = 53


def find(scene: Scene) -> Iterator[Fault]:
    """Calls that a policy forbids, in each direction."""
    if not scene.of("NetworkPolicy"):
        return
    for caller, callees in sorted(scene.calls.items()):
        if caller not in scene.workloads:
            continue
        yield from _dns(scene, caller)
        for callee in sorted(callees & scene.workloads.keys()):
            ports = _ports(scene, callee)
            yield from _blocked(scene, caller, callee, ports, _INGRESS)
            yield from _blocked(scene, caller, callee, ports, _EGRESS)


def _blocked(
    scene: Scene,
    caller: model.Ref,
    callee: model.Ref,
    ports: Sequence[read.Raw],
    direction: str,
) -> Iterator[Fault]:
    own, peer = (callee, caller) if direction == _INGRESS else (caller, callee)
    selecting = list(_selecting(scene, own, direction))
    field, key = ("spec.ingress", "from") if direction == _INGRESS else ("spec.egress", "to")
    rules = [rule for each in selecting for rule in read.items(scene.get(each), *field.split("."))]
    if not selecting or any(_allows(scene, own, peer, rule, key, ports) for rule in rules):
        return
    blamed = max(selecting, key=lambda each: _made(scene.get(each)))
    others = [each for each in selecting if each != blamed]
    yield Fault(
        blamed,
        field,
        CauseKind.NETWORKING,
        "reference",
        f"forbids {caller} in {caller.namespace} to call {callee} in {callee.namespace}: "
        f"{len(selecting)} policies select {own.name} for {direction.lower()} and none allows it",
        faults.SURE,
        frozenset({callee, caller}) if direction == _EGRESS else frozenset({callee}),
        _made(scene.get(blamed)) or None,
        sides=(
            *(Side(each, ("spec",), CauseKind.NETWORKING) for each in others),
            Side(peer, ("spec.template.metadata.labels",), CauseKind.NETWORKING),
        ),
        fields=("spec",),
    )


def _dns(scene: Scene, caller: model.Ref) -> Iterator[Fault]:
    """Egress without port 53: no name of the cluster resolves any more."""
    selecting = list(_selecting(scene, caller, _EGRESS))
    rules = [rule for each in selecting for rule in read.items(scene.get(each), "spec", "egress")]
    if not selecting or any(_has_port(rule, DNS, "UDP") for rule in rules):
        return
    blamed = max(selecting, key=lambda each: _made(scene.get(each)))
    yield Fault(
        blamed, "spec.egress", CauseKind.NETWORKING, "reference",
        f"allows {caller} no DNS: none of {len(rules)} egress rules has port 53/UDP",
        faults.LIKELY, frozenset({caller}), _made(scene.get(blamed)) or None, fields=("spec",),
    )  # fmt: skip


def _selecting(scene: Scene, workload: model.Ref, direction: str) -> Iterator[model.Ref]:
    for ref, raw in scene.of("NetworkPolicy", workload.namespace).items():
        spec = read.mapping(raw, "spec")
        kinds = read.strings(spec, "policyTypes") or (
            (_INGRESS, _EGRESS) if read.items(spec, "egress") else (_INGRESS,)
        )
        selector = read.mapping(spec, "podSelector")
        if direction in kinds and read.selects(selector, scene.labels(workload)):
            yield ref


def _allows(
    scene: Scene,
    own: model.Ref,
    peer: model.Ref,
    rule: read.Raw,
    key: str,
    ports: Sequence[read.Raw],
) -> bool:
    peers = read.items(rule, key)
    if peers and not any(_is_peer(scene, own, peer, each) for each in peers):
        return False
    allowed = read.items(rule, "ports")
    return not allowed or not ports or any(_opens(a, p) for a in allowed for p in ports)


def _is_peer(scene: Scene, own: model.Ref, peer: model.Ref, rule: read.Raw) -> bool:
    if "ipBlock" in rule:
        return True  # addresses of pods are not known here: taken as allowed
    namespaces = rule.get("namespaceSelector")
    if namespaces is None:
        there = peer.namespace == own.namespace
    else:
        there = read.selects(namespaces, _namespace_labels(scene, peer.namespace))
    pods = rule.get("podSelector")
    return there and (pods is None or read.selects(pods, scene.labels(peer)))


def _namespace_labels(scene: Scene, namespace: str) -> Mapping[str, str]:
    raw = scene.get(model.Ref("Namespace", "", namespace))
    return {_NAMESPACE: namespace, **read.labels(raw, "metadata", "labels")}


def _ports(scene: Scene, callee: model.Ref) -> tuple[read.Raw, ...]:
    """The pods' ports that the Services before a workload lead to."""
    targets = {
        read.text(port, "targetPort") or read.text(port, "port")
        for service in scene.services.get(callee, ())
        for port in read.items(scene.get(service), "spec", "ports")
    }
    declared = [each for one in scene.containers(callee) for each in read.items(one, "ports")]
    return tuple(
        each
        for each in declared
        if read.text(each, "containerPort") in targets or read.text(each, "name") in targets
    )


def _opens(allowed: read.Raw, port: read.Raw) -> bool:
    protocol = read.text(port, "protocol") or "TCP"
    if (read.text(allowed, "protocol") or "TCP") != protocol:
        return False
    wanted, number = read.text(allowed, "port"), read.whole(port, "containerPort") or 0
    last = read.whole(allowed, "endPort")
    if not wanted or wanted in (str(number), read.text(port, "name")):
        return True
    return last is not None and wanted.isdigit() and int(wanted) <= number <= last


def _has_port(rule: read.Raw, number: int, protocol: str) -> bool:
    port = {"containerPort": number, "protocol": protocol, "name": "dns"}
    allowed = read.items(rule, "ports")
    return not allowed or any(_opens(each, port) for each in allowed)


def _made(raw: read.Raw) -> float:
    return read.time(read.value(raw, "metadata", "creationTimestamp")) or 0.0
