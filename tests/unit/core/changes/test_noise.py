"""What is no change."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.core.changes import diff, kinds, noise
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


READY = diff.Element("type", "Ready")
NOT_READY = diff.Element("key", "node.kubernetes.io/not-ready")
YOUNG, OLD = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("path", "old", "new", "young", "old_node"),
    [
        pytest.param(("status",), diff.ABSENT, {}, True, True, id="first status"),
        pytest.param(("status", "conditions", READY), diff.ABSENT, {}, True, True, id="first told"),
        pytest.param(
            ("status", "conditions", READY, "status"), "False", "True", True, False, id="ready"
        ),
        pytest.param(
            ("status", "conditions", READY, "status"), "True", "Unknown", False, False, id="lost"
        ),
        pytest.param(
            ("status", "conditions", diff.Element("type", "DiskPressure"), "status"),
            "False",
            "True",
            False,
            False,
            id="pressure",
        ),
        pytest.param(("spec", "taints", NOT_READY), {}, diff.ABSENT, True, False, id="untainted"),
        pytest.param(
            ("spec", "taints", diff.Element("key", "team")),
            diff.ABSENT,
            {},
            False,
            False,
            id="taint",
        ),
        pytest.param(("metadata", "labels", "a"), diff.ABSENT, "b", True, False, id="new label"),
        pytest.param(("metadata", "labels", "a"), "b", "c", False, False, id="changed label"),
        pytest.param(("spec", "unschedulable"), False, True, False, False, id="cordon"),
    ],
)
def test_a_node_that_is_set_up_is_not_changed(
    path: diff.Path, old: Any, new: Any, young: bool, old_node: bool
) -> None:
    """First conditions never are a change; in its first minutes neither is what makes it ready."""
    found = diff.Difference(path, old, new)
    assert (young, old_node) == (noise.sets_up(found, YOUNG), noise.sets_up(found, OLD))
