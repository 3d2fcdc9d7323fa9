"""What is no change."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.core.changes import kinds, noise
from tests.unit.core.changes import objects

NODE: objects.Manifest = {
    "metadata": {"name": "n1", "uid": "u-9", "labels": {"zone": "a"}, "annotations": {"x": "y"}},
    "spec": {"podCIDR": "10.0.0.0/24", "unschedulable": True, "taints": [
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "2026"}]},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "KubeletDown", "message": "m",
             "lastHeartbeatTime": "2026-03-01T12:00:00Z"}
        ],
        "images": ["big"],
    },
}  # fmt: skip


def content(kind: str, manifest: objects.Manifest) -> Any:
    """The content of an object."""
    return noise.content(kinds.BY_NAME[kind], manifest, noise.Noise())


def test_a_node_is_its_cordon_taints_labels_and_conditions() -> None:
    """Times, messages, addresses and images of a node are not kept."""
    assert content("Node", NODE) == {
        "metadata": {"labels": {"zone": "a"}},
        "spec": {
            "unschedulable": True,
            "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}],
        },
        "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "KubeletDown"}]},
    }


@pytest.mark.parametrize(
    "key",
    [
        "deployment.kubernetes.io/revision",
        "kubectl.kubernetes.io/last-applied-configuration",
        "control-plane.alpha.kubernetes.io/leader",
        "pv.kubernetes.io/bind-completed",
        "example.com/heartbeat-time",
    ],
)
def test_annotations_of_controllers_are_noise(key: str) -> None:
    """What controllers write all the time is dropped, other annotations stay."""
    made = objects.deployment()
    made["metadata"]["annotations"] = {key: "1", "example.com/owner": "team"}
    assert {"annotations": {"example.com/owner": "team"}} == content("Deployment", made)["metadata"]


def test_status_and_bookkeeping_are_noise() -> None:
    """A status, managedFields and a resourceVersion are no content."""
    assert set(content("Deployment", objects.deployment())) == {"spec"}


def test_a_bound_volume_is_no_change_of_a_claim() -> None:
    """The controller fills the volume's name in; the rest of the spec is somebody's."""
    claim = {
        "metadata": objects.metadata("data", annotations={"pv.kubernetes.io/bind-completed": "y"}),
        "spec": {"storageClassName": "fast", "volumeName": "pv-1"},
    }
    assert content("PersistentVolumeClaim", claim) == {"spec": {"storageClassName": "fast"}}


def test_the_revision_that_gitops_applied_is_content() -> None:
    """Of the status of a GitOps object the applied revision alone is kept."""
    made = {
        "metadata": objects.metadata("shop"),
        "spec": {"project": "default"},
        "operation": {"sync": {}},
        "status": {"sync": {"revision": "abc", "status": "Synced"}, "health": {}},
    }
    assert content("Application", made) == {
        "spec": {"project": "default"},
        "status": {"sync": {"revision": "abc"}},
    }


OWNED = {"ownerReferences": [{"kind": "CronJob", "controller": True}]}


@pytest.mark.parametrize(
    ("kind", "meta", "expected"),
    [
        pytest.param("Job", objects.metadata("nightly-1", **OWNED), True, id="of a CronJob"),
        pytest.param("Job", objects.metadata("migrate"), False, id="a person's Job"),
        pytest.param("ConfigMap", objects.metadata("kube-root-ca.crt"), True, id="root CA"),
        pytest.param("Deployment", objects.metadata("web", **OWNED), False, id="of an operator"),
    ],
)
def test_objects_that_are_all_noise(kind: str, meta: objects.Manifest, expected: bool) -> None:
    """The cluster's own comings and goings are left out."""
    assert expected is noise.Noise().ignores(kind, {"metadata": meta})
