"""What pods, nodes and Events say is wrong, and what they say that is not."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.core.incidents import picture, symptoms
from tests.unit.core.incidents import cluster

Raw = dict[str, Any]
NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
WEB = cluster.ref("Deployment/shop/web")


def at(seconds_ago: float) -> str:
    """A time as the API server writes it."""
    moment = NOW - datetime.timedelta(seconds=seconds_ago)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _pod(**status: Any) -> Raw:
    meta = {"name": "web-1", "namespace": "shop", "creationTimestamp": at(1000)}
    return {"metadata": meta, "status": {"phase": "Running", **status}}


def _container(restarts: int = 0, ended: Raw | None = None, **state: Any) -> Raw:
    last = {"terminated": ended} if ended else {}
    return {"name": "app", "restartCount": restarts, "state": state, "lastState": last}


def _ended(seconds_ago: float, code: int = 1, reason: str = "Error") -> Raw:
    return {"reason": reason, "exitCode": code, "finishedAt": at(seconds_ago)}


def _condition(kind: str, status: str, seconds_ago: float, **fields: Any) -> Raw:
    return {"type": kind, "status": status, "lastTransitionTime": at(seconds_ago), **fields}


def _waiting(reason: str, **fields: Any) -> Raw:
    return _container(waiting={"reason": reason, **fields})


PODS = [
    pytest.param({"containerStatuses": [_container(running={})]}, [], id="all is well"),
    pytest.param(
        {"containerStatuses": [_waiting("ContainerCreating")]}, [], id="a container to come"
    ),
    pytest.param({"containerStatuses": [_waiting("PodInitializing")]}, [], id="still initializing"),
    pytest.param(
        {"containerStatuses": [_waiting("ErrImagePull", message="not found")]},
        [("ImagePullBackOff", 1000, "web-1, container app: not found")],
        id="an image that is not there",
    ),
    pytest.param(
        {"containerStatuses": [_waiting("CreateContainerConfigError", message="no secret")]},
        [("CreateContainerConfigError", 1000, "web-1, container app: no secret")],
        id="a Secret that is not there",
    ),
    pytest.param(
        {
            "containerStatuses": [
                _container(3, _ended(20, 137), waiting={"reason": "CrashLoopBackOff"})
            ]
        },
        [("CrashLoopBackOff", 20, "web-1, container app: Error, exit code 137")],
        id="crashing again and again",
    ),
    pytest.param(
        {"containerStatuses": [_container(1, _ended(20, 137, "OOMKilled"), running={})]},
        [("OOMKilled", 20, "web-1, container app: OOMKilled, exit code 137")],
        id="out of memory, and running again",
    ),
    pytest.param(
        {"containerStatuses": [_container(1, _ended(20), running={})]},
        [("ContainerCrashed", 20, "web-1, container app: Error, exit code 1")],
        id="crashed once, of late",
    ),
    pytest.param(
        {"containerStatuses": [_container(1, _ended(301), running={})]}, [], id="crashed long ago"
    ),
    pytest.param(
        {"containerStatuses": [_container(1, _ended(20, 0, "Completed"), running={})]},
        [],
        id="ended well",
    ),
    pytest.param(
        {
            "initContainerStatuses": [
                {**_container(2, _ended(9), waiting={"reason": "CrashLoopBackOff"}), "name": "init"}
            ]
        },
        [("CrashLoopBackOff", 9, "web-1, init container init: Error, exit code 1")],
        id="an init container that crashes",
    ),
    pytest.param(
        {
            "phase": "Pending",
            "conditions": [
                _condition("PodScheduled", "False", 16, reason="Unschedulable", message="0/3 nodes")
            ],
        },
        [("FailedScheduling", 16, "web-1: 0/3 nodes")],
        id="no node takes it",
    ),
    pytest.param(
        {
            "phase": "Pending",
            "conditions": [_condition("PodScheduled", "False", 15, reason="Unschedulable")],
        },
        [],
        id="waiting for a node, not long",
    ),
    pytest.param(
        {"conditions": [_condition("Ready", "False", 61)]},
        [("PodNotReady", 61, "web-1: not ready for 61 s")],
        id="unready for a while",
    ),
    pytest.param({"conditions": [_condition("Ready", "False", 60)]}, [], id="unready for a moment"),
    pytest.param(
        {"phase": "Failed", "reason": "Evicted", "startTime": at(50), "message": "low on memory"},
        [("Evicted", 50, "web-1: low on memory")],
        id="evicted by the kubelet",
    ),
    pytest.param({"phase": "Succeeded"}, [], id="over and done"),
    pytest.param({"phase": "Failed"}, [], id="failed, as its controller knows"),
]


@pytest.mark.parametrize(("status", "expected"), PODS)
def test_pod(status: Raw, expected: list[tuple[str, float, str]]) -> None:
    """Each state of a pod, and the symptom that it is."""
    now = NOW.timestamp()
    found = list(symptoms.of_pod(WEB, _pod(**status), now))
    assert expected == [(each.name, now - each.since, each.message) for each in found]


def test_pod_that_is_being_deleted_is_no_symptom() -> None:
    """What a person or a rollout takes away may fail on its way."""
    pod = _pod(containerStatuses=[_waiting("CrashLoopBackOff")])
    pod["metadata"]["deletionTimestamp"] = at(1)
    assert [] == list(symptoms.of_pod(WEB, pod, NOW.timestamp()))


NODES = [
    pytest.param([_condition("Ready", "True", 9)], [], id="ready"),
    pytest.param([_condition("Ready", "False", 9)], ["NodeNotReady"], id="not ready"),
    pytest.param([_condition("Ready", "Unknown", 9)], ["NodeNotReady"], id="silent"),
    pytest.param(
        [_condition("Ready", "True", 9), _condition("DiskPressure", "True", 9)],
        ["NodeDiskPressure"],
        id="full disk",
    ),
    pytest.param([_condition("MemoryPressure", "False", 9)], [], id="no pressure"),
]


@pytest.mark.parametrize(("conditions", "expected"), NODES)
def test_node(conditions: list[Raw], expected: list[str]) -> None:
    """Each condition of a node, and the symptom that it is."""
    _, raw = cluster.node("n1", conditions=conditions)
    found = list(symptoms.of_node(raw, NOW.timestamp()))
    assert expected == [each.name for each in found]


def _event(reason: str = "FailedCreate", seconds_ago: float = 10, **fields: Any) -> Raw:
    return {
        "type": "Warning",
        "reason": reason,
        "message": "exceeded quota",
        "involvedObject": {"kind": "ReplicaSet", "namespace": "shop", "name": "web-6f5d"},
        "firstTimestamp": at(seconds_ago),
        "lastTimestamp": at(seconds_ago),
        **fields,
    }


EVENTS = [
    pytest.param(_event(), 10, id="a warning of now"),
    pytest.param(_event(firstTimestamp=at(5000)), 310, id="one that goes on for long"),
    pytest.param(_event(seconds_ago=301), None, id="an old one"),
    pytest.param(_event(type="Normal"), None, id="no warning"),
    pytest.param(_event("Unhealthy"), None, id="a probe that failed, as in any rollout"),
    pytest.param(
        {**_event(), "firstTimestamp": None, "lastTimestamp": None, "eventTime": at(7)},
        7,
        id="of the newer form",
    ),
]


@pytest.mark.parametrize(("raw", "expected"), EVENTS)
def test_event(raw: Raw, expected: float | None) -> None:
    """Only a warning of a reason that is a symptom counts, and only while it is of now."""
    found = symptoms.of_event(WEB, raw, NOW.timestamp())
    assert expected == (None if found is None else NOW.timestamp() - found.since)


def _pending(**spec: Any) -> Raw:
    return {**_pod(phase="Pending"), "spec": spec}


HINDERED = [
    pytest.param("FailedScheduling", 6, _pending(), True, id="no node takes it"),
    pytest.param("FailedScheduling", 5, _pending(), False, id="no node takes it, a moment long"),
    pytest.param("FailedScheduling", 60, _pending(nodeName="n1"), False, id="it has a node by now"),
    pytest.param("FailedScheduling", 60, _pod(), False, id="it runs by now"),
    pytest.param("FailedScheduling", 60, None, False, id="it is gone"),
    pytest.param("FailedMount", 6, _pending(nodeName="n1"), True, id="a volume is not there"),
    pytest.param("FailedMount", 60, _pod(), False, id="a volume was not there at first"),
    pytest.param("NetworkNotReady", 4, _pending(nodeName="n1"), False, id="a node that is new"),
    pytest.param("BackOff", 1, None, True, id="what does not hinder a start counts at once"),
]


@pytest.mark.parametrize(("reason", "seconds_ago", "pod", "expected"), HINDERED)
def test_an_event_of_a_start_counts_while_the_pod_bears_it_out(
    reason: str, seconds_ago: float, pod: Raw | None, expected: bool
) -> None:
    """While things are set up each may come once: what the pod is now decides."""
    about = {"kind": "Pod", "namespace": "shop", "name": "web-1"}
    raw = _event(reason, seconds_ago, involvedObject=about)
    assert expected == (symptoms.of_event(WEB, raw, NOW.timestamp(), pod) is not None)


KNOWN = picture.of(
    dict(
        [
            cluster.workload("Deployment/shop/web"),
            cluster.workload("StatefulSet/shop/db"),
            cluster.pod("shop/web-6f5d-a", "ReplicaSet/web-6f5d"),
            cluster.other(
                "HorizontalPodAutoscaler/shop/web", spec={"scaleTargetRef": {"name": "web"}}
            ),
        ]
    )
)
INVOLVED = [
    ("Pod", "web-6f5d-a", "Deployment/shop/web"),
    ("Pod", "unknown", None),
    ("ReplicaSet", "web-6f5d", "Deployment/shop/web"),
    ("ReplicaSet", "db-1", None),
    ("StatefulSet", "db", "StatefulSet/shop/db"),
    ("PersistentVolumeClaim", "lost", "PersistentVolumeClaim/shop/lost"),
    ("HorizontalPodAutoscaler", "web", "Deployment/shop/web"),
    ("Node", "n1", "Node/n1"),
    ("Ingress", "in", None),
]


@pytest.mark.parametrize(("kind", "name", "expected"), INVOLVED)
def test_involved(kind: str, name: str, expected: str | None) -> None:
    """An Event is its owner's; of what has none that is known, it is nobody's."""
    raw = {"involvedObject": {"kind": kind, "namespace": "shop", "name": name}}
    found = symptoms.involved(raw, KNOWN)
    assert (None if expected is None else cluster.ref(expected)) == found


def test_pods_of_one_workload_are_one_symptom() -> None:
    """Ten pods with the same fault are one, since the first of them."""
    several = [symptoms.Symptom(WEB, "OOMKilled", 10.0 - n, f"pod {n}") for n in range(3)]
    other = symptoms.Symptom(WEB, "Evicted", 1.0, "gone")
    expected = [symptoms.Symptom(WEB, "OOMKilled", 8.0, "pod 2 (and 2 more)"), other]
    assert expected == symptoms.joined([*several, other])
