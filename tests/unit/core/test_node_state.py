"""What is read of nodes and of the pods on them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.adapters.kubernetes import parse, parse_node
from prunella.core import model, node_state

READY = {
    "type": "Ready",
    "status": "False",
    "reason": "KubeletNotReady",
    "message": "PLEG is not healthy",
    "lastHeartbeatTime": "2026-03-01T12:00:00Z",
}
NODE: dict[str, Any] = {
    "metadata": {"name": "worker-0", "uid": "u", "resourceVersion": "7", "labels": {"pool": "a"}},
    "spec": {"unschedulable": True},
    "status": {"conditions": [READY]},
}
POD: dict[str, Any] = {
    "metadata": {"namespace": "shop", "name": "web-1", "uid": "p"},
    "spec": {},
    "status": {"phase": "Running"},
}


def test_a_node_is_read() -> None:
    """As a workload of one replica, with its conditions and who may be placed there."""
    found = parse_node.node(NODE)
    beat = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
    condition = node_state.Condition("False", "KubeletNotReady", "PLEG is not healthy", beat)
    assert model.Ref("Node", "", "worker-0") == found.ref
    assert node_state.NodeState({"Ready": condition}, unschedulable=True) == found.node
    assert (1, True, {"pool": "a"}) == (found.replicas, found.rolled_out, found.labels)


KEY = "node-role.kubernetes.io/control-plane"
SERVES = {
    "ready": ({}, {}, True),
    "cordoned": ({}, {"unschedulable": True}, False),
    "labelled": ({KEY: ""}, {}, False),
    "tainted": ({}, {"taints": [{"key": KEY, "effect": "NoSchedule"}]}, False),
    "another taint": ({}, {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}, True),
}


@pytest.mark.parametrize("name", SERVES)
def test_which_node_takes_pods(name: str) -> None:
    """One that is Ready, where pods may be placed, and that is not of the control plane."""
    labels, spec, expected = SERVES[name]
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    raw = {"metadata": {"name": "x", "uid": "u", "labels": labels}, "spec": spec, "status": status}
    found = parse_node.node(raw).node
    assert found is not None
    assert expected is found.takes_pods


def test_a_bare_node_is_read() -> None:
    """One that has just registered tells nothing yet."""
    found = parse_node.node({"metadata": {"name": "new", "uid": "u"}})
    assert (node_state.NodeState(), False) == (found.node, node_state.NodeState().ready)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"metadata": {"name": "x"}},
        {"metadata": {"name": "x", "uid": "u"}, "status": {"conditions": [{"type": "Ready"}]}},
    ],
    ids=["empty", "no uid", "no status"],
)
def test_what_has_another_shape_is_unreadable(raw: dict[str, Any]) -> None:
    """It is doubt, and no error of the operator."""
    with pytest.raises(parse.Unreadable):
        parse_node.node(raw)


def owned(kind: str, *, controller: bool = True) -> dict[str, Any]:
    """Metadata of a pod that something owns."""
    owner = {"kind": kind, "name": "it", "controller": controller}
    return {**POD["metadata"], "ownerReferences": [owner]}


PODS = {
    "bare": ({}, node_state.NodePod("shop", "web-1", "p")),
    "controlled": (
        {"metadata": owned("ReplicaSet")},
        node_state.NodePod("shop", "web-1", "p", "ReplicaSet/it"),
    ),
    "owned, not controlled": (
        {"metadata": owned("ReplicaSet", controller=False)},
        node_state.NodePod("shop", "web-1", "p"),
    ),
    "static": (
        {"metadata": {**owned("Node"), "annotations": {"kubernetes.io/config.mirror": "h"}}},
        node_state.NodePod("shop", "web-1", "p", "Node/it", mirror=True),
    ),
    "with local storage": (
        {"spec": {"volumes": [{"name": "c", "configMap": {}}, {"name": "e", "emptyDir": {}}]}},
        node_state.NodePod("shop", "web-1", "p", local_storage=True),
    ),
    "critical": (
        {"spec": {"priorityClassName": "system-node-critical"}},
        node_state.NodePod("shop", "web-1", "p", critical=True),
    ),
    "ended": (
        {"status": {"phase": "Failed"}},
        node_state.NodePod("shop", "web-1", "p", ended=True),
    ),
    "being deleted": (
        {"metadata": {**POD["metadata"], "deletionTimestamp": "2026-03-01T12:00:00Z"}},
        node_state.NodePod("shop", "web-1", "p", deleting=True),
    ),
}


@pytest.mark.parametrize("name", PODS)
def test_pods_are_read(name: str) -> None:
    """With what a drain leaves alone."""
    changes, expected = PODS[name]
    assert expected == node_state.pod({**POD, **changes})
