"""Which workload is at the top of a pod's owner chain."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.core.incidents import picture
from tests.unit.core.incidents import cluster

HASH, ROLLOUTS = "pod-template-hash", "rollouts-pod-template-hash"


def owned(text: str, owner: str, *, controller: bool = True) -> Any:
    """An object with an owner."""
    kind, name = owner.split("/")
    own, raw = cluster.other(text)
    raw["metadata"]["ownerReferences"] = [{"kind": kind, "name": name, "controller": controller}]
    return own, raw


CASES = [
    pytest.param("ReplicaSet/web-6f", {HASH: "6f"}, [], "Deployment/web", id="a Deployment's"),
    pytest.param("ReplicaSet/web-6f", {ROLLOUTS: "6f"}, [], "Rollout/web", id="an Argo Rollout's"),
    pytest.param(
        "ReplicaSet/web-6f",
        {HASH: "6f"},
        [cluster.other("Rollout/shop/web")],
        "Rollout/web",
        id="a Rollout that is there",
    ),
    pytest.param(
        "ReplicaSet/odd",
        {HASH: "6f"},
        [owned("ReplicaSet/shop/odd", "Deployment/web")],
        "Deployment/web",
        id="by the ReplicaSet where it is there",
    ),
    pytest.param("ReplicaSet/odd", {}, [], "ReplicaSet/odd", id="a ReplicaSet on its own"),
    pytest.param("Job/night-1", {}, [], "Job/night-1", id="a Job's"),
    pytest.param(
        "Job/night-1",
        {},
        [owned("Job/shop/night-1", "CronJob/night")],
        "CronJob/night",
        id="a CronJob's",
    ),
    pytest.param(
        "StatefulSet/db",
        {},
        [owned("StatefulSet/shop/db", "Postgres/db")],
        "StatefulSet/db",
        id="an operator's own resource is above, and no workload",
    ),
    pytest.param("StrimziPodSet/kafka", {}, [], "StrimziPodSet/kafka", id="another controller's"),
    pytest.param("Node/n1", {}, [], None, id="a static pod of its node"),
    pytest.param("", {}, [], None, id="a pod on its own"),
]


@pytest.mark.parametrize(("owner", "labels", "others", "expected"), CASES)
def test_owner_of_a_pod(
    owner: str, labels: dict[str, str], others: list[Any], expected: str | None
) -> None:
    """By the chain, and by names where the ReplicaSet is not there to be asked."""
    _, pod = owned("Pod/shop/p", owner) if owner else cluster.pod("shop/p")
    pod["metadata"]["labels"] = labels
    found = picture.owner_of_pod("shop", pod, dict(others))
    assert expected == (f"{found.kind}/{found.name}" if found is not None else None)


def test_an_owner_that_does_not_control_is_none() -> None:
    """Several objects may own a pod for the garbage collector; one controls it."""
    _, pod = owned("Pod/shop/p", "Backup/b", controller=False)
    assert picture.owner_of_pod("shop", pod) is None
