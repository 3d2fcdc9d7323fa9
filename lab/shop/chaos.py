"""Chaos by annotation: on a pod, its workload, or its node.

``chaos.lab.prunella.dev/`` delay ("200ms"), loss and errors ("0.3"), cpu (cores), memory and
leak ("5Mi", leak each second). On a node also ``node``: ``down`` (no power), ``kubelet-stopped``
(its containers go on), ``runtime-down`` (the kubelet says so).
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.shop.objects import Object, Picture, annotations_of, quantity, seconds, workload_of
from lab.shop.profiles import NO_EFFECT, Effect

PREFIX = "chaos.lab.prunella.dev/"


def of_annotations(annotations: Mapping[str, str]) -> Effect:
    """The effect that annotations ask for; what cannot be parsed has none."""
    asked = {
        key.removeprefix(PREFIX): value
        for key, value in annotations.items()
        if key.startswith(PREFIX)
    }
    if not asked:
        return NO_EFFECT
    return Effect(
        errors=min(1.0, quantity(asked.get("errors")) or 0.0),
        loss=min(1.0, quantity(asked.get("loss")) or 0.0),
        delay=seconds(asked.get("delay")) or 0.0,
        cpu=quantity(asked.get("cpu")) or 0.0,
        memory=quantity(asked.get("memory")) or 0.0,
        leak=quantity(asked.get("leak")) or 0.0,
    )


def of_pod(picture: Picture, pod: Object) -> Effect:
    """What the pod's own annotations and those of its Deployment or StatefulSet ask for."""
    found = of_annotations(annotations_of(pod))
    owner = workload_of(pod)
    if owner is not None and owner[0] in ("Deployment", "StatefulSet"):
        workload = picture.get(owner[0], pod["metadata"]["namespace"], owner[1])
        if workload is not None:
            found = found.plus(of_annotations(annotations_of(workload)))
    return found


def of_node(picture: Picture, name: str) -> Effect:
    """What a node's annotations ask for; its network effects hit every pod on it."""
    node = picture.get("Node", "", name)
    return of_annotations(annotations_of(node)) if node is not None else NO_EFFECT


def node_state(node: Object) -> str:
    """The state that a node's annotation asks for, "" for none."""
    return annotations_of(node).get(f"{PREFIX}node", "")
