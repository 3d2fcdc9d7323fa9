"""Which nodes a pod wants: by its node selector and its required node affinity."""

from __future__ import annotations

from prunella.core import model
from prunella.core.incidents.diagnosis import read
from prunella.core.incidents.diagnosis.scene import Scene


def waiting(scene: Scene, node: model.Ref) -> frozenset[model.Ref]:
    """The workloads with pods that no node takes, and that want this one."""
    raw = scene.get(node)
    return frozenset(
        each for each in scene.waiting if is_meant(read.mapping(scene.template(each), "spec"), raw)
    )


def required(spec: read.Raw) -> read.Raw:
    """The required node affinity of a pod's spec."""
    return read.mapping(
        spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )


def is_meant(spec: read.Raw, node: read.Raw) -> bool:
    """Whether the pod wants a node at all: by its selector and required affinity."""
    return is_selected(spec, node) and is_affine(spec, node)


def is_selected(spec: read.Raw, node: read.Raw) -> bool:
    """Whether a node has the labels that a pod's node selector asks for."""
    wanted = read.labels(spec, "nodeSelector")
    return wanted.items() <= read.labels(node, "metadata", "labels").items()


def is_affine(spec: read.Raw, node: read.Raw) -> bool:
    """Whether a node meets the required node affinity; terms are alternatives."""
    rule = required(spec)
    terms = read.items(rule, "nodeSelectorTerms")
    labels = read.labels(node, "metadata", "labels")
    named = {"metadata.name": read.text(node, "metadata", "name")}
    return not terms or any(
        read.selects({"matchExpressions": each.get("matchExpressions", [])}, labels)
        and read.selects({"matchExpressions": each.get("matchFields", [])}, named)
        for each in terms
    )
